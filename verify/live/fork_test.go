package live

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// forkAndRead forks this process. The child makes the kernel read a byte at
// each address into a pipe, and exits with bit 0 set if the first read failed,
// bit 1 if the second. It returns the child's process id, or a negated errno.
//
// A fork of a Go process has one thread and none of the runtime's others, so
// the child does nothing but system calls; it must not grow its stack, be
// preempted or meet the race detector.
//
//go:nosplit
//go:norace
func forkAndRead(pipe, private, shared uintptr) int {
	flags, stack := uintptr(unix.SIGCHLD), uintptr(0)
	if runtime.GOARCH == "s390x" {
		flags, stack = stack, flags
	}
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flags, stack, 0, 0, 0, 0)
	if errno != 0 {
		return -int(errno)
	}
	if pid == 0 {
		status := uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_WRITE, pipe, private, 1); errno != 0 {
			status |= 1
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_WRITE, pipe, shared, 1); errno != 0 {
			status |= 2
		}
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, status, 0, 0)
		}
	}
	return int(pid)
}
