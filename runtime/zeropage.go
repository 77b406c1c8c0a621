package userfaultfd

import (
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// Zeropage fills the missing pages of r with zeros: private anonymous memory
// gets the kernel's one page of zeros, other memory a page of its own. It
// does not work on hugetlb memory ([File.Register] tells). Waiting threads
// are woken unless mode has ZeropageDontWake.
//
// Zeropage carries partial progress on and returns the bytes that it filled;
// with an error, what was done before it.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length, unknown mode, hugetlb),
// unix.EEXIST (a page is there already: wake the waiting threads),
// unix.ENOENT (not registered), unix.ENOMEM, unix.ESRCH (the process is
// gone). See UFFDIO_ZEROPAGE(2const).
func (f *File) Zeropage(r Range, mode ZeropageMode) (n uint64, err error) {
	if err := f.fd.Acquire(); err != nil {
		return 0, &Error{Op: "UFFDIO_ZEROPAGE", Range: r, Err: err}
	}
	for {
		arg := uffd.UffdioZeropage{Range: uffd.UffdioRange{Start: r.Start + n, Len: r.Len - n}, Mode: uint64(mode)}
		var errno unix.Errno
		if f.isShort(arg.Range.Len) {
			errno = rawIoctl(f.fd.Int, uffd.UFFDIO_ZEROPAGE, unsafe.Pointer(&arg))
		} else {
			errno = ioctl(f.fd.Int, uffd.UFFDIO_ZEROPAGE, unsafe.Pointer(&arg))
		}
		if errno == 0 {
			f.fd.Release()
			return r.Len, nil
		}
		more := progress(errno, arg.Zeropage, arg.Range.Len)
		if more == 0 {
			f.fd.Release()
			return n, &Error{Op: "UFFDIO_ZEROPAGE", Range: r, Done: n, Err: errno}
		}
		n += more
	}
}
