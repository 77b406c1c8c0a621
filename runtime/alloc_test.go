package userfaultfd_test

import (
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
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
			f := open(t, op.features|missing(op.memory))
			m := mapMemory(t, op.memory, 1)
			src := mapMemory(t, userfaultfd.Anonymous, 1)
			register(t, f, m, op.register)
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
				if err := userfaultfd.Discard(m.Range()); err != nil {
					t.Fatal(err)
				}
			})
			if done != 101 { // AllocsPerRun warms up with one more
				t.Errorf("%d of 101 runs succeeded", done)
			}
		})
	}
	t.Run("Register, Unregister and Wake", func(t *testing.T) {
		f := open(t, 0)
		m := mapMemory(t, userfaultfd.Anonymous, 1)
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
		f := open(t, userfaultfd.FeatureRWP)
		zero(t, "SetMode", func() {
			if err := f.SetMode(userfaultfd.FeatureRWPAsync, 0); err != nil {
				t.Fatal(err)
			}
		})
	})
	for _, blocking := range []bool{false, true} {
		name := "Read"
		if blocking {
			name = "a blocking Read"
		}
		t.Run(name+", and what is in a message", func(t *testing.T) {
			f := openConfig(t, userfaultfd.Config{Blocking: blocking})
			m := mapMemory(t, userfaultfd.Anonymous, 1)
			register(t, f, m, userfaultfd.RegisterMissing)
			skipUnsupported(t, userfaultfd.PopulateRead(userfaultfd.Range{}))
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
					if err := userfaultfd.PopulateRead(m.Range()); err != nil {
						stopped <- err
						return
					}
					userfaultfd.Discard(m.Range())
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
			zero(t, name, resolve)
			close(stop)
			f.Close()
			if err := within(t, "the toucher", stopped); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("Scan, and walking over what it finds", func(t *testing.T) {
		f := open(t, userfaultfd.FeatureWPAsync)
		m := mapMemory(t, userfaultfd.Anonymous, 16)
		register(t, f, m, userfaultfd.RegisterWP)
		if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 16; i += 2 {
			m.Bytes()[i*m.PageSize()] = 1
		}
		p := openPagemap(t)
		s := userfaultfd.ScanWritten(m.Range(), false)
		w := userfaultfd.NewWalker(p, s, make([]userfaultfd.PageRegion, 3))
		zero(t, "a walk", func() {
			w.Reset(s)
			n := 0
			for w.Next() {
				n += int(w.Region().Range().Len) / m.PageSize()
			}
			if n != 8 || w.Err() != nil {
				t.Fatalf("%d pages, %v", n, w.Err())
			}
		})
	})
}
