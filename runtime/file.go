package userfaultfd

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/zuffd/uffd/runtime/internal/sys"
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
	fd       sys.FD
	raw      syscall.RawConn // for readers, the only ones to wait
	blocking bool            // Config.Blocking
	patient  atomic.Bool     // SetPatient
	features Features
	ioctls   Ioctls
	reader   reader
}

// newFile makes a File of fd, which does not block unless blocking is set.
func newFile(fd int, blocking bool, features Features, ioctls Ioctls) *File {
	f := &File{blocking: blocking, features: features, ioctls: ioctls}
	f.fd.Open(fd, "userfaultfd")
	f.raw, _ = f.fd.File.SyscallConn() // fails for no file that is open
	f.reader.try = f.reader.tryRead
	return f
}

// Close closes the descriptor. Operations that are under way are waited for,
// and then reads end with [os.ErrClosed]. Later calls, another Close among
// them, fail with [os.ErrClosed].
//
// When the last descriptor of a userfaultfd is closed (a duplicate may be in
// another process, or made by [File.Dup]), the kernel unregisters all of its
// memory and lets every thread go that waits for a fault. Such a thread finds
// a page of zeros where the page was missing, and passes where it was
// protected. A handler that gives up must therefore poison the range first,
// or hand the descriptor on.
func (f *File) Close() error {
	if err := f.fd.Close(); err != nil {
		return &Error{Op: "close", Err: err}
	}
	return nil
}

// SetReadDeadline sets the time at which reads end with
// [os.ErrDeadlineExceeded], those under way among them. The zero Time is no
// deadline. It is [os.ErrNoDeadline] for an f that was opened with
// [Config.Blocking].
func (f *File) SetReadDeadline(t time.Time) error {
	err := f.fd.Acquire()
	if err == nil {
		err = f.fd.File.SetReadDeadline(t)
		f.fd.Release()
	}
	if err != nil {
		return &Error{Op: "SetReadDeadline", Err: err}
	}
	return nil
}

// Features returns the features that f was opened with. Of a descriptor that
// came from elsewhere /proc/self/fdinfo tells them; without /proc they are 0.
func (f *File) Features() Features { return f.features }

// Ioctls returns the operations that the kernel has for f apart from those on
// ranges, which [File.Register] returns.
func (f *File) Ioctls() Ioctls { return f.ioctls }

// Dup returns a new descriptor of the same userfaultfd, for
// exec.Cmd.ExtraFiles or to keep the userfaultfd alive. It has the
// close-on-exec flag, and is the caller's to close.
func (f *File) Dup() (*os.File, error) {
	if err := f.fd.Acquire(); err != nil {
		return nil, &Error{Op: "dup", Err: err}
	}
	defer f.fd.Release()
	fd, err := unix.FcntlInt(uintptr(f.fd.Int), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &Error{Op: "dup", Err: err}
	}
	return os.NewFile(uintptr(fd), "userfaultfd"), nil
}

// SyscallConn returns the raw descriptor's connection, for what this package
// does not do. The descriptor stays f's.
func (f *File) SyscallConn() (syscall.RawConn, error) {
	if err := f.fd.Acquire(); err != nil {
		return nil, &Error{Op: "SyscallConn", Err: err}
	}
	defer f.fd.Release()
	return f.raw, nil
}

var _ syscall.Conn = (*File)(nil)
