package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// TestRegister registers every kind of memory in every combination of modes.
func TestRegister(t *testing.T) {
	kernel := uffdtest.Everything(t)
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		for mode := userfaultfd.RegisterMode(1); mode < 16; mode++ {
			t.Run(fmt.Sprintf("as %v", mode), func(t *testing.T) {
				needs := uffdtest.Missing(kind)
				if mode&userfaultfd.RegisterWP != 0 {
					needs |= uffdtest.Protectable(kind)
				}
				if mode&userfaultfd.RegisterMinor != 0 {
					needs |= uffdtest.Minor(kind)
				}
				if mode&userfaultfd.RegisterRWP != 0 {
					needs |= userfaultfd.FeatureRWP
				}
				f := uffdtest.Open(t, needs)
				m := uffdtest.Map(t, kind, 1)
				const both = userfaultfd.RegisterWP | userfaultfd.RegisterRWP
				if kind == memory.Anonymous && mode&userfaultfd.RegisterMinor != 0 || mode&both == both {
					if _, err := f.Register(m.Range(), mode); !errors.Is(err, unix.EINVAL) {
						t.Errorf("got %v, want EINVAL", err)
					}
					return
				}
				got := uffdtest.Register(t, f, m, mode)
				if want := uffdtest.OperationsOn(kind, mode, kernel); got != want {
					t.Errorf("operations %v, want %v", got, want)
				}
				if err := f.Unregister(m.Range()); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// TestMissingAndMinor registers for both: what is in the page cache is a minor
// fault, what is not a missing one.
func TestMissingAndMinor(t *testing.T) {
	for _, kind := range []memory.Kind{memory.Shmem, memory.HugetlbShared} {
		t.Run("on "+kind.String()+" memory", func(t *testing.T) {
			f := uffdtest.Open(t, uffdtest.Minor(kind)|uffdtest.Missing(kind))
			m := uffdtest.Map(t, kind, 2)
			alias, err := m.Alias()
			if err != nil {
				t.Fatal(err)
			}
			defer alias.Close()
			alias.Bytes()[0] = 1
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing|userfaultfd.RegisterMinor)
			cached := uffdtest.Touch(m.Page(0), m.PageSize(), false)
			if p := uffdtest.Fault(t, f); p.Flags != userfaultfd.PagefaultMinor || p.Address != m.Page(0).Start {
				t.Errorf("fault at %#x with flags %v, want MINOR", p.Address, p.Flags)
			}
			if _, err := f.Continue(m.Page(0), 0); err != nil {
				t.Fatal(err)
			}
			if err := uffdtest.Within(t, "the touch", cached); err != nil {
				t.Fatal(err)
			}
			absent := uffdtest.Touch(m.Page(1), m.PageSize(), true)
			if p := uffdtest.Fault(t, f); p.Flags != userfaultfd.PagefaultWrite || p.Address != m.Page(1).Start {
				t.Errorf("fault at %#x with flags %v, want WRITE", p.Address, p.Flags)
			}
			if _, err := f.Copy(m.Page(1).Start, bytes.Repeat([]byte{2}, m.PageSize()), 0); err != nil {
				t.Fatal(err)
			}
			if err := uffdtest.Within(t, "the touch", absent); err != nil {
				t.Fatal(err)
			}
			if m.Bytes()[0] != 1 || alias.Bytes()[m.PageSize()] != 2 {
				t.Error("the two mappings do not show the same memory")
			}
		})
	}
}

// TestRegisterAgain narrows a registration, which takes no mode away: newer
// kernels refuse it.
func TestRegisterAgain(t *testing.T) {
	f := uffdtest.Open(t, userfaultfd.FeaturePagefaultFlagWP)
	m := uffdtest.Map(t, memory.Anonymous, 1)
	m.Bytes()[0] = 1
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing|userfaultfd.RegisterWP)
	_, err := f.Register(m.Range(), userfaultfd.RegisterMissing)
	if want := !sys.ReleaseLess(sys.Release(), "7.3"); errors.Is(err, unix.EBUSY) != want || !want && err != nil {
		t.Errorf("Register in fewer modes: %v, want EBUSY %v", err, want)
	}
	if err := f.WriteProtect(m.Range()); err != nil {
		t.Errorf("write protection does not work any more: %v", err)
	}
}

// TestRegisterPassesOverHoles registers a range whose middle is not mapped.
func TestRegisterPassesOverHoles(t *testing.T) {
	f := uffdtest.Open(t, 0)
	m := uffdtest.Map(t, memory.Anonymous, 3)
	uffdtest.Torn[m] = m.Page(1)
	if err := uffdtest.Munmap(m.Page(1)); err != nil {
		t.Fatal(err)
	}
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	for _, i := range []int{0, 2} {
		if _, err := f.Zeropage(m.Page(i), 0); err != nil {
			t.Errorf("page %d: %v", i, err)
		}
	}
}

// TestUnregister checks what is left of a registration: nothing.
func TestUnregister(t *testing.T) {
	f := uffdtest.Open(t, 0)
	m := uffdtest.Map(t, memory.Anonymous, 2)
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	first, second := uffdtest.Touch(m.Page(0), m.PageSize(), false), uffdtest.Touch(m.Page(1), m.PageSize(), false)
	uffdtest.Fault(t, f)
	uffdtest.Fault(t, f)
	if err := f.Unregister(m.Page(0)); err != nil {
		t.Fatal(err)
	}
	if err := uffdtest.Within(t, "the touch of what is not registered any more", first); err != nil {
		t.Fatal(err)
	}
	uffdtest.Asleep(t, second)
	if err := f.Unregister(m.Range()); err != nil {
		t.Fatal(err)
	}
	if err := uffdtest.Within(t, "the other touch", second); err != nil {
		t.Fatal(err)
	}
	uffdtest.Filled(t, m.Bytes(), 0)
}

// TestSigbusFeature has the kernel answer missing pages with a signal instead
// of a message.
func TestSigbusFeature(t *testing.T) {
	f := uffdtest.Open(t, userfaultfd.FeatureSigbus)
	m := uffdtest.Map(t, memory.Anonymous, 2)
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	if err := memory.Guard(m.Range(), func() { sink = m.Bytes()[3] }); err == nil {
		t.Error("a missing page could be read")
	}
	if err := uffdtest.TouchNow(m.Page(1), m.PageSize(), false); !errors.Is(err, unix.EFAULT) {
		t.Errorf("touching through the kernel: %v, want EFAULT", err)
	}
	if n := unread(t, f); n != 0 {
		t.Error("there is a message")
	}
	if _, err := f.Copy(m.Range().Start, bytes.Repeat([]byte{6}, len(m.Bytes())), 0); err != nil {
		t.Fatal(err)
	}
	uffdtest.Filled(t, m.Bytes(), 6)
}

// TestProtectMissingPages write-protects pages that are not there.
func TestProtectMissingPages(t *testing.T) {
	protect := func(t *testing.T, kind memory.Kind, features userfaultfd.Features) (*userfaultfd.File, *memory.Mapping) {
		f := uffdtest.Open(t, uffdtest.Protectable(kind)|uffdtest.Missing(kind)|features)
		m := uffdtest.Map(t, kind, 1)
		uffdtest.Register(t, f, m, userfaultfd.RegisterWP)
		if err := f.WriteProtect(m.Range()); err != nil {
			t.Fatal(err)
		}
		return f, m
	}
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		features := userfaultfd.Features(0)
		if kind == memory.Anonymous {
			features = userfaultfd.FeatureWPUnpopulated
		}
		f, m := protect(t, kind, features)
		writeFaults(t, f, m)
	})
	t.Run("has no effect on anonymous memory without FeatureWPUnpopulated", func(t *testing.T) {
		_, m := protect(t, memory.Anonymous, 0)
		if err := uffdtest.Within(t, "the write", uffdtest.Touch(m.Range(), m.PageSize(), true)); err != nil {
			t.Fatal(err)
		}
	})
}
