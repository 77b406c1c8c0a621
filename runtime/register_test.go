package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// TestRegister registers every kind of memory in every combination of modes.
func TestRegister(t *testing.T) {
	kernel := everything(t)
	eachMemory(t, func(t *testing.T, kind userfaultfd.Memory) {
		for mode := userfaultfd.RegisterMode(1); mode < 16; mode++ {
			t.Run(fmt.Sprintf("as %v", mode), func(t *testing.T) {
				needs := missing(kind)
				if mode&userfaultfd.RegisterWP != 0 {
					needs |= protectable(kind)
				}
				if mode&userfaultfd.RegisterMinor != 0 {
					needs |= minor(kind)
				}
				if mode&userfaultfd.RegisterRWP != 0 {
					needs |= userfaultfd.FeatureRWP
				}
				f := open(t, needs)
				m := mapMemory(t, kind, 1)
				const both = userfaultfd.RegisterWP | userfaultfd.RegisterRWP
				if kind == userfaultfd.Anonymous && mode&userfaultfd.RegisterMinor != 0 || mode&both == both {
					if _, err := f.Register(m.Range(), mode); !errors.Is(err, unix.EINVAL) {
						t.Errorf("got %v, want EINVAL", err)
					}
					return
				}
				got := register(t, f, m, mode)
				if want := operationsOn(kind, mode, kernel); got != want {
					t.Errorf("operations %v, want %v", got, want)
				}
				if err := f.Unregister(m.Range()); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

// everything returns all the features that the kernel has.
func everything(t testing.TB) userfaultfd.Features {
	t.Helper()
	return openConfig(t, userfaultfd.Config{Optional: ^userfaultfd.Features(0) &^ userfaultfd.FeatureSigbus}).Features()
}

// operationsOn returns the operations that are to work on memory that is
// registered in a mode.
func operationsOn(kind userfaultfd.Memory, mode userfaultfd.RegisterMode, kernel userfaultfd.Features) userfaultfd.Ioctls {
	ops := userfaultfd.IoctlWake | userfaultfd.IoctlCopy
	if kernel&userfaultfd.FeaturePoison != 0 {
		ops |= userfaultfd.IoctlPoison
	}
	if kind == userfaultfd.Anonymous || kind == userfaultfd.Shmem {
		ops |= userfaultfd.IoctlZeropage
		if kernel&userfaultfd.FeatureMove != 0 {
			ops |= userfaultfd.IoctlMove
		}
	}
	for _, o := range []struct {
		mode userfaultfd.RegisterMode
		op   userfaultfd.Ioctls
	}{
		{userfaultfd.RegisterWP, userfaultfd.IoctlWriteProtect},
		{userfaultfd.RegisterMinor, userfaultfd.IoctlContinue},
		{userfaultfd.RegisterRWP, userfaultfd.IoctlRWProtect},
	} {
		if mode&o.mode != 0 {
			ops |= o.op
		}
	}
	return ops
}

// TestMissingAndMinor registers for both: what is in the page cache is a minor
// fault, what is not a missing one.
func TestMissingAndMinor(t *testing.T) {
	for _, kind := range []userfaultfd.Memory{userfaultfd.Shmem, userfaultfd.HugetlbShared} {
		t.Run("on "+kind.String()+" memory", func(t *testing.T) {
			f := open(t, minor(kind)|missing(kind))
			m := mapMemory(t, kind, 2)
			alias, err := m.Alias()
			if err != nil {
				t.Fatal(err)
			}
			defer alias.Close()
			alias.Bytes()[0] = 1
			register(t, f, m, userfaultfd.RegisterMissing|userfaultfd.RegisterMinor)
			cached := touch(m.Page(0), m.PageSize(), false)
			if p := fault(t, f); p.Flags != userfaultfd.PagefaultMinor || p.Address != m.Page(0).Start {
				t.Errorf("fault at %#x with flags %v, want MINOR", p.Address, p.Flags)
			}
			if _, err := f.Continue(m.Page(0), 0); err != nil {
				t.Fatal(err)
			}
			if err := within(t, "the touch", cached); err != nil {
				t.Fatal(err)
			}
			absent := touch(m.Page(1), m.PageSize(), true)
			if p := fault(t, f); p.Flags != userfaultfd.PagefaultWrite || p.Address != m.Page(1).Start {
				t.Errorf("fault at %#x with flags %v, want WRITE", p.Address, p.Flags)
			}
			if _, err := f.Copy(m.Page(1).Start, bytes.Repeat([]byte{2}, m.PageSize()), 0); err != nil {
				t.Fatal(err)
			}
			if err := within(t, "the touch", absent); err != nil {
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
	f := open(t, userfaultfd.FeaturePagefaultFlagWP)
	m := mapMemory(t, userfaultfd.Anonymous, 1)
	m.Bytes()[0] = 1
	register(t, f, m, userfaultfd.RegisterMissing|userfaultfd.RegisterWP)
	_, err := f.Register(m.Range(), userfaultfd.RegisterMissing)
	if want := !userfaultfd.ReleaseLess(userfaultfd.KernelRelease(), "7.3"); errors.Is(err, unix.EBUSY) != want || !want && err != nil {
		t.Errorf("Register in fewer modes: %v, want EBUSY %v", err, want)
	}
	if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
		t.Errorf("write protection does not work any more: %v", err)
	}
}

// TestRegisterPassesOverHoles registers a range whose middle is not mapped.
func TestRegisterPassesOverHoles(t *testing.T) {
	f := open(t, 0)
	m := mapMemory(t, userfaultfd.Anonymous, 3)
	torn[m] = m.Page(1)
	if err := munmap(m.Page(1)); err != nil {
		t.Fatal(err)
	}
	register(t, f, m, userfaultfd.RegisterMissing)
	for _, i := range []int{0, 2} {
		if _, err := f.Zeropage(m.Page(i), 0); err != nil {
			t.Errorf("page %d: %v", i, err)
		}
	}
}

// TestUnregister checks what is left of a registration: nothing.
func TestUnregister(t *testing.T) {
	f := open(t, 0)
	m := mapMemory(t, userfaultfd.Anonymous, 2)
	register(t, f, m, userfaultfd.RegisterMissing)
	first, second := touch(m.Page(0), m.PageSize(), false), touch(m.Page(1), m.PageSize(), false)
	fault(t, f)
	fault(t, f)
	if err := f.Unregister(m.Page(0)); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "the touch of what is not registered any more", first); err != nil {
		t.Fatal(err)
	}
	asleep(t, second)
	if err := f.Unregister(m.Range()); err != nil {
		t.Fatal(err)
	}
	if err := within(t, "the other touch", second); err != nil {
		t.Fatal(err)
	}
	filled(t, m.Bytes(), 0)
}

// TestSigbusFeature has the kernel answer missing pages with a signal instead
// of a message.
func TestSigbusFeature(t *testing.T) {
	f := open(t, userfaultfd.FeatureSigbus)
	m := mapMemory(t, userfaultfd.Anonymous, 2)
	register(t, f, m, userfaultfd.RegisterMissing)
	if err := userfaultfd.Guard(m.Range(), func() { sink = m.Bytes()[3] }); err == nil {
		t.Error("a missing page could be read")
	}
	if err := touchNow(m.Page(1), m.PageSize(), false); !errors.Is(err, unix.EFAULT) {
		t.Errorf("touching through the kernel: %v, want EFAULT", err)
	}
	if n := unread(t, f); n != 0 {
		t.Error("there is a message")
	}
	if _, err := f.Copy(m.Range().Start, bytes.Repeat([]byte{6}, len(m.Bytes())), 0); err != nil {
		t.Fatal(err)
	}
	filled(t, m.Bytes(), 6)
}

// TestProtectMissingPages write-protects pages that are not there.
func TestProtectMissingPages(t *testing.T) {
	protect := func(t *testing.T, kind userfaultfd.Memory, features userfaultfd.Features) (*userfaultfd.File, *userfaultfd.Mapping) {
		f := open(t, protectable(kind)|missing(kind)|features)
		m := mapMemory(t, kind, 1)
		register(t, f, m, userfaultfd.RegisterWP)
		if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
			t.Fatal(err)
		}
		return f, m
	}
	eachMemory(t, func(t *testing.T, kind userfaultfd.Memory) {
		features := userfaultfd.Features(0)
		if kind == userfaultfd.Anonymous {
			features = userfaultfd.FeatureWPUnpopulated
		}
		f, m := protect(t, kind, features)
		writeFaults(t, f, m)
	})
	t.Run("has no effect on anonymous memory without FeatureWPUnpopulated", func(t *testing.T) {
		_, m := protect(t, userfaultfd.Anonymous, 0)
		if err := within(t, "the write", touch(m.Range(), m.PageSize(), true)); err != nil {
			t.Fatal(err)
		}
	})
}
