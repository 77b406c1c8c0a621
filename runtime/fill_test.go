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

func TestCopy(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		t.Run("resolves a read fault and wakes", func(t *testing.T) {
			f := uffdtest.Open(t, uffdtest.Missing(kind))
			m := uffdtest.Map(t, kind, 2)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
			done := uffdtest.Touch(m.Page(1), m.PageSize(), false)
			if p := uffdtest.Fault(t, f); p.Address != m.Page(1).Start || p.Flags != 0 {
				t.Errorf("fault at %#x with flags %v, want %#x and none", p.Address, p.Flags, m.Page(1).Start)
			}
			src := bytes.Repeat([]byte{0x5a}, m.PageSize())
			if n, err := f.Copy(m.Page(1).Start, src, 0); n != len(src) || err != nil {
				t.Fatalf("Copy: %d, %v", n, err)
			}
			if err := uffdtest.Within(t, "the touch", done); err != nil {
				t.Fatal(err)
			}
			uffdtest.Filled(t, m.Bytes()[m.PageSize():], 0x5a)
		})
		t.Run("leaves the waiter asleep with DontWake until Wake", func(t *testing.T) {
			f := uffdtest.Open(t, uffdtest.Missing(kind))
			m := uffdtest.Map(t, kind, 1)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
			p, done := uffdtest.Sleeper(t, f, m.Range(), true)
			if p.Flags != userfaultfd.PagefaultWrite {
				t.Errorf("flags %v, want WRITE", p.Flags)
			}
			src := make([]byte, m.PageSize())
			if _, err := f.Copy(m.Range().Start, src, userfaultfd.CopyDontWake); err != nil {
				t.Fatal(err)
			}
			uffdtest.Asleep(t, done)
			if err := f.Wake(m.Range()); err != nil {
				t.Fatal(err)
			}
			if err := uffdtest.Within(t, "the touch", done); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("carries on over many pages and says how far it came", func(t *testing.T) {
			f := uffdtest.Open(t, uffdtest.Missing(kind))
			m := uffdtest.Map(t, kind, 4)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
			one := bytes.Repeat([]byte{1}, m.PageSize())
			if _, err := f.Copy(m.Page(2).Start, one, 0); err != nil {
				t.Fatal(err)
			}
			src := bytes.Repeat([]byte{2}, 4*m.PageSize())
			n, err := f.Copy(m.Range().Start, src, 0)
			if n != 2*m.PageSize() || !errors.Is(err, unix.EEXIST) {
				t.Fatalf("Copy over an occupied page: %d, %v; want %d and EEXIST", n, err, 2*m.PageSize())
			}
			uffdtest.Filled(t, m.Bytes()[:2*m.PageSize()], 2)
			uffdtest.Filled(t, m.Bytes()[2*m.PageSize():3*m.PageSize()], 1)
		})
	})
}

func TestZeropage(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		f := uffdtest.Open(t, uffdtest.Missing(kind))
		m := uffdtest.Map(t, kind, 2)
		ioctls := uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		if ioctls&userfaultfd.IoctlZeropage == 0 {
			if n, err := f.Zeropage(m.Page(0), 0); n != 0 || !errors.Is(err, unix.EINVAL) {
				t.Fatalf("Zeropage where Register offers none: %d, %v; want 0 and EINVAL", n, err)
			}
			return
		}
		_, done := uffdtest.Sleeper(t, f, m.Page(0), false)
		if n, err := f.Zeropage(m.Range(), userfaultfd.ZeropageDontWake); n != m.Range().Len || err != nil {
			t.Fatalf("Zeropage: %d, %v", n, err)
		}
		uffdtest.Asleep(t, done)
		if err := f.Wake(m.Range()); err != nil {
			t.Fatal(err)
		}
		if err := uffdtest.Within(t, "the touch", done); err != nil {
			t.Fatal(err)
		}
		uffdtest.Filled(t, m.Bytes(), 0)
		if n, err := f.Zeropage(m.Page(0), 0); n != 0 || !errors.Is(err, unix.EEXIST) {
			t.Errorf("Zeropage again: %d, %v; want 0 and EEXIST", n, err)
		}
	})
}

func TestContinue(t *testing.T) {
	for _, kind := range []memory.Kind{memory.Shmem, memory.HugetlbShared} {
		t.Run("on "+kind.String()+" memory", func(t *testing.T) {
			f := uffdtest.Open(t, uffdtest.Minor(kind))
			m := uffdtest.Map(t, kind, 3)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMinor)
			alias, err := m.Alias()
			if err != nil {
				t.Fatal(err)
			}
			defer alias.Close()
			copy(alias.Bytes()[:2*m.PageSize()], bytes.Repeat([]byte{7}, 2*m.PageSize()))

			p, done := uffdtest.Sleeper(t, f, m.Page(0), false)
			if p.Flags != userfaultfd.PagefaultMinor {
				t.Errorf("flags %v, want MINOR", p.Flags)
			}
			both := userfaultfd.Range{Start: m.Range().Start, Len: 2 * uint64(m.PageSize())}
			if n, err := f.Continue(both, userfaultfd.ContinueDontWake); n != both.Len || err != nil {
				t.Fatalf("Continue: %d, %v", n, err)
			}
			uffdtest.Asleep(t, done)
			f.Wake(both)
			if err := uffdtest.Within(t, "the touch", done); err != nil {
				t.Fatal(err)
			}
			uffdtest.Filled(t, m.Bytes()[:both.Len], 7)
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
	setup := func(t *testing.T) (*userfaultfd.File, *memory.Mapping, *memory.Mapping) {
		f := uffdtest.Open(t, userfaultfd.FeatureMove)
		dst := uffdtest.Map(t, memory.Anonymous, 4)
		src := uffdtest.Map(t, memory.Anonymous, 4)
		uffdtest.Register(t, f, dst, userfaultfd.RegisterMissing)
		return f, dst, src
	}
	t.Run("moves pages and resolves a fault", func(t *testing.T) {
		f, dst, src := setup(t)
		copy(src.Bytes(), bytes.Repeat([]byte{9}, len(src.Bytes())))
		_, done := uffdtest.Sleeper(t, f, dst.Page(0), false)
		n, err := f.Move(dst.Range().Start, src.Range().Start, dst.Range().Len, userfaultfd.MoveDontWake)
		if n != dst.Range().Len || err != nil {
			t.Fatalf("Move: %d, %v", n, err)
		}
		uffdtest.Asleep(t, done)
		f.Wake(dst.Range())
		if err := uffdtest.Within(t, "the touch", done); err != nil {
			t.Fatal(err)
		}
		uffdtest.Filled(t, dst.Bytes(), 9)
		uffdtest.Filled(t, src.Bytes(), 0) // missing now, and filled with zeros by this read
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
		shared := uffdtest.Map(t, memory.Shmem, 1)
		shared.Bytes()[0] = 1
		if n, err := f.Move(dst.Page(1).Start, shared.Range().Start, shared.Range().Len, 0); n != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("Move: %d, %v; want 0 and EINVAL", n, err)
		}
	})
}
