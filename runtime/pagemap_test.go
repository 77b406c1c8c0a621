package userfaultfd_test

import (
	"errors"
	"io"
	"slices"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// openPagemap opens this process's page tables.
func openPagemap(t testing.TB) *userfaultfd.Pagemap {
	t.Helper()
	p, err := userfaultfd.OpenPagemap(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestScanWritten(t *testing.T) {
	eachMemory(t, func(t *testing.T, kind userfaultfd.Memory) {
		f := open(t, userfaultfd.FeatureWPAsync|protectable(kind))
		m := mapMemory(t, kind, 8)
		register(t, f, m, userfaultfd.RegisterWP)
		write := func(pages ...int) {
			for _, i := range pages {
				m.Bytes()[i*m.PageSize()]++ // no message is sent, so Go may touch it
			}
		}
		write(0, 1, 2, 3, 4, 5, 6, 7)
		if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
			t.Fatal(err)
		}
		if got := scanned(t, userfaultfd.ScanWritten(m.Range(), false)); len(got) != 0 {
			t.Errorf("written after protecting: %v, want none", got)
		}
		write(1, 2, 4, 7)
		want := []userfaultfd.Range{{Start: m.Page(1).Start, Len: 2 * m.Page(1).Len}, m.Page(4), m.Page(7)}
		if got := scanned(t, userfaultfd.ScanWritten(m.Range(), true)); !slices.Equal(got, want) {
			t.Errorf("written: %v, want %v", got, want)
		}
		if got := scanned(t, userfaultfd.ScanWritten(m.Range(), true)); len(got) != 0 {
			t.Errorf("written after the reset: %v, want none", got)
		}
		write(3)
		if got := scanned(t, userfaultfd.ScanWritten(m.Range(), true)); !slices.Equal(got, []userfaultfd.Range{m.Page(3)}) {
			t.Errorf("written: %v, want %v", got, m.Page(3))
		}
	})
	t.Run("with a reset is EPERM on memory that is not registered for it", func(t *testing.T) {
		open(t, userfaultfd.FeatureWPAsync)
		m := mapMemory(t, userfaultfd.Anonymous, 1)
		m.Bytes()[0] = 1
		p := openPagemap(t)
		s := userfaultfd.ScanWritten(m.Range(), true)
		if _, _, err := p.Scan(&s, make([]userfaultfd.PageRegion, 1)); !errors.Is(err, unix.EPERM) {
			t.Errorf("got %v, want EPERM", err)
		}
	})
	t.Run("stops after MaxPages and says where", func(t *testing.T) {
		f := open(t, userfaultfd.FeatureWPAsync)
		m := mapMemory(t, userfaultfd.Anonymous, 4)
		register(t, f, m, userfaultfd.RegisterWP)
		for i := range 4 {
			m.Bytes()[i*m.PageSize()] = 1
		}
		p := openPagemap(t)
		s := userfaultfd.ScanWritten(m.Range(), false)
		s.MaxPages = 3
		regions := make([]userfaultfd.PageRegion, 4)
		n, next, err := p.Scan(&s, regions)
		if err != nil || n != 1 || next != m.Page(3).Start || regions[0].Range().Len != 3*m.Page(0).Len {
			t.Errorf("Scan: %d regions, next %#x, %v; first %v", n, next, err, regions[0].Range())
		}
	})
	t.Run("fails after Close", func(t *testing.T) {
		p, err := userfaultfd.OpenPagemap(0)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		var s userfaultfd.Scan
		if _, _, err := p.Scan(&s, nil); err == nil {
			t.Error("no error")
		}
		if p.Close() == nil {
			t.Error("closing twice is no error")
		}
	})
}

// dirtied returns memory of so many pages, of which every stride-th is written,
// on a userfaultfd that tracks writing.
func dirtied(t *testing.T, kind userfaultfd.Memory, pages, stride int) *userfaultfd.Mapping {
	t.Helper()
	f := open(t, userfaultfd.FeatureWPAsync|protectable(kind))
	m := mapMemory(t, kind, pages)
	register(t, f, m, userfaultfd.RegisterWP)
	if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < pages; i += stride {
		m.Bytes()[i*m.PageSize()]++
	}
	return m
}

func TestWalkerEnds(t *testing.T) {
	walk := func(s userfaultfd.Scan, buf int) (bytes uint64, err error) {
		w := userfaultfd.NewWalker(openPagemap(t), s, make([]userfaultfd.PageRegion, buf))
		for w.Next() {
			bytes += w.Region().Range().Len
		}
		return bytes, w.Err()
	}
	t.Run("with what was found before an error, and is protected already", func(t *testing.T) {
		f := open(t, userfaultfd.FeatureWPAsync)
		m := mapMemory(t, userfaultfd.Anonymous, 16)
		half := userfaultfd.Range{Start: m.Range().Start, Len: m.Range().Len / 2}
		if _, err := f.Register(half, userfaultfd.RegisterWP); err != nil {
			t.Fatal(err)
		}
		if err := f.WriteProtect(half, userfaultfd.WriteProtectWP); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 16; i += 2 {
			m.Bytes()[i*m.PageSize()]++
		}
		got, err := walk(userfaultfd.ScanWritten(m.Range(), true), 3)
		if want := 4 * uint64(m.PageSize()); got != want || !errors.Is(err, unix.EPERM) {
			t.Errorf("%d bytes, %v; want %d and EPERM", got, err, want)
		}
	})
	t.Run("after MaxPages, however small the buffer", func(t *testing.T) {
		m := dirtied(t, userfaultfd.Anonymous, 16, 2)
		s := userfaultfd.ScanWritten(m.Range(), false)
		s.MaxPages = 5
		if got, err := walk(s, 2); got != 5*uint64(m.PageSize()) || err != nil {
			t.Errorf("%d bytes, %v; want 5 pages", got, err)
		}
	})
	t.Run("with ErrNoProgress at a huge page that MaxPages has no room for", func(t *testing.T) {
		m := dirtied(t, userfaultfd.HugetlbShared, 1, 1)
		s := userfaultfd.ScanWritten(m.Range(), true)
		s.MaxPages = 1
		if got, err := walk(s, 8); got != 0 || !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("%d bytes, %v; want 0 and ErrNoProgress", got, err)
		}
		s.MaxPages = 0
		if got, err := walk(s, 8); got != m.Range().Len || err != nil {
			t.Errorf("%d bytes, %v; want %d", got, err, m.Range().Len)
		}
	})
	t.Run("at once without room for a region, and protects nothing", func(t *testing.T) {
		m := dirtied(t, userfaultfd.Anonymous, 4, 1)
		if got, err := walk(userfaultfd.ScanWritten(m.Range(), true), 0); got != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d bytes, %v; want 0 and EINVAL", got, err)
		}
		if got, err := walk(userfaultfd.ScanWritten(m.Range(), true), 1); got != m.Range().Len || err != nil {
			t.Errorf("%d bytes, %v; want %d", got, err, m.Range().Len)
		}
	})
}

