package userfaultfd

import (
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// Continue resolves minor faults: it maps the pages that the page cache holds
// for r, which is shmem or hugetlb memory registered with RegisterMinor.
// Their content is what another mapping of the same memory ([Mapping.Alias])
// has put there. Waiting threads are woken unless mode has ContinueDontWake.
//
// Continue carries partial progress on and returns the bytes that it mapped;
// with an error, what was done before it.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length, unknown mode, kind of
// memory), unix.EEXIST (a page is mapped already: wake the waiting threads),
// unix.ENOENT (not registered), unix.EFAULT (no page in the page cache),
// unix.EHWPOISON (a poisoned one), unix.ENOMEM, unix.ESRCH (the process is
// gone). Since Linux 5.13. See UFFDIO_CONTINUE(2const).
func (f *File) Continue(r Range, mode ContinueMode) (n uint64, err error) {
	if err := f.fd.Acquire(); err != nil {
		return 0, &Error{Op: "UFFDIO_CONTINUE", Range: r, Err: err}
	}
	for {
		arg := uffd.UffdioContinue{Range: uffd.UffdioRange{Start: r.Start + n, Len: r.Len - n}, Mode: uint64(mode)}
		var errno unix.Errno
		if f.isShort(arg.Range.Len) {
			errno = rawIoctl(f.fd.Int, uffd.UFFDIO_CONTINUE, unsafe.Pointer(&arg))
		} else {
			errno = ioctl(f.fd.Int, uffd.UFFDIO_CONTINUE, unsafe.Pointer(&arg))
		}
		if errno == 0 {
			f.fd.Release()
			return r.Len, nil
		}
		more := progress(errno, arg.Mapped, arg.Range.Len)
		if more == 0 {
			f.fd.Release()
			return n, &Error{Op: "UFFDIO_CONTINUE", Range: r, Done: n, Err: errno}
		}
		n += more
	}
}
