package pager

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A source that waits in a system call. It notes how many reads were under way at once.
type waiting struct {
	under, most atomic.Int32
}

func (w *waiting) ReadAt(p []byte, off int64) (int, error) {
	n := w.under.Add(1)
	defer w.under.Add(-1)
	if n > w.most.Load() {
		w.most.Store(n)
	}
	nap := unix.Timespec{Nsec: 200_000}
	unix.Nanosleep(&nap, nil)
	return pattern{}.ReadAt(p, off)
}

// The runtime's monitor is made slow, by a goroutine that computes; then there is
// nothing to take from anybody. Reads that wait in system calls would keep it slow, but
// on a machine with other work may do so in every other round only.
func TestReadsThatWaitInSystemCallsDoNotWaitForProcessors(t *testing.T) {
	if testing.Short() {
		t.Skip("an emulated processor is never idle")
	}
	before := runtime.GOMAXPROCS(2)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	const pages = 4096
	size := int64(os.Getpagesize())
	trace := &Trace{Digest: digest, Runs: 1}
	for page := int64(0); page < pages; page += 2 {
		trace.Extents = append(trace.Extents, Extent{page * size, size, 0, 1})
	}
	for range 3 {
		s := startServed(t, "anonymous", pages, allEvents, missing)
		source := new(waiting)
		p := s.serve(Config{Regions: s.region(source), Workers: 16})
		slowMonitor()
		forgetHelp()
		if _, err := p.Replay(t.Context(), Replay{Trace: trace, Source: source, Digest: digest}); err != nil {
			t.Fatal(err)
		}
		if n := source.most.Load(); n <= 2 {
			t.Errorf("%d reads were under way at once, of 16 workers", n)
		}
	}
}

// forgetHelp has the monitor woken when reads wait next, whatever has not helped the reads
// of other tests.
func forgetHelp() {
	sourceReads.mu.Lock()
	defer sourceReads.mu.Unlock()
	sourceReads.next, sourceReads.pause = time.Time{}, 0
}

// slowMonitor has the runtime's monitor find nothing to take for a while.
func slowMonitor() {
	for began := time.Now(); time.Since(began) < 100*time.Millisecond; {
	}
}

// Who waits for nothing but processors gains nothing by another system call.
func TestTheMonitorIsLeftAlone(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	many := func() int { return procs + 1 }
	at := time.Now()
	for _, test := range []struct {
		name   string
		under  int32
		apart  time.Duration // of the reads' ends
		wanted func() int
		idle   bool
		want   bool
	}{
		{"reads that wait", int32(procs), time.Millisecond, many, true, true},
		{"reads beyond the processors", int32(procs) + 1, time.Millisecond, many, true, false},
		{"no more reads wanted", int32(procs), time.Millisecond, func() int { return procs }, true, false},
		{"busy processors", int32(procs), time.Millisecond, many, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r reads
			told := false
			for i := range 8 * procs {
				r.most.Store(test.under)
				if !test.idle && i == 1 {
					r.cpu -= time.Minute
				}
				told = told || r.areHeldUp(at.Add(time.Duration(i)*test.apart), test.under, test.wanted)
			}
			if told != test.want {
				t.Errorf("the monitor was woken: %v", told)
			}
		})
	}
	t.Run("again", func(t *testing.T) {
		var r reads
		var when []time.Duration
		for d := time.Duration(0); d < time.Second; d += time.Millisecond / time.Duration(procs) {
			r.most.Store(int32(procs))
			if r.areHeldUp(at.Add(d), int32(procs), many) {
				when = append(when, d)
			}
		}
		for i := 1; i < len(when); i++ {
			if when[i]-when[i-1] < shortestWait<<(i-1) {
				t.Fatalf("the monitor was woken at %v", when)
			}
		}
		if n := len(when); n < 2 || n > 5 {
			t.Errorf("the monitor was woken at %v", when)
		}
	})
}
