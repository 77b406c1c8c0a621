package userfaultfd

import (
	"unsafe"

	"github.com/zuffd/uffd"
)

// Register asks for the faults of r, of the kinds that mode names. It returns
// the operations that the kernel has for this memory in this mode.
//
// r is in whole pages and holds only memory that can be registered: private
// anonymous memory always; shmem, hugetlb and the other modes by the features
// of [Features]. Where nothing is mapped in r nothing is registered, but
// something has to be. To change the mode of a registered range, unregister it
// first: registering it again is not sure to take a mode away.
//
// Errors: unix.EINVAL (alignment, length, kind of memory, nothing mapped,
// unknown mode), unix.EBUSY (registered with another userfaultfd, or with this
// one in more modes), unix.EPERM (a shared mapping that may never be written),
// unix.ENOMEM (no memory, or the process is gone). See UFFDIO_REGISTER(2const).
func (f *File) Register(r Range, mode RegisterMode) (Ioctls, error) {
	if err := f.fd.Acquire(); err != nil {
		return 0, &Error{Op: "UFFDIO_REGISTER", Range: r, Err: err}
	}
	defer f.fd.Release()
	arg := uffd.UffdioRegister{Range: r.abi(), Mode: uint64(mode)}
	if errno := ioctl(f.fd.Int, uffd.UFFDIO_REGISTER, unsafe.Pointer(&arg)); errno != 0 {
		return 0, &Error{Op: "UFFDIO_REGISTER", Range: r, Err: errno}
	}
	return Ioctls(arg.Ioctls), nil
}

// Unregister ends what [File.Register] began, for r, wholly or in part, and
// wakes the threads that wait for faults there; they fault again, without us.
// Write protection and access protection are taken away; poison stays.
//
// Errors: unix.EINVAL (alignment, length, kind of memory, nothing mapped),
// unix.ENOMEM (no memory, or the process is gone). See UFFDIO_UNREGISTER(2const).
func (f *File) Unregister(r Range) error {
	if err := f.fd.Acquire(); err != nil {
		return &Error{Op: "UFFDIO_UNREGISTER", Range: r, Err: err}
	}
	defer f.fd.Release()
	arg := r.abi()
	if errno := ioctl(f.fd.Int, uffd.UFFDIO_UNREGISTER, unsafe.Pointer(&arg)); errno != 0 {
		return &Error{Op: "UFFDIO_UNREGISTER", Range: r, Err: errno}
	}
	return nil
}
