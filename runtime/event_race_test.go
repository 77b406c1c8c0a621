package userfaultfd_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// A change is a system call that changes the address space, and waits for its
// event to be read. (Fork is in fork_test.go: it takes a process of its own.)
type change struct {
	name     string
	features userfaultfd.Features
	event    userfaultfd.Event

	// make changes m, whose last page may go, or all of which may move to
	// place.
	make func(m, place *memory.Mapping) error

	// gone is the part of m that is not mapped afterwards.
	gone func(m *memory.Mapping) userfaultfd.Range

	on []memory.Kind

	// rest is where the bytes of m from n on are to be filled afterwards.
	rest func(m, place *memory.Mapping, n uint64) userfaultfd.Range
}

var changes = []change{
	{
		"madvise(MADV_DONTNEED)", userfaultfd.FeatureEventRemove, userfaultfd.EventRemove,
		func(m, _ *memory.Mapping) error { return memory.Discard(lastPage(m)) },
		nothing,
		uffdtest.Kinds,
		restInPlace,
	}, {
		"madvise(MADV_FREE)", userfaultfd.FeatureEventRemove, userfaultfd.EventRemove,
		func(m, _ *memory.Mapping) error { return adviseLastPage(m, unix.MADV_FREE) },
		nothing,
		[]memory.Kind{memory.Anonymous},
		restInPlace,
	}, {
		"madvise(MADV_REMOVE)", userfaultfd.FeatureEventRemove, userfaultfd.EventRemove,
		func(m, _ *memory.Mapping) error { return adviseLastPage(m, unix.MADV_REMOVE) },
		nothing,
		[]memory.Kind{memory.Shmem, memory.HugetlbShared},
		restInPlace,
	}, {
		"munmap", userfaultfd.FeatureEventUnmap, userfaultfd.EventUnmap,
		func(m, _ *memory.Mapping) error { return uffdtest.Munmap(lastPage(m)) },
		lastPage,
		uffdtest.Kinds,
		func(m, _ *memory.Mapping, n uint64) userfaultfd.Range {
			return userfaultfd.Range{Start: m.Range().Start + n, Len: m.Range().Len - uint64(m.PageSize()) - n}
		},
	}, {
		"mremap", userfaultfd.FeatureEventRemap, userfaultfd.EventRemap,
		func(m, place *memory.Mapping) error { return mremap(m.Range(), place.Range().Start) },
		(*memory.Mapping).Range,
		uffdtest.Kinds,
		func(m, place *memory.Mapping, n uint64) userfaultfd.Range { return restInPlace(place, m, n) },
	},
}

func lastPage(m *memory.Mapping) userfaultfd.Range {
	return m.Page(len(m.Bytes())/m.PageSize() - 1)
}

func nothing(*memory.Mapping) userfaultfd.Range { return userfaultfd.Range{} }

func adviseLastPage(m *memory.Mapping, advice int) error {
	return unix.Madvise(m.Bytes()[len(m.Bytes())-m.PageSize():], advice)
}

func restInPlace(m, _ *memory.Mapping, n uint64) userfaultfd.Range {
	return userfaultfd.Range{Start: m.Range().Start + n, Len: m.Range().Len - n}
}

// readChange reads messages until the change's event.
func readChange(t *testing.T, f *userfaultfd.File, c change) {
	t.Helper()
	if msg, _ := event(t, f); msg.Event() != c.event {
		t.Fatalf("got %v, want %v", msg, c.event)
	}
}

// TestChangeWhileFaultIsPending changes the address space while a thread waits
// for a page that the change leaves where it is, and resolves the fault
// afterwards. EventRemap moves that page, so the thread finds nothing.
func TestChangeWhileFaultIsPending(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			uffdtest.EachOf(t, c.on, func(t *testing.T, kind memory.Kind) {
				skipChange(t, c, kind)
				f := uffdtest.Open(t, c.features|uffdtest.Missing(kind))
				m := uffdtest.Map(t, kind, 2)
				place := uffdtest.Map(t, kind, 2)
				uffdtest.Torn[m] = c.gone(m)
				uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
				page := bytes.Repeat([]byte{9}, m.PageSize())
				touched := uffdtest.Touch(m.Page(0), m.PageSize(), false)
				uffdtest.Fault(t, f)
				changed := uffdtest.During(func() error { return c.make(m, place) })
				uffdtest.Eventually(t, "the event", func() bool { return unread(t, f) > 0 })
				n, err := f.Copy(m.Page(0).Start, page, 0)
				fails(t, uint64(n), err, unix.EAGAIN)
				readChange(t, f, c)
				if err := uffdtest.Within(t, "the change", changed); err != nil {
					t.Fatal(err)
				}
				if c.event == userfaultfd.EventRemap {
					f.Wake(m.Page(0))
					if err := uffdtest.Within(t, "the touch", touched); err == nil {
						t.Error("the page that has moved could be touched where it was")
					}
					return
				}
				if _, err := f.Copy(m.Page(0).Start, page, 0); err != nil {
					t.Fatal(err)
				}
				if err := uffdtest.Within(t, "the touch", touched); err != nil {
					t.Fatal(err)
				}
				uffdtest.Filled(t, m.Bytes()[:m.PageSize()], 9)
			})
		})
	}
}

