package userfaultfd_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

func TestWriteProtect(t *testing.T) {
	eachMemory(t, func(t *testing.T, kind userfaultfd.Memory) {
		setup := func(t *testing.T) (*userfaultfd.File, *userfaultfd.Mapping) {
			f := open(t, protectable(kind)|missing(kind))
			m := mapMemory(t, kind, 2)
			copy(m.Bytes(), bytes.Repeat([]byte{5}, len(m.Bytes())))
			register(t, f, m, userfaultfd.RegisterWP)
			return f, m
		}
		t.Run("delivers a write and not a read", func(t *testing.T) {
			f, m := setup(t)
			if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
				t.Fatal(err)
			}
			filled(t, m.Bytes(), 5) // reading is no fault
			done := touch(m.Page(1), m.PageSize(), true)
			if p := fault(t, f); p.Flags != userfaultfd.PagefaultWrite|userfaultfd.PagefaultWP || p.Address != m.Page(1).Start {
				t.Errorf("fault at %#x with flags %v, want %#x and WRITE|WP", p.Address, p.Flags, m.Page(1).Start)
			}
			if err := f.WriteProtect(m.Page(1), userfaultfd.WriteProtectDontWake); err != nil {
				t.Fatal(err)
			}
			asleep(t, done)
			f.Wake(m.Page(1))
			if err := within(t, "the write", done); err != nil {
				t.Fatal(err)
			}
			filled(t, m.Bytes(), 5)
		})
		t.Run("wakes when it is lifted", func(t *testing.T) {
			f, m := setup(t)
			if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
				t.Fatal(err)
			}
			done := touch(m.Page(0), m.PageSize(), true)
			fault(t, f)
			if err := f.WriteProtect(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
			if err := within(t, "the write", done); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("refuses protecting and not waking at once, and unknown modes", func(t *testing.T) {
			f, m := setup(t)
			for _, mode := range []userfaultfd.WriteProtectMode{userfaultfd.WriteProtectWP | userfaultfd.WriteProtectDontWake, 1 << 5} {
				if err := f.WriteProtect(m.Range(), mode); !errors.Is(err, unix.EINVAL) {
					t.Errorf("mode %#x: %v, want EINVAL", mode, err)
				}
			}
		})
	})
	t.Run("is ENOENT on memory registered in another mode", func(t *testing.T) {
		f := open(t, userfaultfd.FeaturePagefaultFlagWP)
		m := mapMemory(t, userfaultfd.Anonymous, 1)
		register(t, f, m, userfaultfd.RegisterMissing)
		if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); !errors.Is(err, unix.ENOENT) {
			t.Errorf("got %v, want ENOENT", err)
		}
	})
}

// writeFaults checks that a write to m, which is protected, faults, and passes
// when the protection is taken away.
func writeFaults(t *testing.T, f *userfaultfd.File, m *userfaultfd.Mapping) {
	t.Helper()
	done := touch(m.Range(), m.PageSize(), true)
	if p := fault(t, f); p.Flags&userfaultfd.PagefaultWP == 0 {
		t.Errorf("flags %v, want WP", p.Flags)
	}
	if err := f.WriteProtect(m.Range(), userfaultfd.WriteUnprotect); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "the write", done); err != nil {
		t.Fatal(err)
	}
}

