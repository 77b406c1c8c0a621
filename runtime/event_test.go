package userfaultfd_test

import (
	"errors"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// mremap moves memory to an address, in the place of what is mapped there.
func mremap(r userfaultfd.Range, to uint64) error {
	_, _, errno := unix.Syscall6(unix.SYS_MREMAP, uintptr(r.Start), uintptr(r.Len), uintptr(r.Len),
		unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, uintptr(to), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// event reads messages until one is not a fault, and returns it and the
// faults before it.
func event(t *testing.T, f *userfaultfd.File) (*userfaultfd.Msg, []userfaultfd.Pagefault) {
	t.Helper()
	var faults []userfaultfd.Pagefault
	for {
		m := uffdtest.Next(t, f)
		if m.Event() != userfaultfd.EventPagefault {
			return m, faults
		}
		faults = append(faults, m.Pagefault())
	}
}

func TestRemoveEvent(t *testing.T) {
	setup := func(t *testing.T) (*userfaultfd.File, *memory.Mapping) {
		f := uffdtest.Open(t, userfaultfd.FeatureEventRemove)
		m := uffdtest.Map(t, memory.Anonymous, 4)
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		return f, m
	}
	t.Run("arrives, and operations fail with EAGAIN until it is read", func(t *testing.T) {
		f, m := setup(t)
		if _, err := f.Zeropage(m.Range(), 0); err != nil {
			t.Fatal(err)
		}
		done := uffdtest.During(func() error { return memory.Discard(m.Page(1)) })
		uffdtest.Eventually(t, "an operation to fail with EAGAIN", func() bool {
			n, err := f.Zeropage(m.Page(1), 0)
			return n == 0 && errors.Is(err, unix.EAGAIN)
		})
		msg := uffdtest.Next(t, f)
		if msg.Event() != userfaultfd.EventRemove || msg.Remove() != m.Page(1) {
			t.Fatalf("got %v, want REMOVE %v", msg, m.Page(1))
		}
		if err := uffdtest.Within(t, "madvise", done); err != nil {
			t.Fatal(err)
		}
		if n, err := f.Zeropage(m.Page(1), 0); n != m.Page(1).Len || err != nil {
			t.Errorf("Zeropage after the event: %d, %v", n, err)
		}
	})
	t.Run("arrives while a fault is pending, which is still resolved afterwards", func(t *testing.T) {
		f, m := setup(t)
		touched := uffdtest.Touch(m.Page(0), m.PageSize(), false)
		p := uffdtest.Fault(t, f)
		removed := uffdtest.During(func() error { return memory.Discard(m.Page(2)) })
		uffdtest.Eventually(t, "an operation to fail with EAGAIN", func() bool {
			_, err := f.Zeropage(m.Page(3), 0) // EEXIST until then
			return errors.Is(err, unix.EAGAIN)
		})
		if msg, _ := event(t, f); msg.Event() != userfaultfd.EventRemove {
			t.Fatalf("got %v, want REMOVE", msg)
		}
		if err := uffdtest.Within(t, "madvise", removed); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Copy(p.Address, make([]byte, m.PageSize()), 0); err != nil {
			t.Fatal(err)
		}
		if err := uffdtest.Within(t, "the touch", touched); err != nil {
			t.Fatal(err)
		}
	})
}

func TestUnmapEvent(t *testing.T) {
	f := uffdtest.Open(t, userfaultfd.FeatureEventUnmap)
	m := uffdtest.Map(t, memory.Anonymous, 4)
	uffdtest.Torn[m] = userfaultfd.Range{Start: m.Page(2).Start, Len: 2 * m.Page(0).Len} // one page, then the other
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	done := uffdtest.During(func() error { return uffdtest.Munmap(m.Page(3)) })
	msg := uffdtest.Next(t, f)
	if msg.Event() != userfaultfd.EventUnmap || msg.Unmap() != m.Page(3) {
		t.Fatalf("got %v, want UNMAP %v", msg, m.Page(3))
	}
	if err := uffdtest.Within(t, "munmap", done); err != nil {
		t.Fatal(err)
	}
	t.Run("afterwards operations there fail with ENOENT", func(t *testing.T) {
		if n, err := f.Zeropage(m.Page(3), 0); n != 0 || !errors.Is(err, unix.ENOENT) {
			t.Errorf("Zeropage of unmapped memory: %d, %v; want 0 and ENOENT", n, err)
		}
	})
	t.Run("with a fault pending there, the fault's thread goes on and fails", func(t *testing.T) {
		touched := uffdtest.Touch(m.Page(2), m.PageSize(), false)
		uffdtest.Fault(t, f)
		done := uffdtest.During(func() error { return uffdtest.Munmap(m.Page(2)) })
		if msg, _ := event(t, f); msg.Event() != userfaultfd.EventUnmap {
			t.Fatalf("got %v, want UNMAP", msg)
		}
		if err := uffdtest.Within(t, "munmap", done); err != nil {
			t.Fatal(err)
		}
		f.Wake(m.Page(2))
		if err := uffdtest.Within(t, "the touch", touched); err == nil {
			t.Error("populating unmapped memory has succeeded")
		}
	})
}

func TestRemapEvent(t *testing.T) {
	f := uffdtest.Open(t, userfaultfd.FeatureEventRemap)
	m := uffdtest.Map(t, memory.Anonymous, 2)
	place := uffdtest.Map(t, memory.Anonymous, 2)
	uffdtest.Torn[m] = m.Range()
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	touched := uffdtest.Touch(m.Page(1), m.PageSize(), false)
	uffdtest.Fault(t, f)
	done := uffdtest.During(func() error { return mremap(m.Range(), place.Range().Start) })
	msg, _ := event(t, f)
	want := userfaultfd.Remap{From: m.Range().Start, To: place.Range().Start, Len: m.Range().Len}
	if msg.Event() != userfaultfd.EventRemap || msg.Remap() != want {
		t.Fatalf("got %v, want REMAP %+v", msg, want)
	}
	if err := uffdtest.Within(t, "mremap", done); err != nil {
		t.Fatal(err)
	}
	// The old address is gone: the thread that waited for it finds nothing.
	f.Wake(m.Range())
	if err := uffdtest.Within(t, "the touch", touched); err == nil {
		t.Error("populating the old place has succeeded")
	}
	again := uffdtest.Touch(place.Page(0), place.PageSize(), false)
	p := uffdtest.Fault(t, f)
	if p.Address != place.Range().Start {
		t.Errorf("fault at %#x, want the new place %#x", p.Address, place.Range().Start)
	}
	if _, err := f.Zeropage(place.Page(0), 0); err != nil {
		t.Fatal(err)
	}
	if err := uffdtest.Within(t, "the touch of the new place", again); err != nil {
		t.Fatal(err)
	}
}
