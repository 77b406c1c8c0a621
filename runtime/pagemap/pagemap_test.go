package pagemap_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"github.com/zuffd/uffd/runtime/pagemap"
	"golang.org/x/sys/unix"
)

// openPagemap opens this process's page tables.
func openPagemap(t testing.TB) *pagemap.Pagemap {
	t.Helper()
	p, err := pagemap.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestScanWritten(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		f := uffdtest.Open(t, userfaultfd.FeatureWPAsync|uffdtest.Protectable(kind))
		m := uffdtest.Map(t, kind, 8)
		uffdtest.Register(t, f, m, userfaultfd.RegisterWP)
		write := func(pages ...int) {
			for _, i := range pages {
				m.Bytes()[i*m.PageSize()]++ // no message is sent, so Go may touch it
			}
		}
		write(0, 1, 2, 3, 4, 5, 6, 7)
		if err := f.WriteProtect(m.Range()); err != nil {
			t.Fatal(err)
		}
		if got := scanned(t, pagemap.Written(m.Range(), false)); len(got) != 0 {
			t.Errorf("written after protecting: %v, want none", got)
		}
		write(1, 2, 4, 7)
		want := []userfaultfd.Range{{Start: m.Page(1).Start, Len: 2 * m.Page(1).Len}, m.Page(4), m.Page(7)}
		if got := scanned(t, pagemap.Written(m.Range(), true)); !slices.Equal(got, want) {
			t.Errorf("written: %v, want %v", got, want)
		}
		if got := scanned(t, pagemap.Written(m.Range(), true)); len(got) != 0 {
			t.Errorf("written after the reset: %v, want none", got)
		}
		write(3)
		if got := scanned(t, pagemap.Written(m.Range(), true)); !slices.Equal(got, []userfaultfd.Range{m.Page(3)}) {
			t.Errorf("written: %v, want %v", got, m.Page(3))
		}
	})
	t.Run("with a reset is EPERM on memory that is not registered for it", func(t *testing.T) {
		uffdtest.Open(t, userfaultfd.FeatureWPAsync)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		m.Bytes()[0] = 1
		p := openPagemap(t)
		s := pagemap.Written(m.Range(), true)
		if _, _, err := p.Scan(&s, make([]pagemap.Region, 1)); !errors.Is(err, unix.EPERM) {
			t.Errorf("got %v, want EPERM", err)
		}
	})
	t.Run("stops after MaxPages and says where", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeatureWPAsync)
		m := uffdtest.Map(t, memory.Anonymous, 4)
		uffdtest.Register(t, f, m, userfaultfd.RegisterWP)
		for i := range 4 {
			m.Bytes()[i*m.PageSize()] = 1
		}
		p := openPagemap(t)
		s := pagemap.Written(m.Range(), false)
		s.MaxPages = 3
		regions := make([]pagemap.Region, 4)
		n, next, err := p.Scan(&s, regions)
		if err != nil || n != 1 || next != m.Page(3).Start || regions[0].Range().Len != 3*m.Page(0).Len {
			t.Errorf("Scan: %d regions, next %#x, %v; first %v", n, next, err, regions[0].Range())
		}
	})
	t.Run("fails after Close", func(t *testing.T) {
		p, err := pagemap.Open(0)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		var s pagemap.Scan
		if _, _, err := p.Scan(&s, nil); err == nil {
			t.Error("no error")
		}
		if p.Close() == nil {
			t.Error("closing twice is no error")
		}
	})
}

func TestAccessed(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		f := uffdtest.Open(t, userfaultfd.FeatureRWP|userfaultfd.FeatureRWPAsync)
		m := uffdtest.Map(t, kind, 4)
		copy(m.Bytes(), bytes.Repeat([]byte{6}, len(m.Bytes())))
		uffdtest.Register(t, f, m, userfaultfd.RegisterRWP)
		if err := f.RWProtect(m.Range()); err != nil {
			t.Fatal(err)
		}
		access := func(i int) {
			t.Helper()
			if err := uffdtest.Within(t, "the read", uffdtest.Touch(m.Page(i), m.PageSize(), false)); err != nil {
				t.Fatal(err)
			}
		}
		found := func(what string, s pagemap.Scan, want ...userfaultfd.Range) {
			t.Helper()
			got := scanned(t, s)
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", what, got, want)
			}
			for _, r := range got {
				if s.Inverted == 0 {
					if err := f.RWProtect(r); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		access(2)
		found("accessed", pagemap.Accessed(m.Range()), m.Page(2))
		found("accessed after it was protected again", pagemap.Accessed(m.Range()))
		access(0)
		access(2)
		found("accessed after that", pagemap.Accessed(m.Range()), m.Page(0), m.Page(2))
		access(0)
		found("idle", pagemap.Idle(m.Range()), userfaultfd.Range{Start: m.Page(1).Start, Len: 3 * m.Page(0).Len})
		f.Close()
		uffdtest.Filled(t, m.Bytes(), 6)
	})
}

// dirtied returns memory of so many pages, of which every stride-th is written,
// on a userfaultfd that tracks writing.
func dirtied(t *testing.T, kind memory.Kind, pages, stride int) *memory.Mapping {
	t.Helper()
	f := uffdtest.Open(t, userfaultfd.FeatureWPAsync|uffdtest.Protectable(kind))
	m := uffdtest.Map(t, kind, pages)
	uffdtest.Register(t, f, m, userfaultfd.RegisterWP)
	if err := f.WriteProtect(m.Range()); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < pages; i += stride {
		m.Bytes()[i*m.PageSize()]++
	}
	return m
}

