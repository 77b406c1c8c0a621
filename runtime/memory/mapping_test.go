package memory_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

func TestMap(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		m := uffdtest.Map(t, kind, 2)
		if m.Kind() != kind || m.PageSize() != memory.PageSize(kind) || len(m.Bytes()) != 2*m.PageSize() {
			t.Errorf("%v of %d bytes in pages of %d", m.Kind(), len(m.Bytes()), m.PageSize())
		}
		if r := m.Range(); r.Start%uint64(m.PageSize()) != 0 || r.Len != uint64(len(m.Bytes())) || m.Page(1).End() != r.End() {
			t.Errorf("range %v, page 1 %v", r, m.Page(1))
		}
		uffdtest.Filled(t, m.Bytes(), 0)
		m.Bytes()[len(m.Bytes())-1] = 1
		shared := kind == memory.Shmem || kind == memory.HugetlbShared
		alias, err := m.Alias()
		if !shared {
			if !errors.Is(err, unix.EINVAL) || m.File() != nil {
				t.Errorf("an alias of private memory: %v, want EINVAL", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer alias.Close()
		if alias.Bytes()[len(alias.Bytes())-1] != 1 || alias.Range() == m.Range() {
			t.Error("the alias shows other memory, or is no other mapping")
		}
	})
	t.Run("aligns to a larger page", func(t *testing.T) {
		const large = 4 << 20
		m, err := memory.Map(memory.Anonymous, 3*os.Getpagesize(), large)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if m.Range().Start%large != 0 || m.PageSize() != os.Getpagesize() {
			t.Errorf("at %v, in pages of %d", m.Range(), m.PageSize())
		}
		uffdtest.Filled(t, m.Bytes(), 0)
	})
	t.Run("aligns an alias as the mapping", func(t *testing.T) {
		const large = 4 << 20
		m, err := memory.Map(memory.Shmem, os.Getpagesize(), large)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		alias, err := m.Alias()
		if err != nil {
			t.Fatal(err)
		}
		defer alias.Close()
		if alias.Range().Start%large != 0 {
			t.Errorf("at %v", alias.Range())
		}
	})
	t.Run("has no page outside it", func(t *testing.T) {
		m := uffdtest.Map(t, memory.Anonymous, 2)
		for _, i := range []int{-1, 2} {
			if got := m.Page(i); got != (userfaultfd.Range{}) {
				t.Errorf("Page(%d): %v", i, got)
			}
		}
	})
	t.Run("unmaps all of it, once", func(t *testing.T) {
		for _, align := range []int{0, 1 << 20} {
			m, err := memory.Map(memory.Shmem, os.Getpagesize(), align)
			if err != nil {
				t.Fatal(err)
			}
			r := m.Range()
			if !isMapped(t, r) {
				t.Error("the memory is not mapped")
			}
			for range 2 {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
			if m.Bytes() != nil {
				t.Error("there are bytes after Close")
			}
			if isMapped(t, r) {
				t.Error("the memory is still mapped")
			}
			if _, err := m.Alias(); !errors.Is(err, unix.EINVAL) {
				t.Errorf("Alias after Close: %v, want EINVAL", err)
			}
		}
	})
	t.Run("may be larger than what the machine has", func(t *testing.T) {
		var info unix.Sysinfo_t
		if err := unix.Sysinfo(&info); err != nil {
			t.Fatal(err)
		}
		more := 2 * (uint64(info.Totalram) + uint64(info.Totalswap)) * uint64(info.Unit)
		if mode, _ := os.ReadFile("/proc/sys/vm/overcommit_memory"); strconv.IntSize == 32 || bytes.HasPrefix(mode, []byte("2")) {
			t.Skip("the address space is smaller, or vm.overcommit_memory is 2")
		}
		m, err := memory.Map(memory.Anonymous, int(more)&^(os.Getpagesize()-1), 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
	})
	t.Run("gives back what alignment took", func(t *testing.T) {
		const align, rounds = 16 << 20, 64
		before := virtualMemory(t)
		for range rounds {
			m, err := memory.Map(memory.Anonymous, os.Getpagesize(), align)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if grown := virtualMemory(t) - before; grown > align*rounds/2 {
			t.Errorf("%d bytes are still mapped", grown)
		}
	})
	page := os.Getpagesize()
	for _, test := range []struct {
		name           string
		kind           memory.Kind
		size, pageSize int
	}{
		{"no bytes", memory.Anonymous, 0, 0},
		{"less than no bytes", memory.Shmem, -page, 0},
		{"part of a page", memory.Anonymous, page + 1, 0},
		{"part of a huge page", memory.Hugetlb, page, 0},
		{"a page size that is no power of two", memory.Anonymous, 3 * page, 3 * page},
		{"a page size below the system's", memory.Anonymous, page, page / 2},
		{"an unknown kind of memory", 99, page, 0},
	} {
		t.Run("refuses "+test.name, func(t *testing.T) {
			m, err := memory.Map(test.kind, test.size, test.pageSize)
			if m != nil || !errors.Is(err, unix.EINVAL) {
				t.Errorf("got %v, want EINVAL", err)
			}
		})
	}
}

// virtualMemory returns how many bytes this process has mapped.
func virtualMemory(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages int
	if _, err := fmt.Sscan(string(b), &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

func TestPopulate(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		m := uffdtest.Map(t, kind, 1)
		copy(m.Bytes(), bytes.Repeat([]byte{5}, len(m.Bytes())))
		for _, populate := range []func(userfaultfd.Range) error{memory.PopulateRead, memory.PopulateWrite} {
			err := populate(m.Range())
			uffdtest.SkipUnsupported(t, err)
			if err != nil {
				t.Fatal(err)
			}
			uffdtest.Filled(t, m.Bytes(), 5)
		}
	})
	m := uffdtest.Map(t, memory.Anonymous, 1)
	uffdtest.SkipUnsupported(t, memory.PopulateRead(m.Range()))
	t.Run("of a part of a page is EINVAL", func(t *testing.T) {
		if err := memory.PopulateRead(userfaultfd.Range{Start: m.Range().Start + 1, Len: 8}); !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v, want EINVAL", err)
		}
	})
	if strconv.IntSize == 32 {
		t.Run("of what a program of 32 bits cannot address is EINVAL", func(t *testing.T) {
			r := userfaultfd.Range{Start: m.Range().Start + 1<<32, Len: m.Range().Len}
			if err := memory.Discard(r); !errors.Is(err, unix.EINVAL) {
				t.Errorf("Discard: %v, want EINVAL", err)
			}
		})
	}
	t.Run("goes on after signals", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		done, tid := uffdtest.OnThread(func() error { return memory.PopulateRead(m.Range()) })
		uffdtest.Fault(t, f)
		uffdtest.Disturb(tid)
		uffdtest.Asleep(t, done)
		if _, err := f.Zeropage(m.Range(), 0); err != nil {
			t.Fatal(err)
		}
		if err := uffdtest.Within(t, "populating", done); err != nil {
			t.Error(err)
		}
	})
	t.Run("of what is not mapped is ENOMEM", func(t *testing.T) {
		r := m.Range()
		m.Close()
		if err := memory.PopulateRead(r); !errors.Is(err, unix.ENOMEM) {
			t.Errorf("got %v, want ENOMEM", err)
		}
	})
}

func TestGuard(t *testing.T) {
	m := uffdtest.Map(t, memory.Anonymous, 1)
	t.Run("leaves faults as they were afterwards", func(t *testing.T) {
		for _, was := range []bool{false, true} {
			debug.SetPanicOnFault(was)
			memory.Guard(m.Range(), func() {})
			if is := debug.SetPanicOnFault(false); is != was {
				t.Errorf("faults panic: %v before, %v after", was, is)
			}
		}
	})
	t.Run("lets what is not at fault pass", func(t *testing.T) {
		if err := memory.Guard(m.Range(), func() { m.Bytes()[0]++ }); err != nil {
			t.Error(err)
		}
	})
	t.Run("leaves other panics, and faults elsewhere, panics", func(t *testing.T) {
		other := uffdtest.Map(t, memory.Anonymous, 1)
		if err := unix.Mprotect(other.Bytes(), unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]func(){
			"other memory":    func() { sink = other.Bytes()[0] },
			"a panic":         func() { panic("other") },
			"a nil pointer":   func() { sink = *(*byte)(nil) },
			"a runtime error": func() { var none []byte; sink = none[len(m.Bytes())] },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s was swallowed", name)
					}
				}()
				memory.Guard(m.Range(), f)
			}()
		}
	})
}

// sink keeps what tests read.
var sink byte

// isMapped reports whether memory of a memfd is mapped in r. That something is mapped
// there says nothing: Go's own memory may have come to where there was room.
func isMapped(t *testing.T, r userfaultfd.Range) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		var start, end uint64
		if _, err := fmt.Sscanf(line, "%x-%x ", &start, &end); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if strings.Contains(line, "/memfd:uffd") && start < r.End() && r.Start < end {
			return true
		}
	}
	return false
}
