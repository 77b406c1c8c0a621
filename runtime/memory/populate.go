package memory

import (
	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// PopulateRead makes the kernel read every page of r of this process, so that
// each is there afterwards, as if it had been touched; faults are delivered
// to the userfaultfd that r is registered with, and waited for. It is the way
// to touch registered memory that cannot hang a Go program: the thread waits
// in the kernel, and the goroutine's processor is free for others.
//
// Errors: unix.EFAULT (a fault was not resolved: with UserModeOnly that is at
// once, with FeatureSigbus too), unix.EHWPOISON (a poisoned page),
// unix.ENOMEM (not mapped throughout), unix.EINVAL (alignment, or memory that
// cannot be populated), unix.EAGAIN (the kernel could not allocate memory).
// [userfaultfd.UnsupportedError] before Linux 5.14. See madvise(2).
func PopulateRead(r userfaultfd.Range) error { return populate(r, unix.MADV_POPULATE_READ) }

// PopulateWrite is [PopulateRead] that writes, without changing a byte:
// private memory gets pages of its own, and write-protected pages fault.
func PopulateWrite(r userfaultfd.Range) error { return populate(r, unix.MADV_POPULATE_WRITE) }

func populate(r userfaultfd.Range, advice uintptr) error {
	for {
		switch errno := madvise(r, advice); {
		case errno == 0:
			return nil
		case errno == unix.EINTR:
			continue
		case errno == unix.EINVAL && !knowsPopulate():
			return &userfaultfd.UnsupportedError{Name: "MADV_POPULATE_READ and MADV_POPULATE_WRITE", Since: "5.14"}
		default:
			return &userfaultfd.Error{Op: "madvise", Range: r, Err: errno}
		}
	}
}

func madvise(r userfaultfd.Range, advice uintptr) unix.Errno {
	start, length := uintptr(r.Start), uintptr(r.Len)
	if uint64(start) != r.Start || uint64(length) != r.Len {
		return unix.EINVAL // beyond the addresses of a program of 32 bits
	}
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, start, length, advice)
	return errno
}

// knowsPopulate reports whether the kernel knows the advice: an empty range
// of known advice is no error.
func knowsPopulate() bool {
	return madvise(userfaultfd.Range{}, unix.MADV_POPULATE_READ) == 0
}
