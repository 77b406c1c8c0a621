package userfaultfd

import (
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// WriteProtect protects the pages of r against writing, with
// WriteProtectWP, or takes that protection away and wakes the threads that
// wait, without. r must be registered with RegisterWP. Pages that are not
// there are protected on shmem and hugetlb memory, and on anonymous memory
// with FeatureWPUnpopulated.
//
// The kernel reports no partial progress here. Repeating the call is
// harmless.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length, unknown mode), unix.ENOENT
// (not registered in this mode), unix.ENOMEM, unix.ESRCH (the process is
// gone). Since Linux 5.7. See UFFDIO_WRITEPROTECT(2const).
func (f *File) WriteProtect(r Range, mode WriteProtectMode) error {
	if err := f.acquire(); err != nil {
		return &Error{Op: "UFFDIO_WRITEPROTECT", Range: r, Err: err}
	}
	defer f.release()
	arg := uffd.UffdioWriteprotect{Range: r.abi(), Mode: uint64(mode)}
	var errno unix.Errno
	if isShort(r.Len) {
		errno = rawIoctl(f.fd, uffd.UFFDIO_WRITEPROTECT, unsafe.Pointer(&arg))
	} else {
		errno = ioctl(f.fd, uffd.UFFDIO_WRITEPROTECT, unsafe.Pointer(&arg))
	}
	if errno != 0 {
		return &Error{Op: "UFFDIO_WRITEPROTECT", Range: r, Err: errno}
	}
	return nil
}

// RWProtect protects the pages of r against every access, with RWProtectRWP,
// or takes that protection away and wakes the threads that wait, without. r
// must be registered with RegisterRWP. The next access is delivered as a
// fault, or, with FeatureRWPAsync, lifts the protection of its page and leaves
// a mark that [Pagemap.Scan] finds.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length, unknown mode), unix.ENOENT
// (not registered in this mode), unix.ENOMEM, unix.ESRCH (the process is
// gone). Since Linux 7.3.
func (f *File) RWProtect(r Range, mode RWProtectMode) error {
	if err := f.acquire(); err != nil {
		return &Error{Op: "UFFDIO_RWPROTECT", Range: r, Err: err}
	}
	defer f.release()
	arg := uffd.UffdioRwprotect{Range: r.abi(), Mode: uint64(mode)}
	var errno unix.Errno
	if isShort(r.Len) {
		errno = rawIoctl(f.fd, uffd.UFFDIO_RWPROTECT, unsafe.Pointer(&arg))
	} else {
		errno = ioctl(f.fd, uffd.UFFDIO_RWPROTECT, unsafe.Pointer(&arg))
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
	if err := f.acquire(); err != nil {
		return &Error{Op: "UFFDIO_SET_MODE", Err: err}
	}
	defer f.release()
	arg := uffd.UffdioSetMode{Enable: uint64(enable), Disable: uint64(disable)}
	if errno := ioctl(f.fd, uffd.UFFDIO_SET_MODE, unsafe.Pointer(&arg)); errno != 0 {
		return &Error{Op: "UFFDIO_SET_MODE", Err: errno}
	}
	return nil
}
