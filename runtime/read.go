package userfaultfd

import (
	"errors"
	"fmt"
	"os"

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
