package userfaultfd

import (
	"unsafe"

	"github.com/zuffd/uffd"
)

// Wake wakes the threads that wait for a fault in r. They fault again if the
// page is still not there. It follows operations in a DontWake mode, and an
// EEXIST: somebody else has filled the page, yet the thread still sleeps.
//
// Errors: unix.EINVAL (alignment, length). See UFFDIO_WAKE(2const).
func (f *File) Wake(r Range) error {
	if err := f.fd.Acquire(); err != nil {
		return &Error{Op: "UFFDIO_WAKE", Range: r, Err: err}
	}
	defer f.fd.Release()
	arg := r.abi()
	// Waking takes a walk over the waiting threads, whatever r's length.
	if errno := rawIoctl(f.fd.Int, uffd.UFFDIO_WAKE, unsafe.Pointer(&arg)); errno != 0 {
		return &Error{Op: "UFFDIO_WAKE", Range: r, Err: errno}
	}
	return nil
}