// TestFillProtected fills pages that are write-protected from the start.
func TestFillProtected(t *testing.T) {
	protected := func(t *testing.T, f *userfaultfd.File, m *userfaultfd.Mapping) {
		t.Helper()
		filled(t, m.Bytes(), 8)
		writeFaults(t, f, m)
		filled(t, m.Bytes(), 8)
	}
	eachMemory(t, func(t *testing.T, kind userfaultfd.Memory) {
		t.Run("by Copy with CopyWP", func(t *testing.T) {
			f := open(t, protectable(kind)|missing(kind))
			m := mapMemory(t, kind, 1)
			register(t, f, m, userfaultfd.RegisterMissing|userfaultfd.RegisterWP)
			if _, err := f.Copy(m.Range().Start, bytes.Repeat([]byte{8}, m.PageSize()), userfaultfd.CopyWP); err != nil {
				t.Fatal(err)
			}
			protected(t, f, m)
		})
		t.Run("by Copy with CopyWP, where it is not registered for that: EINVAL", func(t *testing.T) {
			f := open(t, protectable(kind)|missing(kind))
			m := mapMemory(t, kind, 1)
			register(t, f, m, userfaultfd.RegisterMissing)
			n, err := f.Copy(m.Range().Start, make([]byte, m.PageSize()), userfaultfd.CopyWP)
			fails(t, uint64(n), err, unix.EINVAL)
		})
		if kind == userfaultfd.Shmem || kind == userfaultfd.HugetlbShared {
			t.Run("by Continue with ContinueWP", func(t *testing.T) {
				// The mode has no feature of its own; this one is of its release.
				f := open(t, protectable(kind)|minor(kind)|userfaultfd.FeatureWPUnpopulated)
				m := mapMemory(t, kind, 1)
				register(t, f, m, userfaultfd.RegisterMinor|userfaultfd.RegisterWP)
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
	eachMemory(t, func(t *testing.T, kind userfaultfd.Memory) {
		setup := func(t *testing.T, features userfaultfd.Features) (*userfaultfd.File, *userfaultfd.Mapping) {
			f := open(t, userfaultfd.FeatureRWP|features)
			m := mapMemory(t, kind, 4)
			copy(m.Bytes(), bytes.Repeat([]byte{6}, len(m.Bytes())))
			register(t, f, m, userfaultfd.RegisterRWP)
			if err := f.RWProtect(m.Range(), userfaultfd.RWProtectRWP); err != nil {
				t.Fatal(err)
			}
			return f, m
		}
		t.Run("delivers a read, and keeps the content", func(t *testing.T) {
			f, m := setup(t, 0)
			done := touch(m.Page(1), m.PageSize(), false)
			if p := fault(t, f); p.Flags&userfaultfd.PagefaultRWP == 0 || p.Address != m.Page(1).Start {
				t.Errorf("fault at %#x with flags %v, want %#x and RWP", p.Address, p.Flags, m.Page(1).Start)
			}
			if err := f.RWProtect(m.Page(1), userfaultfd.RWProtectDontWake); err != nil {
				t.Fatal(err)
			}
			asleep(t, done)
			f.Wake(m.Page(1))
			if err := within(t, "the read", done); err != nil {
				t.Fatal(err)
			}
			if err := f.RWProtect(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
			filled(t, m.Bytes(), 6)
		})
		t.Run("asynchronously, lets accesses pass and tells of them", func(t *testing.T) {
			f, m := setup(t, userfaultfd.FeatureRWPAsync)
			access := func(i int) {
				t.Helper()
				if err := within(t, "the read", touch(m.Page(i), m.PageSize(), false)); err != nil {
					t.Fatal(err)
				}
			}
			found := func(what string, s userfaultfd.Scan, want ...userfaultfd.Range) {
				t.Helper()
				if got := scanned(t, s); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			access(2)
			found("accessed", userfaultfd.ScanAccessed(m.Range(), nil), m.Page(2))
			found("accessed, and reset", userfaultfd.ScanAccessed(m.Range(), f), m.Page(2))
			found("accessed after the reset", userfaultfd.ScanAccessed(m.Range(), f))
			access(0)
			access(2)
			found("accessed after that", userfaultfd.ScanAccessed(m.Range(), f), m.Page(0), m.Page(2))
			access(0)
			found("idle", userfaultfd.ScanIdle(m.Range()), userfaultfd.Range{Start: m.Page(1).Start, Len: 3 * m.Page(0).Len})
			f.Close()
			filled(t, m.Bytes(), 6)
		})
		t.Run("switches between the two by SetMode", func(t *testing.T) {
			f, m := setup(t, userfaultfd.FeatureRWPAsync)
			if err := f.SetMode(0, userfaultfd.FeatureRWPAsync); err != nil {
				t.Fatal(err)
			}
			done := touch(m.Page(0), m.PageSize(), false)
			fault(t, f)
			if err := f.SetMode(userfaultfd.FeatureRWPAsync, 0); err != nil {
				t.Fatal(err)
			}
			f.Wake(m.Range())
			if err := within(t, "the read", done); err != nil {
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
		f := open(t, userfaultfd.FeatureRWP)
		m := mapMemory(t, userfaultfd.Anonymous, 1)
		if _, err := f.Register(m.Range(), userfaultfd.RegisterRWP|userfaultfd.RegisterWP); !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v, want EINVAL", err)
		}
	})
}

// scanned returns the ranges that a scan of this process finds.
func scanned(t *testing.T, s userfaultfd.Scan) []userfaultfd.Range {
	t.Helper()
	p := openPagemap(t)
	var all []userfaultfd.Range
	w := userfaultfd.NewWalker(p, s, make([]userfaultfd.PageRegion, 2)) // small, so that it has to go on
	for w.Next() {
		all = append(all, w.Region().Range())
	}
	skipUnsupported(t, w.Err())
	if w.Err() != nil {
		t.Fatal(w.Err())
	}
	return all
}
