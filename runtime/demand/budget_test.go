package demand_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

const chunk = 64 << 10

// chunkBytes returns some bytes of a chunk.
func chunkBytes(b []byte, c int) ([]byte, int64) {
	off := int64(c)*chunk + 100
	return b[off:][:200], off
}

func look(m *demand.Mapping, chunks ...int) error {
	return m.View(func(b []byte) error {
		for _, c := range chunks {
			if err := verify(chunkBytes(b, c)); err != nil {
				return err
			}
		}
		return nil
	})
}

// limited maps chunks with a budget of some of them, and reads nothing ahead.
func limited(t testing.TB, chunks, limit int) (*demand.Mapping, *source, *demand.Budget) {
	budget := demand.NewBudget(int64(limit) * chunk)
	m, s := open(t, int64(chunks)*chunk, demand.Config{ChunkSize: chunk, Window: chunk, Budget: budget})
	return m, s, budget
}

func TestBudgetIsKept(t *testing.T) {
	const chunks, limit = 256, 16
	m, _, budget := limited(t, chunks, limit)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 100 {
				c := r.IntN(chunks - 1)
				if err := look(m, c, c+1); err != nil {
					t.Error(err)
					return
				}
				if used := budget.Used(); used > limit*chunk {
					t.Errorf("%d bytes are used", used)
				}
			}
		})
	}
	wg.Wait()
	if got := resident(t, m); got > limit*chunk || got != m.Stats().Resident {
		t.Errorf("the kernel has %d bytes in memory, want %d", got, m.Stats().Resident)
	}
}

