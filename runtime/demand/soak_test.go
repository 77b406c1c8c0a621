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
type moody struct{}

func (moody) ReadAt(p []byte, off int64) (int, error) {
	n, err := mood(len(p))
	fill(p[:n], off)
	return n, err
}

// mood stalls, and returns how many of n bytes come, and the error if that is not
// all.
func mood(n int) (int, error) {
	switch rand.IntN(64) {
	case 0:
		return rand.IntN(n), errSource
	case 1:
		return rand.IntN(n), io.EOF
	case 2:
		time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
	case 3:
		runtime.Gosched()
	}
	return n, nil
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
	maps, goroutines := len(mappings(t)), runtime.NumGoroutine()
	end := time.Now().Add(duration)
	budget := demand.NewBudget(24 * chunk)
	w := &world{mapped: make([]atomic.Pointer[demand.Mapping], 2), configs: []demand.Config{
		{Budget: budget, ChunkSize: chunk},
		{Budget: budget, ChunkSize: int(max(page, 4096)), Window: 256 << 10},
	}}
	for i := range w.mapped {
		if err := w.renew(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.renewWritten(); errors.As(err, new(*userfaultfd.UnsupportedError)) {
		t.Log("nothing is written: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	var ops, failures atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, 16)
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), uint64(time.Now().UnixNano())))
			for time.Now().Before(end) {
				ops.Add(1)
				err := w.step(r)
				switch {
				case err == nil:
				case errors.Is(err, errWrong):
					failed <- err
					return
				case errors.Is(err, errSource), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, io.ErrShortWrite), errors.Is(err, os.ErrClosed), errors.Is(err, demand.ErrBudget):
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
	if n := len(mappings(t)); n < maps+2 {
		t.Errorf("mappings: %d before, %d with two of this package", maps, n)
	}
	for i := range w.mapped {
		if err := w.mapped[i].Load().Close(); err != nil {
			t.Error(err)
		}
	}
	if last := w.written.Load(); last != nil {
		if err := last.settle(w.configs[0]); err != nil {
			t.Error(err)
		} else if err := last.m.Close(); err != nil {
			t.Error(err)
		}
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are used at the end", used)
	}
	if n := len(mappings(t)); n > maps {
		t.Errorf("mappings: %d before, %d after", maps, n)
	}
	if n := runtime.NumGoroutine(); n > goroutines+2 {
		t.Errorf("goroutines: %d before, %d after", goroutines, n)
	}
	t.Logf("%d operations, %d of them failed as they may", ops.Load(), failures.Load())
}

// A world is what TestSoak works on: mappings that are read, and one that is
// written, where the kernel has what that takes.
type world struct {
	configs []demand.Config
	mapped  []atomic.Pointer[demand.Mapping]
	written atomic.Pointer[written]
}

const soakSize = 200*chunk + 12345

// renew closes a mapping, whoever uses it, and puts a new one in its place.
func (w *world) renew(i int) error {
	m, err := demand.Map(moody{}, soakSize, w.configs[i])
	if err != nil {
		return err
	}
	if old := w.mapped[i].Swap(m); old != nil {
		return old.Close()
	}
	return nil
}

// renewWritten is renew for the one that is written. What was not flushed is lost.
func (w *world) renewWritten() error {
	n, err := newWritten(soakSize, w.configs[0])
	if err != nil {
		return err
	}
	if old := w.written.Swap(n); old != nil {
		old.using.RLock() // so that it is the same mapping until it is closed
		defer old.using.RUnlock()
		return old.m.Close()
	}
	return nil
}

// step does one thing at random.
func (w *world) step(r *rand.Rand) error {
	if written := w.written.Load(); written != nil && r.IntN(3) == 0 {
		switch r.IntN(1000) {
		case 0:
			return w.renewWritten()
		case 1, 2:
			return written.settle(w.configs[0])
		}
		return written.step(r)
	}
	i := r.IntN(len(w.mapped))
	m := w.mapped[i].Load()
	off := r.Int64N(m.Size())
	n := min(r.Int64N(3*chunk)+1, m.Size()-off)
	if r.IntN(4) > 0 {
		n = min(n, 200)
	}
	switch k := r.IntN(1000); {
	case k < 1:
		return w.renew(i)
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

// errWrong is the one error that nothing excuses.
var errWrong = errors.New("wrong bytes")

func right(p []byte, off int64) error {
	if err := verify(p, off); err != nil {
		return fmt.Errorf("%w: %w", errWrong, err)
	}
	return nil
}

// mappings returns where this process's mappings start and end that are anonymous and
// for reading only, as those of this package are, and Go's are not.
func mappings(t *testing.T) map[uint64]uint64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[uint64]uint64)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) != 5 || f[1] != "r--p" {
			continue
		}
		var start, end uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[start] = end
	}
	return all
}
