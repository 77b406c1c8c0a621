package demand_test

import (
	"errors"
	"io"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// Offsets and lengths that overflow are errors of the call, and nothing else.
func TestOffsetsBeyondAllMeasure(t *testing.T) {
	const size = 3*chunk + 5
	for _, writable := range []bool{false, true} {
		m, err := demand.Map(&source{size: size}, size, demand.Config{ChunkSize: chunk, Writable: writable, Budget: demand.NewBudget(2 * chunk)})
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.EPERM) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for _, off := range []int64{math.MinInt64, -1, size, size + 1, math.MaxInt64 - chunk, math.MaxInt64} {
			for _, n := range []int64{math.MinInt64, -1, 0, 1, chunk, math.MaxInt64} {
				within := off == size && n == 0
				slice, err := m.Slice(off, n)
				if err == nil {
					slice.Release()
				}
				for name, err := range map[string]error{"Slice": err, "Prefetch": m.Prefetch(off, n), "Retry": m.Retry(off, n)} {
					if within != (err == nil) || !within && !errors.Is(err, unix.EINVAL) {
						t.Errorf("%s(%d, %d): %v", name, off, n, err)
					}
				}
				section := m.Section(off, n)
				if wrote, err := section.WriteTo(io.Discard); wrote != 0 {
					t.Errorf("Section(%d, %d).WriteTo: %d, %v", off, n, wrote, err)
				}
				if got, err := section.Read(make([]byte, 10)); got != 0 || err == nil {
					t.Errorf("Section(%d, %d).Read: %d, %v", off, n, got, err)
				}
			}
			p := make([]byte, 10)
			if n, err := m.ReadAt(p, off); n != 0 || err == nil {
				t.Errorf("ReadAt(%d): %d, %v", off, n, err)
			}
			if n, err := m.WriteAt(p, off); n != 0 || err == nil {
				t.Errorf("WriteAt(%d): %d, %v", off, n, err)
			}
		}
	}
}

// A source that ends its goroutine, or panics, in a view within a view, leaves
// nothing behind: whoever waited for it reads for himself.
func TestSourceThatLeaves(t *testing.T) {
	for name, leave := range map[string]func(){"by Goexit": runtime.Goexit, "by a panic": func() { panic(errSource) }} {
		t.Run(name, func(t *testing.T) {
			var leaving atomic.Bool
			reading, release := make(chan error, 1), make(chan struct{})
			budget := demand.NewBudget(4 * chunk)
			m := openSource(t, readerAtFunc(func(p []byte, off int64) (int, error) {
				if off == chunk && leaving.CompareAndSwap(true, false) {
					reading <- nil
					<-release
					leave()
				}
				fill(p, off)
				return len(p), nil
			}), 16*chunk, demand.Config{ChunkSize: chunk, Window: chunk, Budget: budget})
			outer, _ := open(t, chunk, demand.Config{ChunkSize: chunk, Budget: budget})
			leaving.Store(true)
			gone := make(chan error, 1)
			go func() {
				defer func() {
					recover()
					gone <- nil
				}()
				outer.View(func(p []byte) error {
					if err := verify(p[:10], 0); err != nil {
						return err
					}
					return look(m, 0, 1)
				})
				t.Error("the view returned")
			}()
			uffdtest.Within(t, "the read", reading)
			waits := uffdtest.During(func() error { return look(m, 1) })
			uffdtest.Asleep(t, waits)
			close(release)
			uffdtest.Within(t, "the view", gone)
			if err := uffdtest.Within(t, "who waited", waits); err != nil {
				t.Error(err)
			}
			if err := look(m, 0, 1, 2, 3); err != nil { // nothing is held
				t.Error(err)
			}
			if got, want := budget.Used(), m.Stats().Resident+outer.Stats().Resident; got != want {
				t.Errorf("%d bytes are used, %d resident", got, want)
			}
			for _, m := range []*demand.Mapping{m, outer} {
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
			if got := budget.Used(); got != 0 {
				t.Errorf("%d bytes are used after Close", got)
			}
		})
	}
}

// A writer that ends its goroutine, or closes the mapping, leaves what was not
// written dirty, and nothing in the way of others.
func TestWriterThatLeaves(t *testing.T) {
	const size = 8 * chunk
	m := openSource(t, newStore(size), size, demand.Config{ChunkSize: chunk, Writable: true, Budget: demand.NewBudget(4 * chunk)})
	if _, err := m.WriteAt([]byte("x"), chunk); err != nil {
		t.Fatal(err)
	}
	want := dirty(t, m)
	gone := make(chan error, 1)
	go func() {
		defer func() { gone <- nil }()
		m.Flush(writerAtFunc(func([]byte, int64) (int, error) { runtime.Goexit(); return 0, nil }))
	}()
	uffdtest.Within(t, "the flush", gone)
	if got := dirty(t, m); len(got) != 1 || got[0] != want[0] {
		t.Errorf("dirty are %v, want %v", got, want)
	}
	s := newStore(size)
	if err := uffdtest.Within(t, "Flush", uffdtest.During(func() error { return m.Flush(s) })); err != nil || s.p[chunk] != 'x' {
		t.Error(err)
	}
	if _, err := m.WriteAt([]byte("y"), chunk); err != nil {
		t.Fatal(err)
	}
	err := uffdtest.Within(t, "Flush", uffdtest.During(func() error {
		return m.Flush(writerAtFunc(func(p []byte, off int64) (int, error) { return len(p), m.Close() }))
	}))
	if err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if n := m.Stats().Resident; n != 0 {
		t.Errorf("%d bytes are resident", n)
	}
}

type writerAtFunc func(p []byte, off int64) (int, error)

func (f writerAtFunc) WriteAt(p []byte, off int64) (int, error) { return f(p, off) }