func TestViewThatNeedsMoreThanTheBudget(t *testing.T) {
	t.Run("ends with an error", func(t *testing.T) {
		m, s, _ := limited(t, 256, 16)
		all := make([]int, 17)
		for i := range all {
			all[i] = 3 * i
		}
		if err := look(m, all[:16]...); err != nil {
			t.Errorf("as much as the budget: %v", err)
		}
		if err := look(m, all...); !errors.Is(err, demand.ErrBudget) {
			t.Errorf("more than that: %v", err)
		}
		if n := s.reads.Load(); n > 100 {
			t.Errorf("after %d reads", n)
		}
		if err := look(m, all[:16]...); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("ends soon where it goes on sequentially", func(t *testing.T) {
		m, _ := open(t, 64<<20, demand.Config{Budget: demand.NewBudget(16 << 20)})
		err := m.View(func(b []byte) error { return verifySome(b, 0) })
		if !errors.Is(err, demand.ErrBudget) {
			t.Errorf("got %v", err)
		}
		if n := m.Stats().ReadBytes; n > 64<<20 {
			t.Errorf("after %d MiB", n>>20)
		}
	})
	t.Run("does not count what it has not touched", func(t *testing.T) {
		for _, touches := range []int{60, 128} { // a MiB apart, as far as windows reach
			m, _ := open(t, int64(touches)<<20, demand.Config{ChunkSize: chunk, Budget: demand.NewBudget(256 * chunk)})
			every := make([]int, touches)
			for i := range every {
				every[i] = 16 * i
			}
			if err := look(m, every...); err != nil {
				t.Errorf("%d chunks: %v", touches, err)
			}
		}
	})
	t.Run("can prefetch piece by piece", func(t *testing.T) {
		m, _ := open(t, 16<<20, demand.Config{Budget: demand.NewBudget(8 << 20)})
		started := 0
		err := m.View(func(b []byte) error {
			started++
			for off := int64(0); off < int64(len(b)); off += 1 << 20 {
				if err := m.Prefetch(off, 1<<20); err != nil {
					return err
				}
				if err := verifySome(b[off:][:1<<20], off); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || started != 1 {
			t.Errorf("started %d times, %v", started, err)
		}
	})
	t.Run("does not count what others have touched before it", func(t *testing.T) {
		const size = 64 << 20
		m, _ := open(t, size, demand.Config{Budget: demand.NewBudget(8 << 20)})
		part := int64(64 << 10)
		for off := int64(0); off < size; off += part {
			if off == size/2 {
				part = 4 << 20
			}
			if err := m.View(func(b []byte) error { return verifySome(b[off:][:part], off) }); err != nil {
				t.Fatalf("the view at %d KiB: %v", off>>10, err)
			}
		}
	})
	t.Run("with a slice beside it", func(t *testing.T) {
		m, _, _ := limited(t, 256, 4)
		s, err := m.Slice(100*chunk, 2*chunk)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, look(m, 1, 2, 3), demand.ErrBudget, 3*chunk)
		if err := look(m, 1, 2, 100, 101); err != nil {
			t.Error(err)
		}
		if _, err := m.Slice(0, 3*chunk); !errors.Is(err, demand.ErrBudget) {
			t.Errorf("another slice: %v", err)
		}
		if err := m.Prefetch(0, 3*chunk); !errors.Is(err, demand.ErrBudget) {
			t.Errorf("prefetch: %v", err)
		}
		check(t, s.Bytes(), 100*chunk)
		s.Release()
		if err := look(m, 1, 2, 3); err != nil {
			t.Error(err)
		}
	})
	t.Run("in a view of another mapping with the same budget", func(t *testing.T) {
		defer demand.SetSilence(demand.SetSilence(100 * time.Millisecond))
		budget := demand.NewBudget(4 * chunk)
		c := demand.Config{ChunkSize: chunk, Window: chunk, Budget: budget}
		a, _ := open(t, 16*chunk, c)
		b, _ := open(t, 16*chunk, c)
		both := func(n int) <-chan error {
			return uffdtest.During(func() error {
				return a.View(func(p []byte) error {
					for i := range 2 {
						if err := verify(chunkBytes(p, i)); err != nil {
							return err
						}
					}
					needed := make([]int, n)
					for i := range needed {
						needed[i] = i
					}
					if err := look(b, needed...); err != nil {
						return err
					}
					if err := verify(chunkBytes(p, 0)); err != nil {
						return err
					}
					return verify(chunkBytes(p, 1))
				})
			})
		}
		if err := uffdtest.Within(t, "what fits", both(2)); err != nil {
			t.Error(err)
		}
		if err := uffdtest.Within(t, "what does not", both(3)); !errors.Is(err, demand.ErrBudget) {
			t.Errorf("got %v, want ErrBudget", err)
		}
	})
}

// TestNobodyWaitsForEver has views that cannot get room by waiting, since what
// they wait for waits for them, while something else goes on all the time.
func TestNobodyWaitsForEver(t *testing.T) {
	defer demand.SetSilence(demand.SetSilence(50 * time.Millisecond))
	for name, disturb := range map[string]func(t *testing.T, b *demand.Mapping, s *source) (undo func()){
		"a source stalls": func(t *testing.T, b *demand.Mapping, s *source) func() {
			reading, release := make(chan error, 1), make(chan struct{})
			s.set(func(s *source) { s.hold = func(off, n int64) { reading <- nil; <-release } })
			done := uffdtest.During(func() error { return look(b, 0) })
			uffdtest.Within(t, "the read", reading)
			return func() {
				close(release)
				uffdtest.Within(t, "the slow view", done)
			}
		},
		"others come and go": func(t *testing.T, b *demand.Mapping, _ *source) func() {
			slice, err := b.Slice(0, 10)
			if err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			done := uffdtest.During(func() error {
				for {
					select {
					case <-stop:
						slice.Release()
						return nil
					case <-time.After(5 * time.Millisecond):
						b.Prefetch(0, 10)
					}
				}
			})
			return func() {
				close(stop)
				uffdtest.Within(t, "them", done)
			}
		},
	} {
		t.Run("while "+name, func(t *testing.T) {
			c := demand.Config{ChunkSize: chunk, Window: chunk, Budget: demand.NewBudget(2 * chunk)}
			a, _ := open(t, 16*chunk, c)
			b, s := open(t, 16*chunk, c)
			undo := disturb(t, b, s)
			defer undo()
			err := uffdtest.Within(t, "the view", uffdtest.During(func() error {
				return a.View(func(p []byte) error {
					if err := verify(chunkBytes(p, 0)); err != nil {
						return err
					}
					return look(a, 1)
				})
			}))
			if err != nil && !errors.Is(err, demand.ErrBudget) {
				t.Error(err)
			}
		})
	}
	t.Run("with a source that is a mapping of the same budget", func(t *testing.T) {
		c := demand.Config{ChunkSize: chunk, Window: chunk, Budget: demand.NewBudget(2 * chunk)}
		lower, _ := open(t, 16*chunk, c)
		upper := openSource(t, lower, 16*chunk, c)
		err := uffdtest.Within(t, "the view", uffdtest.During(func() error { return look(upper, 0, 1) }))
		if !errors.Is(err, demand.ErrBudget) {
			t.Errorf("got %v, want ErrBudget", err)
		}
	})
	t.Run("with a Flush that reads what it flushes", func(t *testing.T) {
		m := openSource(t, newStore(16*chunk), 16*chunk, demand.Config{ChunkSize: chunk, Window: chunk, Writable: true, Budget: demand.NewBudget(chunk)})
		if _, err := m.WriteAt([]byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		err := uffdtest.Within(t, "Flush", uffdtest.During(func() error { return m.Flush(readingWriter{m}) }))
		if !errors.Is(err, demand.ErrBudget) {
			t.Errorf("got %v, want ErrBudget", err)
		}
	})
}

// A readingWriter reads another chunk of a mapping when it is written to.
type readingWriter struct{ m *demand.Mapping }

func (w readingWriter) WriteAt(p []byte, off int64) (int, error) {
	_, err := w.m.ReadAt(make([]byte, 1), 5*chunk)
	return len(p), err
}

// TestViewsThatDoNotFitBesideEachOther lets views that need three of four
// chunks each run at once.
func TestViewsThatDoNotFitBesideEachOther(t *testing.T) {
	views := 20
	if testing.Short() {
		views = 5
	}
	m, s, _ := limited(t, 64, 4)
	s.set(func(s *source) { s.hold = func(off, n int64) { time.Sleep(100 * time.Microsecond) } })
	var all []<-chan error
	for g := range 8 {
		all = append(all, uffdtest.During(func() error {
			for i := range views {
				c := (g*20 + i) % 60
				if err := look(m, c, c+1, c+2); err != nil {
					return fmt.Errorf("view %d of goroutine %d: %w", i, g, err)
				}
			}
			return nil
		}))
	}
	for _, done := range all {
		if err := uffdtest.Within(t, "the views", done); err != nil {
			t.Error(err)
		}
	}
}

// What waits for its turn to be evicted may all have become firm, while the room
// that is wanted is taken by what is still being read.
func TestRoomWhereAllThatWaitsForEvictionIsFirm(t *testing.T) {
	m, s, _ := limited(t, 8, 4)
	if _, err := m.ReadAt(make([]byte, 3*chunk), 0); err != nil {
		t.Fatal(err)
	}
	held, err := m.Slice(0, 3*chunk)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	reading, goOn := make(chan struct{}), make(chan struct{})
	s.set(func(s *source) {
		s.hold = func(off, _ int64) {
			if off == 3*chunk {
				close(reading)
				<-goOn
			}
		}
	})
	var wg sync.WaitGroup
	read := func(c int64) {
		wg.Go(func() {
			b := make([]byte, 100)
			if _, err := m.ReadAt(b, c*chunk); err != nil {
				t.Errorf("reading chunk %d: %v", c, err)
			}
			check(t, b, c*chunk)
		})
	}
	read(3)
	<-reading
	read(5)
	time.Sleep(10 * time.Millisecond) // it finds nothing to evict, and waits
	close(goOn)
	wg.Wait()
}

func TestSecondChance(t *testing.T) {
	m, s, _ := limited(t, 256, 8)
	p := make([]byte, 10)
	for c := range 200 {
		if c == 0 || c >= 8 {
			if _, err := m.ReadAt(p, 0); err != nil { // all the time
				t.Fatal(err)
			}
		}
		if err := look(m, c); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.seen[0]; n > 2 {
		t.Errorf("what was accessed all the time was read %d times", n)
	}
}

// TestSecondChanceOfViews has views access a chunk all the time, of which only
// the kernel knows.
func TestSecondChanceOfViews(t *testing.T) {
	uffdtest.OpenConfig(t, userfaultfd.Config{Features: userfaultfd.FeatureRWPAsync, UserModeOnly: true})
	m, s, budget := limited(t, 256, 8)
	for c := range 200 {
		if err := look(m, 0); err != nil {
			t.Fatal(err)
		}
		if err := look(m, c); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.seen[0]; n > 2 {
		t.Errorf("what was accessed all the time was read %d times", n)
	}
	if used := budget.Used(); used > 8*chunk {
		t.Errorf("%d bytes are used", used)
	}
}

func TestBudgetOfTwoMappings(t *testing.T) {
	budget := demand.NewBudget(4 * chunk)
	c := demand.Config{ChunkSize: chunk, Window: chunk, Budget: budget}
	a, _ := open(t, 16*chunk, c)
	b, _ := open(t, 16*chunk, c)
	for i := range 16 {
		if err := look(a, i); err != nil {
			t.Fatal(err)
		}
		if err := look(b, i); err != nil {
			t.Fatal(err)
		}
		if sum := a.Stats().Resident + b.Stats().Resident; sum != budget.Used() || sum > 4*chunk {
			t.Fatalf("%d bytes are resident, %d used", sum, budget.Used())
		}
	}
	if a.Stats().Resident == 0 || b.Stats().Resident == 0 {
		t.Error("one has driven the other out")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if budget.Used() != b.Stats().Resident {
		t.Errorf("%d bytes are used after one is closed", budget.Used())
	}
	if err := look(b, 0, 1, 2, 3); err != nil {
		t.Error(err)
	}
}
