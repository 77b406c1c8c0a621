package pager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A process is the served process, by a pidfd of our own.
type process struct {
	pidfd *os.File
	epoll *os.File // readable when the process has ended
}

// openProcess takes a duplicate of a pidfd. The poller wants a descriptor that
// does not block, and that flag of a pidfd is shared with its owner, whose
// waitid(2) would change: so it watches an epoll(7) that watches the pidfd.
func openProcess(pidfd *os.File) (*process, error) {
	conn, err := pidfd.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("pager: Config.Process: %w", err)
	}
	var fd int
	if e := conn.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		err = e
	}
	if err != nil {
		return nil, fmt.Errorf("pager: Config.Process: %w", err)
	}
	p := &process{pidfd: os.NewFile(uintptr(fd), "pidfd")}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		if err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN}); err == nil {
			err = unix.SetNonblock(epoll, true)
		}
		if err != nil {
			unix.Close(epoll)
		}
	}
	if err != nil {
		p.pidfd.Close()
		return nil, fmt.Errorf("pager: Config.Process is no pidfd: %w", err)
	}
	p.epoll = os.NewFile(uintptr(epoll), "epoll")
	return p, nil
}

// wait calls ended when the process has, unless ctx is done before.
func (p *process) wait(ctx context.Context, ended func()) {
	stop := context.AfterFunc(ctx, func() { p.epoll.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := p.epoll.SyscallConn()
	if err != nil {
		return
	}
	if conn.Read(func(uintptr) bool { return p.ended() }) == nil {
		ended()
	}
}

// ended reports whether the process has.
func (p *process) ended() bool {
	ended := false
	p.control(func(fd int) error {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		ended = err == nil && n == 1
		return err
	})
	return ended
}

// kill ends the process.
func (p *process) kill() error {
	return p.control(func(fd int) error { return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) })
}

func (p *process) control(f func(fd int) error) (err error) {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	if e := conn.Control(func(fd uintptr) { err = f(int(fd)) }); e != nil {
		return e
	}
	return err
}

// Close closes our descriptors.
func (p *process) Close() error {
	return errors.Join(p.epoll.Close(), p.pidfd.Close())
}
