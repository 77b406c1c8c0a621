package userfaultfd

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read waits for messages and reads as many as there are, and as buf has room
// for. It returns their number, which is above zero where there is no error,
// and does not allocate. Waiting costs no thread. One goroutine reads at a
// time; others wait for their turn.
//
// Read ends with [os.ErrDeadlineExceeded] at the deadline and with
// [os.ErrClosed] when f is closed. No message is lost by that. The end of the
// process whose memory f serves ends no read: watch its pidfd, or the socket
// that f came from. An empty buf is unix.EINVAL, and so is an f that was opened
// with [Config.Blocking]. See read(2) and userfaultfd(2).
//
// A FORK message carries a descriptor, which is the caller's from then on: see
// [Fork].
func (f *File) Read(buf []Msg) (int, error) {
	n, err := f.read(buf)
	if err != nil {
		err = &Error{Op: "read", Err: err}
	}
	return n, err
}

func (f *File) read(buf []Msg) (int, error) {
	if err := f.readable(buf); err != nil {
		return 0, err
	}
	r := &f.reader
	r.turn.Lock()
	defer r.turn.Unlock()
	r.buf = buf
	defer func() { r.buf = nil }()
	if err := f.wait(r.try); err != nil {
		return 0, err
	}
	return r.n, r.err
}

// readable returns what is against reading into buf.
func (f *File) readable(buf []Msg) error {
	switch {
	case len(buf) == 0:
		return fmt.Errorf("%w: no room for a message", unix.EINVAL)
	case f.fd.IsClosed():
		return os.ErrClosed
	case f.blocking:
		return fmt.Errorf("%w: it was opened with Config.Blocking, which is for handing it on; open one without to read it", unix.EINVAL)
	}
	return nil
}

// wait calls try whenever there may be messages, until it returns true.
func (f *File) wait(try func(fd uintptr) bool) error {
	for {
		err := f.raw.Read(try)
		switch {
		case err == nil:
			return nil
		case f.fd.IsClosed():
			return os.ErrClosed
		case errors.Is(err, os.ErrDeadlineExceeded):
			return err
		}
		// The poller gave f up: it has met it without O_NONBLOCK, which
		// somebody who shares f took away. The next message mends that.
		if err := f.fd.Acquire(); err != nil {
			return err
		}
		unix.SetNonblock(f.fd.Int, true)
		done := try(uintptr(f.fd.Int))
		if !done {
			unix.Poll([]unix.PollFd{{Fd: int32(f.fd.Int), Events: unix.POLLIN}}, 10)
		}
		f.fd.Release()
		if done {
			return nil
		}
	}
}

// A reader is the reading side of a File: one read, and what came of it.
type reader struct {
	turn sync.Mutex
	buf  []Msg
	n    int
	err  error

	try    func(fd uintptr) bool // tryRead, bound once so that a read does not allocate
	vector unix.Iovec            // for preadv2(2), during a call
	plain  bool                  // preadv2(2) is not to be had
}

// tryRead reads what there is, and reports whether the wait is over.
func (r *reader) tryRead(fd uintptr) bool {
	for {
		n, errno := r.readMessages(fd)
		switch errno {
		case 0:
			r.n, r.err = n, nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			// Nothing yet, or the fault that woke us was withdrawn: a signal
			// makes a waiting thread leave and fault again.
			return false
		default:
			r.n, r.err = 0, errno
		}
		return true
	}
}

// readMessages reads once and does not wait, though O_NONBLOCK may be gone: it
// belongs to everybody who has the descriptor. A thread that waited with a
// processor in its hands would stop the program at the next garbage
// collection. So the kernel is asked not to wait, call by call, which it
// understands since Linux 6.10. Before that, and where a filter refuses
// preadv2(2), the scheduler is told, which costs half a fault's time on one
// CPU.
//
// The buffer and r are on the heap (package unsafe, rule 4).
func (r *reader) readMessages(fd uintptr) (n int, errno unix.Errno) {
	var size uintptr
	buf, length := unsafe.Pointer(unsafe.SliceData(r.buf)), uintptr(len(r.buf)*MsgSize)
	if !r.plain {
		r.vector.Base = (*byte)(buf)
		r.vector.SetLen(int(length))
		const here = ^uintptr(0) // no offset
		size, _, errno = syscall.RawSyscall6(unix.SYS_PREADV2, fd, uintptr(unsafe.Pointer(&r.vector)), 1, here, here, unix.RWF_NOWAIT)
		r.vector.Base = nil
		r.plain = errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR
	}
	if r.plain {
		size, _, errno = syscall.Syscall(unix.SYS_READ, fd, uintptr(buf), length)
	}
	if errno != 0 {
		return 0, errno
	}
	n = int(size) / MsgSize
	for i := range r.buf[:n] {
		// A child's descriptor has close-on-exec only if its parent's was
		// opened so.
		if r.buf[i].Event() == EventFork {
			unix.CloseOnExec(r.buf[i].Fork().FD)
		}
	}
	return n, 0
}
