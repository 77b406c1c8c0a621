package userfaultfd

import (
	"runtime"
	"unsafe"

	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"golang.org/x/sys/unix"
)

// Copy fills missing pages with the bytes of src, whose length is that of the
// range, at dst. The pages appear whole, never half-filled, and waiting
// threads are woken unless mode has CopyDontWake.
//
// Copy carries partial progress on and returns the bytes that it copied; with
// an error, what was done before it.
//
// src counts as touched by the calling goroutine, and a Copy of at most 64 KiB
// keeps the goroutine's processor while it does. src should not be memory whose
// faults a goroutine of this program serves, nor a mapped file that this
// program serves; and if it is any mapped file, read it in first (MADV_POPULATE_READ,
// or read(2) into a buffer), else a disk is waited for so.
//
// Errors: unix.EAGAIN (the address space is changing: read the pending events
// and try again), unix.EINVAL (alignment, length, unknown mode), unix.EEXIST
// (a page is there already: wake the waiting threads), unix.ENOENT (not
// registered), unix.ENOSPC (no huge page, or no room in the file system),
// unix.EFAULT (src cannot be read), unix.ENOMEM, unix.ESRCH (the process is
// gone). A process of 32 bits can be served by one of 64 only from a src below
// 4 GiB: unix.EINVAL. See UFFDIO_COPY(2const).
func (f *File) Copy(dst uint64, src []byte, mode CopyMode) (n int, err error) {
	r := Range{dst, uint64(len(src))}
	if err := f.fd.Acquire(); err != nil {
		return 0, &Error{Op: "UFFDIO_COPY", Range: r, Err: err}
	}
	from := sys.Address(src)
	var done uint64
	for {
		arg := uffd.UffdioCopy{Dst: dst + done, Src: from + done, Len: r.Len - done, Mode: uint64(mode)}
		var errno unix.Errno
		if f.isShort(arg.Len) {
			errno = rawIoctl(f.fd.Int, uffd.UFFDIO_COPY, unsafe.Pointer(&arg))
		} else {
			errno = ioctl(f.fd.Int, uffd.UFFDIO_COPY, unsafe.Pointer(&arg))
		}
		if errno == 0 {
			f.fd.Release()
			runtime.KeepAlive(src)
			return len(src), nil
		}
		more := progress(errno, arg.Copy, arg.Len)
		if more == 0 {
			f.fd.Release()
			runtime.KeepAlive(src)
			return int(done), &Error{Op: "UFFDIO_COPY", Range: r, Done: done, Err: errno}
		}
		done += more
	}
}
