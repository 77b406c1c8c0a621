package memory

import (
	"fmt"
	"runtime"
	"runtime/debug"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// Guard calls f and returns nil, or an [AccessError] if f touched memory of r
// that cannot be accessed: a poisoned page, or one that is not mapped or is
// protected. f is left at that access, as by a panic; its deferred calls run.
//
// The limits, all of them Go's own ([debug.SetPanicOnFault]):
//   - Only f itself and what it calls is guarded, no goroutine that it starts.
//   - An access of the Go runtime while it holds a lock ends the program: a
//     channel send straight from r is one.
//   - The address is in the page that was touched; a copy may have reached it
//     anywhere in that page.
//   - A system call that is given memory of r fails with EFAULT instead.
//
// A fault outside r, and any other panic of f, stays a panic.
func Guard(r userfaultfd.Range, f func()) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		// The runtime's error for a faulting address is the only one with
		// this method.
		switch p := recover().(type) {
		case nil:
		case interface {
			runtime.Error
			Addr() uintptr
		}:
			addr := uint64(p.Addr())
			if !r.Contains(addr) {
				panic(p)
			}
			err = &AccessError{Address: addr}
		default:
			panic(p)
		}
	}()
	f()
	return nil
}

// An AccessError is an access to memory that cannot be accessed, caught by
// [Guard].
type AccessError struct {
	Address uint64
}

// Error says the address and what can be the matter with it.
func (e *AccessError) Error() string {
	return fmt.Sprintf("memory: the page at %#x is poisoned, not mapped or protected", e.Address)
}
