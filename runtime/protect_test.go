package userfaultfd_test

import (
	"bytes"
	"errors"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

func TestWriteProtect(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		setup := func(t *testing.T) (*userfaultfd.File, *memory.Mapping) {
			f := uffdtest.Open(t, uffdtest.Protectable(kind)|uffdtest.Missing(kind))
			m := uffdtest.Map(t, kind, 2)
			copy(m.Bytes(), bytes.Repeat([]byte{5}, len(m.Bytes())))
			uffdtest.Register(t, f, m, userfaultfd.RegisterWP)
			return f, m
		}
		t.Run("delivers a write and not a read", func(t *testing.T) {
			f, m := setup(t)
			if err := f.WriteProtect(m.Range()); err != nil {
				t.Fatal(err)
			}
			uffdtest.Filled(t, m.Bytes(), 5) // reading is no fault
			p, done := uffdtest.Sleeper(t, f, m.Page(1), true)
			if p.Flags != userfaultfd.PagefaultWrite|userfaultfd.PagefaultWP || p.Address != m.Page(1).Start {
				t.Errorf("fault at %#x with flags %v, want %#x and WRITE|WP", p.Address, p.Flags, m.Page(1).Start)
			}
			if err := f.WriteUnprotect(m.Page(1), userfaultfd.WriteUnprotectDontWake); err != nil {
				t.Fatal(err)
			}
			uffdtest.Asleep(t, done)
			f.Wake(m.Page(1))
			if err := uffdtest.Within(t, "the write", done); err != nil {
				t.Fatal(err)
			}
			uffdtest.Filled(t, m.Bytes(), 5)
		})
		t.Run("wakes when it is lifted", func(t *testing.T) {
			f, m := setup(t)
			if err := f.WriteProtect(m.Range()); err != nil {
				t.Fatal(err)
			}
			done := uffdtest.Touch(m.Page(0), m.PageSize(), true)
			uffdtest.Fault(t, f)
			if err := f.WriteUnprotect(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
			if err := uffdtest.Within(t, "the write", done); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("is ENOENT on memory registered in another mode", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeaturePagefaultFlagWP)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		if err := f.WriteProtect(m.Range()); !errors.Is(err, unix.ENOENT) {
			t.Errorf("got %v, want ENOENT", err)
		}
	})
}

// writeFaults checks that a write to m, which is protected, faults, and passes
// when the protection is taken away.
func writeFaults(t *testing.T, f *userfaultfd.File, m *memory.Mapping) {
	t.Helper()
	done := uffdtest.Touch(m.Range(), m.PageSize(), true)
	if p := uffdtest.Fault(t, f); p.Flags&userfaultfd.PagefaultWP == 0 {
		t.Errorf("flags %v, want WP", p.Flags)
	}
	if err := f.WriteUnprotect(m.Range(), 0); err != nil {
		t.Fatal(err)
	}
	if err := uffdtest.Within(t, "the write", done); err != nil {
		t.Fatal(err)
	}
}

// TestFillProtected fills pages that are write-protected from the start.
func TestFillProtected(t *testing.T) {
	protected := func(t *testing.T, f *userfaultfd.File, m *memory.Mapping) {
		t.Helper()
		uffdtest.Filled(t, m.Bytes(), 8)
		writeFaults(t, f, m)
		uffdtest.Filled(t, m.Bytes(), 8)
	}
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		t.Run("by Copy with CopyWP", func(t *testing.T) {
			f := uffdtest.Open(t, uffdtest.Protectable(kind)|uffdtest.Missing(kind))
			m := uffdtest.Map(t, kind, 1)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing|userfaultfd.RegisterWP)
			if _, err := f.Copy(m.Range().Start, bytes.Repeat([]byte{8}, m.PageSize()), userfaultfd.CopyWP); err != nil {
				t.Fatal(err)
			}
			protected(t, f, m)
		})
		t.Run("by Copy with CopyWP, where it is not registered for that: EINVAL", func(t *testing.T) {
			f := uffdtest.Open(t, uffdtest.Protectable(kind)|uffdtest.Missing(kind))
			m := uffdtest.Map(t, kind, 1)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
			n, err := f.Copy(m.Range().Start, make([]byte, m.PageSize()), userfaultfd.CopyWP)
			fails(t, uint64(n), err, unix.EINVAL)
		})
		if kind == memory.Shmem || kind == memory.HugetlbShared {
			t.Run("by Continue with ContinueWP", func(t *testing.T) {
				// The mode has no feature of its own; this one is of its release.
				f := uffdtest.Open(t, uffdtest.Protectable(kind)|uffdtest.Minor(kind)|userfaultfd.FeatureWPUnpopulated)
				m := uffdtest.Map(t, kind, 1)
				uffdtest.Register(t, f, m, userfaultfd.RegisterMinor|userfaultfd.RegisterWP)
				alias, err := m.Alias()
				if err != nil {
					t.Fatal(err)
				}
				defer alias.Close()
				copy(alias.Bytes(), bytes.Repeat([]byte{8}, m.PageSize()))
				if _, err := f.Continue(m.Range(), userfaultfd.ContinueWP); err != nil {
					t.Fatal(err)
				}
				protected(t, f, m)
			})
		}
	})
}

