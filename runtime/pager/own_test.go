package pager

import (
	"errors"
	"os"
	"testing"
	"unsafe"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

func TestOwnMemoryIsRefused(t *testing.T) {
	opened := func(t *testing.T) *userfaultfd.File {
		return uffdtest.OpenConfig(t, userfaultfd.Config{Optional: userfaultfd.FeaturePoison})
	}
	for name, get := range map[string]func(t *testing.T) *userfaultfd.File{
		"opened here": opened,
		"sent to itself": func(t *testing.T) *userfaultfd.File {
			a, b := uffdtest.Socketpair(t, unix.SOCK_STREAM)
			if err := opened(t).SendTo(a, nil); err != nil {
				t.Fatal(err)
			}
			f, _, err := userfaultfd.ReceiveFrom(b, make([]byte, 1))
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
		"of a duplicate": func(t *testing.T) *userfaultfd.File {
			file, err := opened(t).Dup()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			f, err := userfaultfd.FromFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := get(t)
			defer f.Close()
			m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
				t.Fatal(err)
			}
			before := uffdtest.CountResources(t)
			cfg := Config{Regions: []Region{{Range: m.Range(), Source: pattern{}}}, NoPoison: LeaveWaiting}
			if p, err := New(f, cfg); !errors.Is(err, ErrOwnMemory) {
				t.Errorf("New: %v, %v, want ErrOwnMemory", p, err)
			}
			before.WantNoMore(t, uffdtest.Resources{"goroutines": 10, "threads": 10})
			if _, err := f.Copy(m.Range().Start, make([]byte, m.Range().Len), 0); err != nil {
				t.Errorf("it is the caller's still: %v", err)
			}
		})
	}
}

// A child's userfaultfd comes out of its parent's, at the same addresses, and
// has been in no other process than this one.
func TestForkedChildIsNotOwnMemory(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	done := s.begin("fork read 2 1")
	msgs := make([]userfaultfd.Msg, 1)
	if n, err := s.file.Read(msgs); err != nil || n != 1 || msgs[0].Event() != userfaultfd.EventFork {
		t.Fatalf("%d messages, %v, %v", n, &msgs[0], err)
	}
	child, err := msgs[0].Fork().File()
	if err != nil {
		t.Fatal(err)
	}
	parent := s.file
	t.Cleanup(func() { parent.Close() })
	s.file = child
	s.serve(Config{Regions: s.region(pattern{})})
	if got := s.result(done, "the child's read"); got != offsets(2*os.Getpagesize()) {
		t.Errorf("the child reads %s", got)
	}
}

// Another process has registered memory at the address that the question is
// about. It is not taken for ours, and nothing happens to it.
func TestMemoryAtTheSameAddressIsNotOurs(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	page := os.Getpagesize()
	at, err := unix.MmapPtr(-1, 0, unsafe.Add(nil, uintptr(s.memory.Range.Start)), uintptr(page), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE)
	if err != nil {
		t.Skip("this process has something else there: ", err)
	}
	defer unix.MunmapPtr(at, uintptr(page))
	unreadable, err := unix.Mmap(-1, 0, page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(unreadable)
	ours := uffdtest.OpenConfig(t, userfaultfd.Config{})
	r := userfaultfd.Range{Start: s.memory.Range.Start, Len: uint64(page)}
	if follows(s.file, ours, r, unreadable) {
		t.Error("another process's memory was taken for ours")
	}
	if !follows(ours, uffdtest.OpenConfig(t, userfaultfd.Config{}), r, unreadable) {
		t.Error("our memory was not taken for ours")
	}
	s.serve(Config{Regions: s.region(pattern{})})
	s.want(offsets(0, page), "read 0 2")
}

// Memory can be where nothing is asked for, to learn whether the kernel owes events.
func TestServedMemoryWhereNothingIsAskedFor(t *testing.T) {
	page := os.Getpagesize()
	at, err := unix.MmapPtr(-1, 0, unsafe.Add(nil, uintptr(nowhere)), uintptr(page), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED_NOREPLACE)
	if err != nil {
		t.Skip("this process has something else there: ", err)
	}
	defer unix.MunmapPtr(at, uintptr(page))
	f := uffdtest.OpenConfig(t, userfaultfd.Config{Features: userfaultfd.FeatureEventRemove})
	r := userfaultfd.Range{Start: nowhere, Len: uint64(page)}
	if _, err := f.Register(r, userfaultfd.RegisterMissing); err != nil {
		t.Fatal(err)
	}
	p, err := newPager(f, Config{Regions: []Region{{Range: r}}, NoPoison: LeaveWaiting})
	if err != nil {
		t.Fatal(err)
	}
	if p.owesEvents() {
		t.Fatal("the kernel owes events, and there are none")
	}
	discarded := make(chan error, 1)
	go func() { discarded <- unix.Madvise(unsafe.Slice((*byte)(at), page), unix.MADV_DONTNEED) }()
	uffdtest.Eventually(t, "an event", p.owesEvents)
	p.round()
	if err := <-discarded; err != nil {
		t.Fatal(err)
	}
	uffdtest.Eventually(t, "the end of it", func() bool { return !p.owesEvents() })
}
