package userfaultfd

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A File is an open userfaultfd: a descriptor, the features that were
// negotiated for it, and the operations. Its methods may be called by several
// goroutines at once. The zero File is closed.
//
// A File must be closed. One that becomes unreachable is closed by the
// collector in its own time; mind what that means for pending faults (see
// [File.Close]).
type File struct {
	descriptor
	raw      syscall.RawConn // for readers, the only ones to wait
	blocking bool
	features Features
	ioctls   Ioctls
	reader   reader
}

// newFile makes a File of fd, which is the caller's if that fails.
func newFile(fd int, features Features, ioctls Ioctls) (*File, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, &Error{Op: "fcntl", Err: err}
	}
	f := &File{features: features, ioctls: ioctls, blocking: flags&unix.O_NONBLOCK == 0}
	f.descriptor.open(fd, "userfaultfd")
	f.raw, _ = f.file.SyscallConn() // fails for no file that is open
	f.reader.init()
	f.reader.forks = features&FeatureEventFork != 0
	return f, nil
}

// Close closes the descriptor. Blocked reads end with [os.ErrClosed];
// operations that are under way are waited for; later ones, another Close
// among them, fail with [os.ErrClosed].
//
// When the last descriptor of a userfaultfd is closed (a duplicate may be in
// another process, or made by [File.Dup]), the kernel unregisters all of its
// memory and lets every thread go that waits for a fault. Such a thread finds
// a page of zeros where the page was missing, and passes where it was
// protected. A handler that gives up must therefore poison the range first,
// or hand the descriptor on.
//
// Ending a read of a blocking f makes the open file non-blocking for a moment:
// a read of whoever shares it can fail with EAGAIN.
func (f *File) Close() error {
	if err := f.descriptor.close(f.interruptReader); err != nil {
		return &Error{Op: "close", Err: err}
	}
	return nil
}

// Features returns the features that f was opened with.
func (f *File) Features() Features { return f.features }

// Ioctls returns the operations that the kernel has for f apart from those on
// ranges, which [File.Register] returns.
func (f *File) Ioctls() Ioctls { return f.ioctls }

// Blocking reports whether f was opened without O_NONBLOCK.
func (f *File) Blocking() bool { return f.blocking }

// Dup returns a new descriptor of the same userfaultfd, for
// exec.Cmd.ExtraFiles or to keep the userfaultfd alive. It has the
// close-on-exec flag, and is the caller's to close. Whether it blocks must be
// left as it is: the two share that.
func (f *File) Dup() (*os.File, error) {
	if err := f.acquire(); err != nil {
		return nil, &Error{Op: "dup", Err: err}
	}
	defer f.release()
	f.reader.shared.Store(true)
	fd, err := unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &Error{Op: "dup", Err: err}
	}
	return os.NewFile(uintptr(fd), "userfaultfd"), nil
}

// SyscallConn returns the raw descriptor's connection, for what this package
// does not do. The descriptor stays f's.
func (f *File) SyscallConn() (syscall.RawConn, error) {
	if err := f.acquire(); err != nil {
		return nil, &Error{Op: "SyscallConn", Err: err}
	}
	defer f.release()
	return f.raw, nil
}

var _ syscall.Conn = (*File)(nil)
