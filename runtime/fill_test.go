package userfaultfd_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// eachMemory runs a test on every kind of memory.
func eachMemory(t *testing.T, test func(t *testing.T, kind userfaultfd.Memory)) {
	eachOf(t, memories, test)
}

func eachOf(t *testing.T, kinds []userfaultfd.Memory, test func(t *testing.T, kind userfaultfd.Memory)) {
	for _, kind := range kinds {
		t.Run("on "+kind.String()+" memory", func(t *testing.T) { test(t, kind) })
	}
}

func TestCopy(t *testing.T) {
	eachMemory(t, func(t *testing.T, kind userfaultfd.Memory) {
		t.Run("resolves a read fault and wakes", func(t *testing.T) {
			f := open(t, missing(kind))
			m := mapMemory(t, kind, 2)
			register(t, f, m, userfaultfd.RegisterMissing)
			done := touch(m.Page(1), m.PageSize(), false)
			if p := fault(t, f); p.Address != m.Page(1).Start || p.Flags != 0 {
				t.Errorf("fault at %#x with flags %v, want %#x and none", p.Address, p.Flags, m.Page(1).Start)
			}
			src := bytes.Repeat([]byte{0x5a}, m.PageSize())
			if n, err := f.Copy(m.Page(1).Start, src, 0); n != len(src) || err != nil {
				t.Fatalf("Copy: %d, %v", n, err)
			}
			if err := within(t, "the touch", done); err != nil {
				t.Fatal(err)
			}
			filled(t, m.Bytes()[m.PageSize():], 0x5a)
		})
		t.Run("leaves the waiter asleep with DontWake until Wake", func(t *testing.T) {
			f := open(t, missing(kind))
			m := mapMemory(t, kind, 1)
			register(t, f, m, userfaultfd.RegisterMissing)
			done := touch(m.Range(), m.PageSize(), true)
			if p := fault(t, f); p.Flags != userfaultfd.PagefaultWrite {
				t.Errorf("flags %v, want WRITE", p.Flags)
			}
			src := make([]byte, m.PageSize())
			if _, err := f.Copy(m.Range().Start, src, userfaultfd.CopyDontWake); err != nil {
				t.Fatal(err)
			}
			asleep(t, done)
			if err := f.Wake(m.Range()); err != nil {
				t.Fatal(err)
			}
			if err := within(t, "the touch", done); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("carries on over many pages and says how far it came", func(t *testing.T) {
			f := open(t, missing(kind))
			m := mapMemory(t, kind, 4)
			register(t, f, m, userfaultfd.RegisterMissing)
			one := bytes.Repeat([]byte{1}, m.PageSize())
			if _, err := f.Copy(m.Page(2).Start, one, 0); err != nil {
				t.Fatal(err)
			}
			src := bytes.Repeat([]byte{2}, 4*m.PageSize())
			n, err := f.Copy(m.Range().Start, src, 0)
			if n != 2*m.PageSize() || !errors.Is(err, unix.EEXIST) {
				t.Fatalf("Copy over an occupied page: %d, %v; want %d and EEXIST", n, err, 2*m.PageSize())
			}
			filled(t, m.Bytes()[:2*m.PageSize()], 2)
			filled(t, m.Bytes()[2*m.PageSize():3*m.PageSize()], 1)
		})
	})
}

func TestZeropage(t *testing.T) {
	eachMemory(t, func(t *testing.T, kind userfaultfd.Memory) {
		f := open(t, missing(kind))
		m := mapMemory(t, kind, 2)
		ioctls := register(t, f, m, userfaultfd.RegisterMissing)
		if ioctls&userfaultfd.IoctlZeropage == 0 {
			if n, err := f.Zeropage(m.Page(0), 0); n != 0 || !errors.Is(err, unix.EINVAL) {
				t.Fatalf("Zeropage where Register offers none: %d, %v; want 0 and EINVAL", n, err)
			}
			return
		}
		done := touch(m.Page(0), m.PageSize(), false)
		fault(t, f)
		if n, err := f.Zeropage(m.Range(), userfaultfd.ZeropageDontWake); n != m.Range().Len || err != nil {
			t.Fatalf("Zeropage: %d, %v", n, err)
		}
		asleep(t, done)
		if err := f.Wake(m.Range()); err != nil {
			t.Fatal(err)
		}
		if err := within(t, "the touch", done); err != nil {
			t.Fatal(err)
		}
		filled(t, m.Bytes(), 0)
		if n, err := f.Zeropage(m.Page(0), 0); n != 0 || !errors.Is(err, unix.EEXIST) {
			t.Errorf("Zeropage again: %d, %v; want 0 and EEXIST", n, err)
		}
	})
}

func TestContinue(t *testing.T) {
	for _, kind := range []userfaultfd.Memory{userfaultfd.Shmem, userfaultfd.HugetlbShared} {
		t.Run("on "+kind.String()+" memory", func(t *testing.T) {
			f := open(t, minor(kind))
			m := mapMemory(t, kind, 3)
			register(t, f, m, userfaultfd.RegisterMinor)
			alias, err := m.Alias()
			if err != nil {
				t.Fatal(err)
			}
			defer alias.Close()
			copy(alias.Bytes()[:2*m.PageSize()], bytes.Repeat([]byte{7}, 2*m.PageSize()))

			done := touch(m.Page(0), m.PageSize(), false)
			if p := fault(t, f); p.Flags != userfaultfd.PagefaultMinor {
				t.Errorf("flags %v, want MINOR", p.Flags)
			}
			both := userfaultfd.Range{Start: m.Range().Start, Len: 2 * uint64(m.PageSize())}
			if n, err := f.Continue(both, userfaultfd.ContinueDontWake); n != both.Len || err != nil {
				t.Fatalf("Continue: %d, %v", n, err)
			}
			asleep(t, done)
			f.Wake(both)
			if err := within(t, "the touch", done); err != nil {
				t.Fatal(err)
			}
			filled(t, m.Bytes()[:both.Len], 7)
			if n, err := f.Continue(both, 0); n != 0 || !errors.Is(err, unix.EEXIST) {
				t.Errorf("Continue again: %d, %v; want 0 and EEXIST", n, err)
			}
			if n, err := f.Continue(m.Page(2), 0); n != 0 || !errors.Is(err, unix.EFAULT) {
				t.Errorf("Continue without a page: %d, %v; want 0 and EFAULT", n, err)
			}
		})
	}
}

func TestMove(t *testing.T) {
	setup := func(t *testing.T) (*userfaultfd.File, *userfaultfd.Mapping, *userfaultfd.Mapping) {
		f := open(t, userfaultfd.FeatureMove)
		dst := mapMemory(t, userfaultfd.Anonymous, 4)
		src := mapMemory(t, userfaultfd.Anonymous, 4)
		register(t, f, dst, userfaultfd.RegisterMissing)
		return f, dst, src
	}
	t.Run("moves pages and resolves a fault", func(t *testing.T) {
		f, dst, src := setup(t)
		copy(src.Bytes(), bytes.Repeat([]byte{9}, len(src.Bytes())))
		done := touch(dst.Page(0), dst.PageSize(), false)
		fault(t, f)
		n, err := f.Move(dst.Range().Start, src.Range().Start, dst.Range().Len, userfaultfd.MoveDontWake)
		if n != dst.Range().Len || err != nil {
			t.Fatalf("Move: %d, %v", n, err)
		}
		asleep(t, done)
		f.Wake(dst.Range())
		if err := within(t, "the touch", done); err != nil {
			t.Fatal(err)
		}
		filled(t, dst.Bytes(), 9)
		filled(t, src.Bytes(), 0) // missing now, and filled with zeros by this read
	})
	t.Run("stops with ENOENT at a hole, having moved what was before it", func(t *testing.T) {
		f, dst, src := setup(t)
		src.Bytes()[0] = 1
		n, err := f.Move(dst.Range().Start, src.Range().Start, 2*uint64(src.PageSize()), 0)
		if n != uint64(src.PageSize()) || !errors.Is(err, unix.ENOENT) {
			t.Fatalf("Move: %d, %v; want %d and ENOENT", n, err, src.PageSize())
		}
	})
	t.Run("passes over holes when it is allowed to", func(t *testing.T) {
		f, dst, src := setup(t)
		src.Bytes()[2*src.PageSize()] = 1
		n, err := f.Move(dst.Range().Start, src.Range().Start, src.Range().Len, userfaultfd.MoveAllowSrcHoles)
		if n != src.Range().Len || err != nil {
			t.Fatalf("Move: %d, %v", n, err)
		}
		if n, err := f.Copy(dst.Range().Start, make([]byte, dst.PageSize()), 0); err != nil {
			t.Errorf("the destination of a hole is not missing: %d, %v", n, err)
		}
	})
	t.Run("refuses memory that is not private and anonymous", func(t *testing.T) {
		f, dst, _ := setup(t)
		shared := mapMemory(t, userfaultfd.Shmem, 1)
		shared.Bytes()[0] = 1
		if n, err := f.Move(dst.Page(1).Start, shared.Range().Start, shared.Range().Len, 0); n != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("Move: %d, %v; want 0 and EINVAL", n, err)
		}
	})
}

// asleep fails the test if the goroutine has come back. It can only say that
// it has not yet.
func asleep(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("the waiter was woken (%v)", err)
	case <-time.After(20 * time.Millisecond):
	}
}