func TestRWProtect(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		setup := func(t *testing.T, features userfaultfd.Features) (*userfaultfd.File, *memory.Mapping) {
			f := uffdtest.Open(t, userfaultfd.FeatureRWP|features)
			m := uffdtest.Map(t, kind, 4)
			copy(m.Bytes(), bytes.Repeat([]byte{6}, len(m.Bytes())))
			uffdtest.Register(t, f, m, userfaultfd.RegisterRWP)
			if err := f.RWProtect(m.Range()); err != nil {
				t.Fatal(err)
			}
			return f, m
		}
		t.Run("delivers a read, and keeps the content", func(t *testing.T) {
			f, m := setup(t, 0)
			p, done := uffdtest.Sleeper(t, f, m.Page(1), false)
			if p.Flags&userfaultfd.PagefaultRWP == 0 || p.Address != m.Page(1).Start {
				t.Errorf("fault at %#x with flags %v, want %#x and RWP", p.Address, p.Flags, m.Page(1).Start)
			}
			if err := f.RWUnprotect(m.Page(1), userfaultfd.RWUnprotectDontWake); err != nil {
				t.Fatal(err)
			}
			uffdtest.Asleep(t, done)
			f.Wake(m.Page(1))
			if err := uffdtest.Within(t, "the read", done); err != nil {
				t.Fatal(err)
			}
			if err := f.RWUnprotect(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
			uffdtest.Filled(t, m.Bytes(), 6)
		})
		t.Run("switches between the two by SetMode", func(t *testing.T) {
			f, m := setup(t, userfaultfd.FeatureRWPAsync)
			if err := f.SetMode(0, userfaultfd.FeatureRWPAsync); err != nil {
				t.Fatal(err)
			}
			done := uffdtest.Touch(m.Page(0), m.PageSize(), false)
			uffdtest.Fault(t, f)
			if err := f.SetMode(userfaultfd.FeatureRWPAsync, 0); err != nil {
				t.Fatal(err)
			}
			f.Wake(m.Range())
			if err := uffdtest.Within(t, "the read", done); err != nil {
				t.Fatal(err)
			}
			if err := f.SetMode(userfaultfd.FeatureRWPAsync, userfaultfd.FeatureRWPAsync); !errors.Is(err, unix.EINVAL) {
				t.Errorf("on and off at once: %v, want EINVAL", err)
			}
			if err := f.SetMode(userfaultfd.FeatureMove, 0); !errors.Is(err, unix.EINVAL) {
				t.Errorf("a feature that cannot be switched: %v, want EINVAL", err)
			}
		})
	})
	t.Run("excludes write protection", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeatureRWP)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		if _, err := f.Register(m.Range(), userfaultfd.RegisterRWP|userfaultfd.RegisterWP); !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v, want EINVAL", err)
		}
	})
}
