package userfaultfd_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

func TestPoison(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		setup := func(t *testing.T, pages int) (*userfaultfd.File, *memory.Mapping) {
			f := uffdtest.Open(t, userfaultfd.FeaturePoison|uffdtest.Missing(kind))
			m := uffdtest.Map(t, kind, pages)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
			return f, m
		}
		t.Run("makes a touch raise SIGBUS with the address, and spares the neighbours", func(t *testing.T) {
			f, m := setup(t, 3)
			page := make([]byte, m.PageSize())
			for _, i := range []int{0, 2} {
				if _, err := f.Copy(m.Page(i).Start, page, 0); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := f.Poison(m.Page(1), 0); n != m.Page(1).Len || err != nil {
				t.Fatalf("Poison: %d, %v", n, err)
			}
			offset := m.PageSize() + 40
			err := memory.Guard(m.Range(), func() { sink = m.Bytes()[offset] })
			var access *memory.AccessError
			if !errors.As(err, &access) {
				t.Fatalf("Guard: %v, want an AccessError", err)
			}
			if kind == memory.Anonymous && exactAddresses && access.Address != m.Page(1).Start+40 || !m.Page(1).Contains(access.Address) {
				t.Errorf("SIGBUS at %#x, want %#x", access.Address, m.Page(1).Start+40)
			}
			uffdtest.Filled(t, m.Bytes()[:m.PageSize()], 0)
			uffdtest.Filled(t, m.Bytes()[2*m.PageSize():], 0)
		})
		t.Run("wakes the waiter, which then fails", func(t *testing.T) {
			f, m := setup(t, 1)
			_, done := uffdtest.Sleeper(t, f, m.Range(), false)
			if _, err := f.Poison(m.Range(), userfaultfd.PoisonDontWake); err != nil {
				t.Fatal(err)
			}
			uffdtest.Asleep(t, done)
			f.Wake(m.Range())
			if err := uffdtest.Within(t, "the touch", done); !errors.Is(err, unix.EHWPOISON) {
				t.Errorf("populating a poisoned page: %v, want EHWPOISON", err)
			}
		})
		t.Run("is taken away by discarding", func(t *testing.T) {
			f, m := setup(t, 1)
			if _, err := f.Poison(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
			if err := memory.Discard(m.Range()); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Copy(m.Range().Start, bytes.Repeat([]byte{3}, m.PageSize()), 0); err != nil {
				t.Fatalf("Copy after discarding: %v", err)
			}
			uffdtest.Filled(t, m.Bytes(), 3)
		})
		t.Run("stops at a mapped page, having poisoned those before it", func(t *testing.T) {
			f, m := setup(t, 4)
			if _, err := f.Copy(m.Page(2).Start, make([]byte, m.PageSize()), 0); err != nil {
				t.Fatal(err)
			}
			n, err := f.Poison(m.Range(), 0)
			if n != 2*uint64(m.PageSize()) || !errors.Is(err, unix.EEXIST) {
				t.Fatalf("Poison: %d, %v; want %d and EEXIST", n, err, 2*m.PageSize())
			}
			if n, err := f.Poison(m.Page(0), 0); n != 0 || !errors.Is(err, unix.EEXIST) {
				t.Errorf("Poison of a poisoned page: %d, %v; want 0 and EEXIST", n, err)
			}
		})
	})
	t.Run("spares another mapping of the same memory", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeaturePoison|userfaultfd.FeatureMissingShmem)
		m := uffdtest.Map(t, memory.Shmem, 1)
		alias, err := m.Alias()
		if err != nil {
			t.Fatal(err)
		}
		defer alias.Close()
		alias.Bytes()[0] = 42
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		if _, err := f.Poison(m.Range(), 0); err != nil {
			t.Fatal(err)
		}
		if err := memory.Guard(m.Range(), func() { sink = m.Bytes()[0] }); err == nil {
			t.Error("the poisoned mapping can be read")
		}
		if alias.Bytes()[0] != 42 {
			t.Error("the other mapping has lost its content")
		}
	})
	t.Run("kills a child process that touches, with SIGBUS, and nobody else", func(t *testing.T) {
		uffdtest.Open(t, userfaultfd.FeaturePoison)
		err := uffdtest.Child(t, "touch poison").Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatalf("the child that touched poison ended with %v", err)
		}
		// The Go runtime turns the signal into a crash of its own, with exit
		// status 2.
		if code := exit.ExitCode(); code != 2 {
			t.Errorf("exit status %d, want 2", code)
		}
	})
}

// sink keeps what tests read.
var sink byte

func init() {
	uffdtest.Children["touch poison"] = func([]string) error {
		os.Stderr.Close() // the runtime's report of the signal is not for the log
		f, err := userfaultfd.Open(userfaultfd.Config{Features: userfaultfd.FeaturePoison})
		if err != nil {
			return nil
		}
		m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
		if err != nil {
			return nil
		}
		if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
			return nil
		}
		if _, err := f.Poison(m.Range(), 0); err != nil {
			return nil
		}
		sink = m.Bytes()[0]
		return nil // not reached: exit status 0 fails the test
	}
}
