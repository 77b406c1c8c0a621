package demand_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/demand"
)

// soakVariable is how long TestSoak takes, as time.ParseDuration has it.
const soakVariable = "UFFD_DEMAND_SOAK"

// A moody source fails, stalls and returns short, now and then.
type moody struct{ size int64 }

func (s moody) ReadAt(p []byte, off int64) (int, error) {
	n := len(p)
	var err error
	switch rand.IntN(64) {
	case 0:
		n, err = rand.IntN(n), errSource
	case 1:
		n, err = rand.IntN(n), io.EOF
	case 2:
		time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
	case 3:
		runtime.Gosched()
	}
	fill(p[:n], off)
	return n, err
}

// TestSoak does everything at random, for a few seconds or as long as
// UFFD_DEMAND_SOAK says ("1h"): no wrong byte, no unexpected error, no leak.
func TestSoak(t *testing.T) {
	open(t, 1, demand.Config{})
	duration := 5 * time.Second
	if testing.Short() {
		duration = time.Second
	}
	if s := os.Getenv(soakVariable); s != "" {
		var err error
		if duration, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	maps, goroutines := mappings(t), runtime.NumGoroutine()
	end := time.Now().Add(duration)
	budget := demand.NewBudget(24 * chunk)
	mapped := make([]atomic.Pointer[demand.Mapping], 3)
	const size = 200*chunk + 12345
	renew := func(i int) error {
		c := demand.Config{Budget: budget, ChunkSize: chunk}
		switch i {
		case 1:
			c = demand.Config{Budget: budget, ChunkSize: int(max(page, 4096)), Window: 256 << 10}
		case 2:
			c.Writable = true
		}
		m, err := demand.Map(moody{size}, size, c)
		if err != nil {
			return err
		}
		if old := mapped[i].Swap(m); old != nil {
			return old.Close()
		}
		return nil
	}
	for i := range mapped {
		err := renew(i)
		if missing := (*userfaultfd.UnsupportedError)(nil); i == 2 && errors.As(err, &missing) {
			mapped = mapped[:2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	var ops, failures atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, 16)
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), uint64(time.Now().UnixNano())))
			for time.Now().Before(end) {
				ops.Add(1)
				err := step(r, mapped, renew)
				switch {
				case err == nil:
				case errors.Is(err, errWrong):
					failed <- err
					return
				case errors.Is(err, errSource), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrClosed), errors.Is(err, demand.ErrBudget):
					failures.Add(1)
				default:
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	if n := mappings(t); n < maps+2 {
		t.Errorf("mappings: %d before, %d with two of this package", maps, n)
	}
	for i := range mapped {
		if err := mapped[i].Load().Close(); err != nil {
			t.Error(err)
		}
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are used at the end", used)
	}
	if n := mappings(t); n > maps {
		t.Errorf("mappings: %d before, %d after", maps, n)
	}
	if n := runtime.NumGoroutine(); n > goroutines+2 {
		t.Errorf("goroutines: %d before, %d after", goroutines, n)
	}
	t.Logf("%d operations, %d of them failed as they may", ops.Load(), failures.Load())
}

// step does one thing at random.
func step(r *rand.Rand, mapped []atomic.Pointer[demand.Mapping], renew func(i int) error) error {
	i := r.IntN(len(mapped))
	m := mapped[i].Load()
	off := r.Int64N(m.Size())
	n := min(r.Int64N(3*chunk)+1, m.Size()-off)
	if r.IntN(4) > 0 {
		n = min(n, 200)
	}
	switch k := r.IntN(1000); {
	case k < 1:
		return renew(i)
	case k < 100:
		return m.Retry(0, m.Size())
	case k < 200:
		p := make([]byte, n)
		got, err := m.ReadAt(p, off)
		return errors.Join(err, right(p[:got], off))
	case k < 250:
		return m.Prefetch(off, n)
	case k < 300:
		s, err := m.Slice(off, n)
		if err != nil {
			return err
		}
		defer s.Release()
		runtime.Gosched()
		return right(s.Bytes(), off)
	case i == 2 && k < 400:
		// What is there already, so that all reads know what is right.
		p := make([]byte, n)
		fill(p, off)
		_, err := m.WriteAt(p, off)
		return err
	case i == 2 && k < 420:
		return m.Flush(writerAtFunc(func(p []byte, off int64) (int, error) { return len(p), right(p, off) }))
	case i == 2 && k < 430:
		for _, err := range m.Dirty() {
			if err != nil {
				return err
			}
		}
		return nil
	case k < 310 || k > 990:
		var out bytes.Buffer
		_, err := io.Copy(&out, m.Section(off, n))
		return errors.Join(err, right(out.Bytes(), off))
	default:
		var wrong error
		err := m.View(func(b []byte) error {
			wrong = right(b[off:off+n], off)
			if r.IntN(16) == 0 {
				runtime.Gosched()
			}
			return nil
		})
		if err == nil && wrong != nil {
			err = fmt.Errorf("in a view: %w", wrong)
		}
		return err
	}
}

type writerAtFunc func(p []byte, off int64) (int, error)

func (f writerAtFunc) WriteAt(p []byte, off int64) (int, error) { return f(p, off) }

// errWrong is the one error that nothing excuses.
var errWrong = errors.New("wrong bytes")

func right(p []byte, off int64) error {
	if err := verify(p, off); err != nil {
		return fmt.Errorf("%w: %w", errWrong, err)
	}
	return nil
}

// mappings counts this process's mappings that are anonymous and for reading
// only, as those of this package are, and Go's are not.
func mappings(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 5 && f[1] == "r--p" {
			n++
		}
	}
	return n
}
