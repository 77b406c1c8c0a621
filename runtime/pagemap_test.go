package userfaultfd_test

import (
	"errors"
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