// TestScanCategories looks for pages by each of a scan's three masks.
func TestScanCategories(t *testing.T) {
	p := openPagemap(t)
	m := mapMemory(t, userfaultfd.Anonymous, 3)
	m.Bytes()[0] = 1               // present
	sink = m.Bytes()[m.PageSize()] // present, and the page of zeros
	for _, test := range []struct {
		name string
		scan userfaultfd.Scan
		want []userfaultfd.Range
	}{
		{"Mask wants all", userfaultfd.Scan{Mask: userfaultfd.PageIsPresent | userfaultfd.PageIsPFNZero}, []userfaultfd.Range{m.Page(1)}},
		{"AnyOf wants one", userfaultfd.Scan{AnyOf: userfaultfd.PageIsSwapped | userfaultfd.PageIsPFNZero}, []userfaultfd.Range{m.Page(1)}},
		{"Inverted turns one round", userfaultfd.Scan{Mask: userfaultfd.PageIsPresent | userfaultfd.PageIsPFNZero, Inverted: userfaultfd.PageIsPFNZero}, []userfaultfd.Range{m.Page(0)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.scan
			s.Range, s.Return = m.Range(), userfaultfd.PageIsPresent|userfaultfd.PageIsPFNZero
			regions := make([]userfaultfd.PageRegion, 4)
			n, next, err := p.Scan(&s, regions)
			skipUnsupported(t, err)
			var got []userfaultfd.Range
			for _, r := range regions[:n] {
				got = append(got, r.Range())
				if r.Categories()&userfaultfd.PageIsPresent == 0 {
					t.Errorf("%v has the categories %v", r.Range(), r.Categories())
				}
			}
			if err != nil || next != m.Range().End() || !slices.Equal(got, test.want) {
				t.Errorf("%v, next %#x, %v; want %v", got, next, err, test.want)
			}
		})
	}
}

// TestScanOfAnotherProcess finds a page that was put into a child's memory.
func TestScanOfAnotherProcess(t *testing.T) {
	k := newForker(t, userfaultfd.Anonymous, 4)
	page := userfaultfd.Range{Start: k.memory.Start + k.memory.Len/2, Len: k.memory.Len / 4}
	if _, err := k.file.Copy(page.Start, make([]byte, page.Len), 0); err != nil {
		t.Fatal(err)
	}
	p, err := userfaultfd.OpenPagemap(k.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := userfaultfd.Scan{Range: k.memory, Mask: userfaultfd.PageIsPresent, Return: userfaultfd.PageIsPresent}
	regions := make([]userfaultfd.PageRegion, 4)
	n, _, err := p.Scan(&s, regions)
	skipUnsupported(t, err)
	if err != nil || n != 1 || regions[0].Range() != page {
		t.Errorf("%d regions, first %v, %v; want %v", n, regions[0].Range(), err, page)
	}
	k.orders.Close() // ends it
	k.obeyedEnd(t)
	if n, _, err := p.Scan(&s, regions); n != 0 || err != nil && !errors.Is(err, unix.ESRCH) {
		t.Errorf("after its end: %d regions, %v; want none", n, err)
	}
	if _, err := userfaultfd.OpenPagemap(1 << 30); !errors.Is(err, unix.ENOENT) {
		t.Errorf("of no process: %v, want ENOENT", err)
	}
}