// skipChange skips the test where the kernel cannot change such memory so.
func skipChange(t *testing.T, c change, kind memory.Kind) {
	t.Helper()
	since := map[string]string{"madvise(MADV_DONTNEED)": "5.18", "mremap": "5.16"}[c.name]
	huge := kind == memory.Hugetlb || kind == memory.HugetlbShared
	if huge && sys.ReleaseLess(sys.Release(), since) {
		t.Skipf("%s of hugetlb memory (Linux %s)", c.name, since)
	}
}

// TestChangeWhileFaultIsResolved changes the address space in the middle of a
// Copy, which is to stop, say exactly how far it came, and be carried on after
// the event was read.
func TestChangeWhileFaultIsResolved(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			uffdtest.EachOf(t, c.on, func(t *testing.T, kind memory.Kind) {
				skipChange(t, c, kind)
				f := uffdtest.Open(t, c.features|uffdtest.Missing(kind))
				m := uffdtest.Map(t, kind, heldPagesOf(kind))
				place := uffdtest.Map(t, kind, heldPagesOf(kind))
				uffdtest.Torn[m] = c.gone(m)
				uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
				touched := uffdtest.Touch(m.Page(0), m.PageSize(), false)
				uffdtest.Fault(t, f)
				held := holdCopy(t, f, m.Range().Start, kind)
				changed := uffdtest.During(func() error { return c.make(m, place) })
				uffdtest.Eventually(t, "the event", func() bool { return unread(t, f) > 0 })
				n := held.letGo(t)
				readChange(t, f, c)
				if err := uffdtest.Within(t, "the change", changed); err != nil {
					t.Fatal(err)
				}
				rest := c.rest(m, place, uint64(n))
				if more, err := f.Copy(rest.Start, held.src[n:n+int(rest.Len)], 0); uint64(more) != rest.Len || err != nil {
					t.Fatalf("Copy of the rest: %d, %v; want %d", more, err, rest.Len)
				}
				there := m.Bytes()
				if c.event == userfaultfd.EventRemap {
					there = place.Bytes()
				}
				uffdtest.Filled(t, there[:n+int(rest.Len)], heldByte)
				// The thread was woken by the first Copy; after mremap it finds
				// nothing.
				if err := uffdtest.Within(t, "the touch", touched); err != nil && c.event != userfaultfd.EventRemap {
					t.Fatal(err)
				}
			})
		})
	}
}

// A heldCopy is a Copy of heldPagesOf pages that waits in the middle: the page
// of its source that it has come to is missing, and registered with a
// userfaultfd of ours.
type heldCopy struct {
	src    []byte
	source *userfaultfd.File
	at     userfaultfd.Range // in the source
	whole  int               // bytes that are copied before
	n      int
	done   <-chan error
}

const (
	heldPages = 32 // long enough for a Copy that lets other goroutines run
	heldByte  = 0xab
)

// heldPagesOf returns of how many pages a heldCopy is.
func heldPagesOf(kind memory.Kind) int {
	if kind == memory.Hugetlb || kind == memory.HugetlbShared {
		return 3 // there are few
	}
	return heldPages
}

// holdCopy begins one into missing memory of a kind, and returns when it waits,
// in the second page.
func holdCopy(t *testing.T, f *userfaultfd.File, dst uint64, kind memory.Kind) *heldCopy {
	t.Helper()
	source := uffdtest.Open(t, 0)
	page := memory.PageSize(kind)
	m := uffdtest.Map(t, memory.Anonymous, heldPagesOf(kind)*page/os.Getpagesize())
	hole := page / m.PageSize()
	h := &heldCopy{src: m.Bytes(), source: source, at: m.Page(hole), whole: page}
	if _, err := source.Register(h.at, userfaultfd.RegisterMissing); err != nil {
		t.Fatal(err)
	}
	for i := range len(h.src) / m.PageSize() {
		if i != hole {
			copy(h.src[i*m.PageSize():(i+1)*m.PageSize()], bytes.Repeat([]byte{heldByte}, m.PageSize()))
		}
	}
	h.done = uffdtest.During(func() (err error) {
		h.n, err = f.Copy(dst, h.src, 0)
		return err
	})
	if p := uffdtest.Fault(t, source); p.Address != h.at.Start {
		t.Fatalf("Copy waits for %#x, want %#x", p.Address, h.at.Start)
	}
	return h
}

// provide puts the page in place.
func (h *heldCopy) provide(t *testing.T) {
	t.Helper()
	if _, err := h.source.Copy(h.at.Start, bytes.Repeat([]byte{heldByte}, int(h.at.Len)), 0); err != nil {
		t.Fatal(err)
	}
}

// letGo provides the page. Copy is to find that the address space is changing,
// and to have done what it had done before.
func (h *heldCopy) letGo(t *testing.T) int {
	t.Helper()
	h.provide(t)
	err := uffdtest.Within(t, "Copy", h.done)
	var e *userfaultfd.Error
	if h.n != h.whole || !errors.Is(err, unix.EAGAIN) || !errors.As(err, &e) || e.Done != uint64(h.whole) {
		t.Fatalf("Copy: %d, %v; want %d and EAGAIN", h.n, err, h.whole)
	}
	return h.n
}
