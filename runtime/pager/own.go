package pager

import (
	"errors"
	"os"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// ErrOwnMemory is [New]'s error for a userfaultfd of this process's own memory.
// Served from within, it hangs the program: a goroutine that faults keeps its
// processor, and a collection of garbage, which stops the one that would serve
// it, waits for it for ever. Package demand (runtime/demand) has the two ways
// that do not hang: demand.Map, whose View fills what it misses by itself, and
// demand.MapServed, which starts a pager process.
var ErrOwnMemory = errors.New("pager: the userfaultfd is of this process's own memory, and to serve that from within hangs the program as soon as a collection meets a fault: use demand.Map and its View, or demand.MapServed, which starts a pager process (package runtime/demand)")

// isOwnMemory reports whether f is of this process's memory, wherever f came
// from. The kernel does not tell; but UFFDIO_COPY looks for a registration at
// its destination first, whichever userfaultfd that is of, and at its source
// then. So it is aimed at a page of ours, from where nothing can be read, and
// nothing can come of it. If the answer follows our page as that is registered
// and unregistered, f looks at our memory.
//
// While f owes its reader an event, nothing is found out, and it is not taken
// for ours. Who may not open a userfaultfd has none of its own.
func isOwnMemory(f *userfaultfd.File) bool {
	ours, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true})
	if errors.Is(err, errors.ErrUnsupported) { // before Linux 5.11
		ours, err = userfaultfd.Open(userfaultfd.Config{})
	}
	if err != nil {
		return false
	}
	defer ours.Close()
	page := os.Getpagesize()
	m, err := memory.Map(memory.Anonymous, 2*page, 0)
	if err != nil {
		return false
	}
	defer m.Close()
	unreadable := m.Bytes()[page:]
	if unix.Mprotect(unreadable, unix.PROT_NONE) != nil {
		return false
	}
	return follows(f, ours, userfaultfd.RangeOf(m.Bytes()[:page]), unreadable)
}

// follows reports whether f sees that ours registers a page. In memory of another
// process nothing changes with that, whatever it has at the address.
func follows(f, ours *userfaultfd.File, page userfaultfd.Range, unreadable []byte) bool {
	answer := func() error {
		_, err := f.Copy(page.Start, unreadable, userfaultfd.CopyDontWake)
		return err
	}
	for range 2 {
		if !errors.Is(answer(), unix.ENOENT) {
			return false
		}
		if _, err := ours.Register(page, userfaultfd.RegisterMissing); err != nil {
			return false
		}
		if !errors.Is(answer(), unix.EFAULT) {
			return false
		}
		if ours.Unregister(page) != nil {
			return false
		}
	}
	return true
}
