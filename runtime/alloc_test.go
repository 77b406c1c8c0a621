package userfaultfd_test

import (
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
)

// TestNothingAllocates runs every operation, reading and scanning among them,
// and counts allocations.
func TestNothingAllocates(t *testing.T) {
	zero := func(t *testing.T, what string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations a run, want 0", what, n)
		}
	}
	for _, op := range rangeOps {
		t.Run(op.name, func(t *testing.T) {
			f := uffdtest.Open(t, op.features|uffdtest.Missing(op.memory))
			m := uffdtest.Map(t, op.memory, 1)
			src := uffdtest.Map(t, memory.Anonymous, 1)
			uffdtest.Register(t, f, m, op.register)
			if alias, err := m.Alias(); err == nil {
				alias.Bytes()[0] = 1
				defer alias.Close()
			}
			done := 0
			zero(t, op.name, func() {
				src.Bytes()[0] = 1 // Move takes it away
				if _, err := op.call(f, m.Range(), src, 0); err == nil {
					done++
				}
				if err := memory.Discard(m.Range()); err != nil {
					t.Fatal(err)
				}
			})
			if done != 101 { // AllocsPerRun warms up with one more
				t.Errorf("%d of 101 runs succeeded", done)
			}
		})
	}
	t.Run("Register, Unregister and Wake", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		zero(t, "the three of them", func() {
			if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
				t.Fatal(err)
			}
			if err := f.Wake(m.Range()); err != nil {
				t.Fatal(err)
			}
			if err := f.Unregister(m.Range()); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("SetMode", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeatureRWP)
		zero(t, "SetMode", func() {
			if err := f.SetMode(userfaultfd.FeatureRWPAsync, 0); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("Read, and what is in a message", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		uffdtest.SkipUnsupported(t, memory.PopulateRead(userfaultfd.Range{}))
		// Another goroutine touches the page over and over, and allocates
		// nothing meanwhile.
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				select {
				case <-stop:
					stopped <- nil
					return
				default:
				}
				if err := memory.PopulateRead(m.Range()); err != nil {
					stopped <- err
					return
				}
				memory.Discard(m.Range())
			}
		}()
		buf := make([]userfaultfd.Msg, 4)
		resolve := func() {
			n, err := f.Read(buf)
			if err != nil || n != 1 || buf[0].Event() != userfaultfd.EventPagefault {
				t.Fatalf("Read: %d, %v", n, err)
			}
			if p := buf[0].Pagefault(); !m.Range().Contains(p.Address) {
				t.Fatalf("fault at %#x", p.Address)
			}
			if _, err := f.Zeropage(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
		}
		zero(t, "Read", resolve)
		close(stop)
		f.Close()
		if err := uffdtest.Within(t, "the toucher", stopped); err != nil {
			t.Fatal(err)
		}
	})
}
