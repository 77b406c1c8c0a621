package userfaultfd

import "golang.org/x/sys/unix"

// PopulateRead makes the kernel read every page of r of this process, so that
// each is there afterwards, as if it had been touched; faults are delivered
// to the userfaultfd that r is registered with, and waited for. It is the way
// to touch registered memory that cannot hang a Go program: the thread waits
// in the kernel, and the goroutine's processor is free for others.
//
// Errors: unix.EFAULT (a fault was not resolved: with UserModeOnly that is at
// once, with FeatureSigbus too), unix.EHWPOISON (a poisoned page),
// unix.ENOMEM (not mapped throughout), unix.EINVAL (alignment, or no such
// advice), unix.EAGAIN. Since Linux 5.14. See madvise(2).
func PopulateRead(r Range) error { return populate(r, unix.MADV_POPULATE_READ) }

// PopulateWrite is [PopulateRead] that writes, without changing a byte:
// private memory gets pages of its own, and write-protected pages fault.
func PopulateWrite(r Range) error { return populate(r, unix.MADV_POPULATE_WRITE) }

func populate(r Range, advice uintptr) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(r.Start), uintptr(r.Len), advice)
		switch {
		case errno == 0:
			return nil
		case errno == unix.EINTR:
			continue
		case errno == unix.EINVAL && !knowsPopulate():
			return &UnsupportedError{Name: "MADV_POPULATE_READ and MADV_POPULATE_WRITE", Since: "5.14"}
		}
		return &Error{Op: "madvise", Range: r, Err: errno}
	}
}

// knowsPopulate reports whether the kernel knows the advice: an empty range
// of known advice is no error.
func knowsPopulate() bool {
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, 0, 0, unix.MADV_POPULATE_READ)
	return errno == 0
}

// Discard takes the pages of r of this process away (MADV_DONTNEED), and
// poison with them; private memory is missing again. With FeatureEventRemove
// it waits until the REMOVE message was read.
//
// Errors: unix.EINVAL (alignment, locked memory), unix.ENOMEM (not mapped
// throughout). Huge pages can be discarded since Linux 5.18. See madvise(2).
func Discard(r Range) error {
	_, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(r.Start), uintptr(r.Len), unix.MADV_DONTNEED)
	if errno != 0 {
		return &Error{Op: "madvise", Range: r, Err: errno}
	}
	return nil
}
