package userfaultfd_test

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// forkAndTouch forks this process, which os/exec does not do (it shares the
// memory until the exec). The child makes the kernel read a byte at addr into
// a pipe and exits. It returns the child's process id, or a negated errno.
//
// A fork of a Go process has one thread and none of the runtime's others, so
// the child does nothing but system calls; it must not grow its stack, be
// preempted or meet the race detector.
//
//go:nosplit
//go:norace
func forkAndTouch(pipe, addr uintptr) int {
	flags, stack := uintptr(unix.SIGCHLD), uintptr(0)
	if runtime.GOARCH == "s390x" {
		flags, stack = stack, flags
	}
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flags, stack, 0, 0, 0, 0)
	if errno != 0 {
		return -int(errno)
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_WRITE, pipe, addr, 1)
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	return int(pid)
}