func TestWalkEnds(t *testing.T) {
	walk := func(s pagemap.Scan, buf int) (bytes uint64, err error) {
		for region, err := range openPagemap(t).Walk(s, make([]pagemap.Region, buf)) {
			if err != nil {
				return bytes, err
			}
			bytes += region.Range().Len
		}
		return bytes, nil
	}
	t.Run("with what was found before an error, and is protected already", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeatureWPAsync)
		m := uffdtest.Map(t, memory.Anonymous, 16)
		half := userfaultfd.Range{Start: m.Range().Start, Len: m.Range().Len / 2}
		if _, err := f.Register(half, userfaultfd.RegisterWP); err != nil {
			t.Fatal(err)
		}
		if err := f.WriteProtect(half); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 16; i += 2 {
			m.Bytes()[i*m.PageSize()]++
		}
		got, err := walk(pagemap.Written(m.Range(), true), 3)
		if want := 4 * uint64(m.PageSize()); got != want || !errors.Is(err, unix.EPERM) {
			t.Errorf("%d bytes, %v; want %d and EPERM", got, err, want)
		}
	})
	t.Run("after MaxPages, however small the buffer", func(t *testing.T) {
		m := dirtied(t, memory.Anonymous, 16, 2)
		s := pagemap.Written(m.Range(), false)
		s.MaxPages = 5
		if got, err := walk(s, 2); got != 5*uint64(m.PageSize()) || err != nil {
			t.Errorf("%d bytes, %v; want 5 pages", got, err)
		}
	})
	t.Run("with ErrNoProgress at a huge page that MaxPages has no room for", func(t *testing.T) {
		m := dirtied(t, memory.HugetlbShared, 1, 1)
		s := pagemap.Written(m.Range(), true)
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
		m := dirtied(t, memory.Anonymous, 4, 1)
		if got, err := walk(pagemap.Written(m.Range(), true), 0); got != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d bytes, %v; want 0 and EINVAL", got, err)
		}
		if got, err := walk(pagemap.Written(m.Range(), true), 1); got != m.Range().Len || err != nil {
			t.Errorf("%d bytes, %v; want %d", got, err, m.Range().Len)
		}
	})
}

// TestWalkStops leaves a walk before its end.
func TestWalkStops(t *testing.T) {
	m := dirtied(t, memory.Anonymous, 8, 2)
	seen := 0
	for _, err := range openPagemap(t).Walk(pagemap.Written(m.Range(), false), make([]pagemap.Region, 1)) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 2 {
			break
		}
	}
	if seen != 2 {
		t.Errorf("%d regions, want 2", seen)
	}
}

func TestNothingAllocates(t *testing.T) {
	m := dirtied(t, memory.Anonymous, 16, 2)
	p := openPagemap(t)
	buf := make([]pagemap.Region, 3)
	allocs := testing.AllocsPerRun(100, func() {
		pages := 0
		for region, err := range p.Walk(pagemap.Written(m.Range(), false), buf) {
			if err != nil {
				t.Fatal(err)
			}
			pages += int(region.Range().Len) / m.PageSize()
		}
		if pages != 8 {
			t.Fatalf("%d pages, want 8", pages)
		}
	})
	if allocs != 0 {
		t.Errorf("a walk makes %v allocations, want 0", allocs)
	}
}

// TestScanCategories looks for pages by each of a scan's three masks.
func TestScanCategories(t *testing.T) {
	p := openPagemap(t)
	m := uffdtest.Map(t, memory.Anonymous, 3)
	m.Bytes()[0] = 1               // present
	sink = m.Bytes()[m.PageSize()] // present, and the page of zeros
	for _, test := range []struct {
		name string
		scan pagemap.Scan
		want []userfaultfd.Range
	}{
		{"Mask wants all", pagemap.Scan{Mask: pagemap.IsPresent | pagemap.IsPFNZero}, []userfaultfd.Range{m.Page(1)}},
		{"AnyOf wants one", pagemap.Scan{AnyOf: pagemap.IsSwapped | pagemap.IsPFNZero}, []userfaultfd.Range{m.Page(1)}},
		{"Inverted turns one round", pagemap.Scan{Mask: pagemap.IsPresent | pagemap.IsPFNZero, Inverted: pagemap.IsPFNZero}, []userfaultfd.Range{m.Page(0)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.scan
			s.Range, s.Return = m.Range(), pagemap.IsPresent|pagemap.IsPFNZero
			regions := make([]pagemap.Region, 4)
			n, next, err := p.Scan(&s, regions)
			uffdtest.SkipUnsupported(t, err)
			var got []userfaultfd.Range
			for _, r := range regions[:n] {
				got = append(got, r.Range())
				if r.Categories()&pagemap.IsPresent == 0 {
					t.Errorf("%v has the categories %v", r.Range(), r.Categories())
				}
			}
			if err != nil || next != m.Range().End() || !slices.Equal(got, test.want) {
				t.Errorf("%v, next %#x, %v; want %v", got, next, err, test.want)
			}
		})
	}
}

// scanned returns the ranges that a scan of this process finds.
func scanned(t *testing.T, s pagemap.Scan) []userfaultfd.Range {
	t.Helper()
	p := openPagemap(t)
	var all []userfaultfd.Range
	for region, err := range p.Walk(s, make([]pagemap.Region, 2)) { // small, so that it has to go on
		uffdtest.SkipUnsupported(t, err)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, region.Range())
	}
	return all
}

// sink keeps what tests read.
var sink byte
