package userfaultfd

import (
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// Move fills missing pages at dst with the pages of the range at src, of
// which they disappear: the pages themselves move, nothing is copied. Both
// ranges are length bytes of private anonymous memory of this process, whose
// userfaultfd f is; dst is registered, src need not be. Waiting threads are
// woken unless mode has MoveDontWake.
//
// Move carries partial progress on and returns the bytes that it moved; with
// an error, what was done before it.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length, unknown mode, mappings that
// differ or are not private and anonymous, dst not registered, a userfaultfd
// of another process), unix.EEXIST (a page is there already: wake the waiting
// threads), unix.ENOENT (nothing mapped at dst or src, or a page missing at
// src without MoveAllowSrcHoles), unix.EBUSY (a page of src is shared, with a
// child after fork(2) say, or pinned: copy it), unix.EPERM, unix.ENOMEM. Since
// Linux 6.8. See UFFDIO_MOVE(2const).
func (f *File) Move(dst, src, length uint64, mode MoveMode) (n uint64, err error) {
	r := Range{dst, length}
	if err := f.fd.Acquire(); err != nil {
		return 0, &Error{Op: "UFFDIO_MOVE", Range: r, Err: err}
	}
	defer f.fd.Release()
	for {
		arg := uffd.UffdioMove{Dst: dst + n, Src: src + n, Len: length - n, Mode: uint64(mode)}
		var errno unix.Errno
		if f.isShort(arg.Len) {
			errno = rawIoctl(f.fd.Int, uffd.UFFDIO_MOVE, unsafe.Pointer(&arg))
		} else {
			errno = ioctl(f.fd.Int, uffd.UFFDIO_MOVE, unsafe.Pointer(&arg))
		}
		if errno == 0 {
			return length, nil
		}
		more := progress(errno, arg.Move, arg.Len)
		if more == 0 {
			return n, &Error{Op: "UFFDIO_MOVE", Range: r, Done: n, Err: errno}
		}
		n += more
	}
}
