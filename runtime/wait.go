package userfaultfd

import "golang.org/x/sys/unix"

// Wait calls try, and again whenever there may be messages, until try returns
// true. It is Read in two halves, for a handler that has to know when messages
// are taken: try calls [File.TryRead], and holds a lock over that, say.
//
// Wait ends as [File.Read] does, and does not allocate. try is called by the
// goroutine that waits, and is given the descriptor, which it may leave alone.
// One goroutine waits at a time.
func (f *File) Wait(try func(fd uintptr) bool) error {
	var some [1]Msg
	err := f.readable(some[:])
	if err == nil {
		err = f.wait(try)
	}
	if err != nil {
		err = &Error{Op: "read", Err: err}
	}
	return err
}

// TryRead is [File.Read] that does not wait: where there is no message it returns
// 0 and no error. Fewer messages than buf has room for are all that there were,
// unless FORK messages can come: one stays where it is while there is no
// descriptor for it.
func (f *File) TryRead(buf []Msg) (n int, err error) {
	if len(buf) == 0 || f.blocking {
		return 0, &Error{Op: "read", Err: f.readable(buf)}
	}
	if err := f.fd.Acquire(); err != nil {
		return 0, &Error{Op: "read", Err: err}
	}
	r := &f.reader
	r.turn.Lock()
	r.buf = buf
	// This is readMessages, whose call a handler would pay for: see preadv.
	var errno unix.Errno
	if r.plain {
		n, errno = r.readPlainly(uintptr(f.fd.Int))
	} else {
		r.aim()
		n, errno = r.received(uintptr(f.fd.Int), r.preadv(uintptr(f.fd.Int)))
	}
	for errno == unix.EINTR {
		n, errno = r.readMessages(uintptr(f.fd.Int))
	}
	r.buf = nil
	r.turn.Unlock()
	f.fd.Release()
	if errno != 0 && errno != unix.EAGAIN {
		return 0, &Error{Op: "read", Err: errno}
	}
	return n, nil
}
