package userfaultfd

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shortIoctl is the length in bytes up to which an ioctl that works page by
// page counts as short. 64 KiB is a few microseconds, and one page where
// pages are largest.
const shortIoctl = 64 << 10

// isShort reports whether an ioctl on length bytes goes to rawIoctl.
func (f *File) isShort(length uint64) bool { return length <= shortIoctl && !f.patient.Load() }

// SetPatient says whether operations of any length are to tell the scheduler that
// they are in the kernel, which costs one on a page a fifth to a third of its time.
// It is for where they may wait for long: in a cgroup with a memory.high, whose
// excess the kernel has a thread sleep off, for up to two seconds, at the end of
// whatever system call it is in.
func (f *File) SetPatient(on bool) { f.patient.Store(on) }

// ioctl issues request through the scheduler: the goroutine's processor is
// free for others while the kernel works or sleeps. arg must not be moved or
// freed meanwhile, which the conversion in the call's argument list sees to
// (package unsafe, rule 4).
func ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	for {
		_, _, errno := syscall.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// rawIoctl issues a short range operation without telling the scheduler, which
// is a fifth to a third of a one-page ioctl's time.
//
// That is safe where the kernel's work is bounded and depends on no goroutine
// of this program: nobody else can use this thread's processor meanwhile, and
// a garbage collection that wants to stop the world waits for it. The range
// operations take the memory map's lock for reading and allocate pages; what
// they may wait for (the lock's writer, reclaim, swap) makes progress without
// us, since the kernel delivers no event with that lock held. It would not be
// safe for a read that waits for a message. Nor is it for UFFDIO_COPY from
// source memory whose own fault a goroutine of this program serves: that is
// the hazard of touching such memory in Go at all, of which the package
// comment tells. A source that is a mapped file, and not in memory, makes the
// processor wait for the disk, some 100 us a page: bounded, but [File.Copy]
// tells to read it in first.
//
// A long operation stops the world for as long as it takes, so it goes
// through the scheduler. EINTR is no concern: a range operation returns it to
// a thread that is being killed, and so never.
//
// rawIoctl has to be inlined, into the operation itself, and calls package
// syscall, not x/sys/unix, whose functions are two more calls, through
// assembly. The kernel's own calls, and its guards against speculation, use up
// the processor's stack of return addresses, so that it mispredicts every
// return after a system call: each function between an operation and the
// kernel costs 10 to 30 ns.
func rawIoctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := syscall.RawSyscall6(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg), 0, 0, 0)
	return errno
}

// progress returns how many bytes a short ioctl has done of left: what it
// wrote into its count field if that is a count. The field holds a negated
// errno where nothing was done, and whatever we put there (zero) where the
// kernel did not come to write it.
func progress(errno unix.Errno, count int64, left uint64) uint64 {
	if errno != unix.EAGAIN || count <= 0 || uint64(count) >= left {
		return 0
	}
	return uint64(count)
}
