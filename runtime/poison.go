package userfaultfd

import (
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// Poison marks the pages of r, none of which may be mapped, as poisoned:
// touching one raises SIGBUS in the process that the userfaultfd belongs to,
// as if the memory had failed, and makes system calls fail with EFAULT (or
// EHWPOISON from madvise(2)). Only that address space is touched; other
// mappings of the same file read on. Waiting threads are woken unless mode
// has PoisonDontWake, and get the signal. Unmapping the pages, or discarding
// them (MADV_DONTNEED), takes the poison away; unregistering does not. A child
// of fork(2) inherits the poison of private memory, not that of shared memory.
//
// r must be registered. Poison carries partial progress on and returns the
// bytes that it poisoned, from r.Start on; with an error, what was done
// before it.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length, unknown mode), unix.EEXIST
// (a page is mapped already, or poisoned), unix.ENOENT (not registered),
// unix.ENOMEM, unix.ESRCH (the process is gone). Since Linux 6.6. See
// UFFDIO_POISON(2const).
func (f *File) Poison(r Range, mode PoisonMode) (n uint64, err error) {
	if err := f.fd.Acquire(); err != nil {
		return 0, &Error{Op: "UFFDIO_POISON", Range: r, Err: err}
	}
	defer f.fd.Release()
	for {
		arg := uffd.UffdioPoison{Range: uffd.UffdioRange{Start: r.Start + n, Len: r.Len - n}, Mode: uint64(mode)}
		var errno unix.Errno
		if f.isShort(arg.Range.Len) {
			errno = rawIoctl(f.fd.Int, uffd.UFFDIO_POISON, unsafe.Pointer(&arg))
		} else {
			errno = ioctl(f.fd.Int, uffd.UFFDIO_POISON, unsafe.Pointer(&arg))
		}
		if errno == 0 {
			return r.Len, nil
		}
		more := progress(errno, arg.Updated, arg.Range.Len)
		if more == 0 {
			return n, &Error{Op: "UFFDIO_POISON", Range: r, Done: n, Err: errno}
		}
		n += more
	}
}
