package userfaultfd

import (
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
func (r *reader) readMessages(fd uintptr) (n int, errno unix.Errno) {
	if r.plain {
		return r.readPlainly(fd)
	}
	r.aim()
	return r.received(fd, r.preadv(fd))
}

// aim has preadv read into the buffer.
func (r *reader) aim() {
	r.vector.Base = (*byte)(unsafe.Pointer(unsafe.SliceData(r.buf)))
	r.vector.SetLen(len(r.buf) * MsgSize)
}

// preadv reads. It has to be inlined, as rawIoctl has, which says why. The buffer
// and r are on the heap (package unsafe, rule 4).
func (r *reader) preadv(fd uintptr) (result syscallResult) {
	const here = ^uintptr(0) // no offset
	result.n, _, result.errno = syscall.RawSyscall6(unix.SYS_PREADV2, fd, uintptr(unsafe.Pointer(&r.vector)), 1, here, here, unix.RWF_NOWAIT)
	return
}

// A syscallResult is what a system call returned.
type syscallResult struct {
	n     uintptr
	errno unix.Errno
}

// received ends what preadv began.
func (r *reader) received(fd uintptr, result syscallResult) (n int, errno unix.Errno) {
	r.vector.Base = nil
	if result.errno != 0 {
		if r.plain = preadvRefused(result.errno); r.plain {
			return r.readPlainly(fd)
		}
		return 0, result.errno
	}
	return r.keep(result.n), 0
}

// readPlainly reads by read(2).
func (r *reader) readPlainly(fd uintptr) (n int, errno unix.Errno) {
	// Somebody can still make it block between these two calls.
	if flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0); err == nil && flags&unix.O_NONBLOCK == 0 {
		unix.SetNonblock(int(fd), true)
	}
	size, _, errno := syscall.Syscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(r.buf))), uintptr(len(r.buf)*MsgSize))
	if errno != 0 {
		return 0, errno
	}
	return r.keep(size), 0
}

// keep takes over what was read, and returns the number of messages.
func (r *reader) keep(size uintptr) (n int) {
	n = int(size) / MsgSize
	for i := range r.buf[:n] {
		// A child's descriptor has close-on-exec only if its parent's was
		// opened so.
		if r.buf[i].Event() == EventFork {
			unix.CloseOnExec(r.buf[i].Fork().FD)
		}
	}
	return n
}

// preadvRefused reports whether an errno of preadv2(2) is not one that reading a
// userfaultfd can fail with, so that reading in the other way may succeed.
func preadvRefused(errno unix.Errno) bool {
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR, unix.EINVAL, unix.EFAULT, unix.EBADF,
		unix.EMFILE, unix.ENFILE, unix.ENOMEM: // of a FORK message, which takes a descriptor
		return false
	}
	return true
}
