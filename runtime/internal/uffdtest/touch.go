package uffdtest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"unsafe"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// Touch touches every page of r through the kernel, in a goroutine of its own:
// the thread waits in a system call, so that Go goes on.
func Touch(r userfaultfd.Range, pageSize int, write bool) <-chan error {
	done := make(chan error, 1)
	go func() { done <- TouchNow(r, pageSize, write) }()
	return done
}

// TouchNow is Touch in the goroutine that calls it. No signal interrupts it.
func TouchNow(r userfaultfd.Range, pageSize int, write bool) error {
	populate := memory.PopulateRead
	if write {
		populate = memory.PopulateWrite
	}
	err := populate(r)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	// Before Linux 5.14, let the kernel read a byte of each page, or write it.
	// Signals would make it fault anew, and find what was put there meanwhile.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unblock, err := BlockSignals()
	if err != nil {
		return err
	}
	defer unblock()
	for a := r.Start; a < r.End(); a += uint64(pageSize) {
		if err := Carry(a, write); err != nil {
			return err
		}
	}
	return nil
}

// BlockSignals keeps signals from this thread, to which the goroutine is locked.
func BlockSignals() (unblock func(), err error) {
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	err = unix.PthreadSigmask(unix.SIG_BLOCK, &all, &old)
	return func() { unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil) }, err
}

// Sleeper has a thread touch a page, and returns the fault that f tells of when
// the thread sleeps. The kernel tells of it a little before, and then has the
// thread look once more whether there is something to wait for: what is put in
// place by then wakes it, whatever the mode says.
func Sleeper(t testing.TB, f *userfaultfd.File, page userfaultfd.Range, write bool) (userfaultfd.Pagefault, <-chan error) {
	t.Helper()
	done, tid := OnThread(func() error { return TouchNow(page, int(page.Len), write) })
	p := Fault(t, f)
	Eventually(t, "the thread to sleep", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
		if err != nil {
			t.Fatal(err)
		}
		return string(b) != "running\n"
	})
	return p, done
}

// Carry moves the byte at an address of this process into a pipe, and back to
// the address if write is set. A page to be written that is not in memory is
// written a zero, since reading it would be another fault.
func Carry(addr uint64, write bool) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if write && !resident(addr) {
		if _, err := unix.Write(p[1], []byte{0}); err != nil {
			return err
		}
	} else if _, _, errno := unix.Syscall(unix.SYS_WRITE, uintptr(p[1]), uintptr(addr), 1); errno != 0 {
		return errno
	}
	if write {
		if _, _, errno := unix.Syscall(unix.SYS_READ, uintptr(p[0]), uintptr(addr), 1); errno != 0 {
			return errno
		}
	}
	return nil
}

// resident reports whether the page at an address is in memory.
func resident(addr uint64) bool {
	var in [1]byte
	page := uint64(os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(addr&^(page-1)), uintptr(page), uintptr(unsafe.Pointer(&in)))
	return errno == 0 && in[0]&1 != 0
}
