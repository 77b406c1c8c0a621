package userfaultfd

import (
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// WriteProtect protects the pages of r against writing. The next write to one
// is delivered as a fault ([PagefaultWP]), or, with FeatureWPAsync, takes the
// protection of its page away and leaves a mark that a scan finds (package
// pagemap). r must be registered with RegisterWP. Pages that are not there are
// protected on shmem and hugetlb memory, and on anonymous memory with
// FeatureWPUnpopulated.
//
// The kernel reports no partial progress here. Repeating the call is
// harmless.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length), unix.ENOENT (not registered
// in this mode; with older kernels, 6.1 among them, r in several mappings too),
// unix.ENOMEM, unix.ESRCH (the process is gone). Since Linux 5.7. See
// UFFDIO_WRITEPROTECT(2const).
func (f *File) WriteProtect(r Range) error {
	return f.writeProtect(r, uffd.UFFDIO_WRITEPROTECT_MODE_WP)
}

// WriteUnprotect takes the protection of [File.WriteProtect] away. Waiting
// threads are woken unless mode has WriteUnprotectDontWake. The errors are
// those of WriteProtect, and unix.EINVAL for an unknown mode.
func (f *File) WriteUnprotect(r Range, mode WriteUnprotectMode) error {
	if mode&uffd.UFFDIO_WRITEPROTECT_MODE_WP != 0 {
		return &Error{Op: "UFFDIO_WRITEPROTECT", Range: r, Err: unix.EINVAL} // that bit would protect
	}
	return f.writeProtect(r, uint64(mode))
}

func (f *File) writeProtect(r Range, mode uint64) error {
	if err := f.fd.Acquire(); err != nil {
		return &Error{Op: "UFFDIO_WRITEPROTECT", Range: r, Err: err}
	}
	defer f.fd.Release()
	arg := uffd.UffdioWriteprotect{Range: r.abi(), Mode: mode}
	var errno unix.Errno
	if f.isShort(r.Len) {
		errno = rawIoctl(f.fd.Int, uffd.UFFDIO_WRITEPROTECT, unsafe.Pointer(&arg))
	} else {
		errno = ioctl(f.fd.Int, uffd.UFFDIO_WRITEPROTECT, unsafe.Pointer(&arg))
	}
	if errno != 0 {
		return &Error{Op: "UFFDIO_WRITEPROTECT", Range: r, Err: errno}
	}
	return nil
}

// RWProtect protects the pages of r against every access. The next access to
// one is delivered as a fault ([PagefaultRWP]), or, with FeatureRWPAsync, takes
// the protection of its page away and leaves a mark that a scan finds (package
// pagemap). r must be registered with RegisterRWP.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length), unix.ENOENT (not registered
// in this mode), unix.ENOMEM, unix.ESRCH (the process is gone). Since Linux
// 7.3.
func (f *File) RWProtect(r Range) error {
	return f.rwProtect(r, uffd.UFFDIO_RWPROTECT_MODE_RWP)
}

// RWUnprotect takes the protection of [File.RWProtect] away. Waiting threads
// are woken unless mode has RWUnprotectDontWake. The errors are those of
// RWProtect, and unix.EINVAL for an unknown mode.
func (f *File) RWUnprotect(r Range, mode RWUnprotectMode) error {
	if mode&uffd.UFFDIO_RWPROTECT_MODE_RWP != 0 {
		return &Error{Op: "UFFDIO_RWPROTECT", Range: r, Err: unix.EINVAL} // that bit would protect
	}
	return f.rwProtect(r, uint64(mode))
}

func (f *File) rwProtect(r Range, mode uint64) error {
	if err := f.fd.Acquire(); err != nil {
		return &Error{Op: "UFFDIO_RWPROTECT", Range: r, Err: err}
	}
	defer f.fd.Release()
	arg := uffd.UffdioRwprotect{Range: r.abi(), Mode: mode}
	var errno unix.Errno
	if f.isShort(r.Len) {
		errno = rawIoctl(f.fd.Int, uffd.UFFDIO_RWPROTECT, unsafe.Pointer(&arg))
	} else {
		errno = ioctl(f.fd.Int, uffd.UFFDIO_RWPROTECT, unsafe.Pointer(&arg))
	}
	if errno != 0 {
		return &Error{Op: "UFFDIO_RWPROTECT", Range: r, Err: errno}
	}
	return nil
}

// SetMode switches features on and off while f is in use. The kernel allows
// it for FeatureRWPAsync alone.
//
// Errors: unix.EINVAL (a feature in both sets, one that cannot be switched,
// or one whose base f was not opened with). Since Linux 7.3.
func (f *File) SetMode(enable, disable Features) error {
	if err := f.fd.Acquire(); err != nil {
		return &Error{Op: "UFFDIO_SET_MODE", Err: err}
	}
	defer f.fd.Release()
	arg := uffd.UffdioSetMode{Enable: uint64(enable), Disable: uint64(disable)}
	if errno := ioctl(f.fd.Int, uffd.UFFDIO_SET_MODE, unsafe.Pointer(&arg)); errno != 0 {
		return &Error{Op: "UFFDIO_SET_MODE", Err: errno}
	}
	return nil
}
