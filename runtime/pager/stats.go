package pager

import (
	"math/bits"
	"sync/atomic"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// Stats is what a pager has done so far. The numbers are read one by one, while
// it goes on.
type Stats struct {
	// Faults that were read, by kind. One fault can come several times.
	Missing, Minor, WriteProtect, RWProtect uint64

	Joined   uint64 // of these, were paid for with another's page
	Deferred uint64 // times that an install was set aside, because the address space was changing
	Existed  uint64 // pages that were there already
	Outside  uint64 // faults of memory in no region
	Woken    uint64 // wake-ups that did not come with an install

	// Bytes that were put in place, by operation.
	Copied, Zeroed, Continued, Poisoned uint64

	Ahead uint64 // bytes that were put in place for a fault of another page

	Reads    uint64 // reads of sources: of what they did not lend
	Failures uint64 // of these, failed
	Unpaid   uint64 // pages that could neither be had nor poisoned

	Removes, Unmaps, Remaps, Forks uint64 // events
	EventsLost                     uint64 // that Config.Events was too slow for

	// Latency is how long faults took from being read to being paid for, or
	// given up: all of those that a source was read for, with their wait for a
	// worker, and one in 64 rounds of the others.
	Latency Histogram
}

// A Histogram counts durations: element i those of at least 2^i ns, and less than
// twice that.
type Histogram [40]uint64

// Quantile returns a duration that the fraction q of all did not exceed, rounded
// up to a power of two; 0 if there were none.
func (h *Histogram) Quantile(q float64) time.Duration {
	var all, seen uint64
	for _, n := range h {
		all += n
	}
	for i, n := range h {
		if seen += n; n > 0 && float64(seen) >= q*float64(all) {
			return 1 << (i + 1)
		}
	}
	return 0
}

// Stats returns the counters of this pager, without those of its children.
func (p *Pager) Stats() Stats {
	c := &p.stats
	s := Stats{
		Missing: c.missing.Load(), Minor: c.minor.Load(), WriteProtect: c.wp.Load(), RWProtect: c.rwp.Load(),
		Joined: c.joined.Load(), Deferred: c.deferred.Load(), Existed: c.existed.Load(), Outside: c.outside.Load(), Woken: c.wakes.Load(),
		Ahead: c.ahead.Load(), Copied: c.done[opCopy].Load(), Zeroed: c.done[opZero].Load(), Continued: c.done[opContinue].Load(), Poisoned: c.done[opPoison].Load(),
		Reads: c.reads.Load(), Failures: c.failures.Load(), Unpaid: c.unpaid.Load(),
		Removes: c.removes.Load(), Unmaps: c.unmaps.Load(), Remaps: c.remaps.Load(), Forks: c.forks.Load(),
		EventsLost: c.lost.Load(),
	}
	for i := range s.Latency {
		s.Latency[i] = p.clock.buckets[i].Load()
	}
	return s
}

type counters struct {
	missing, minor, wp, rwp                   atomic.Uint64
	joined, deferred, existed, outside, wakes atomic.Uint64
	done                                      [operations]atomic.Uint64 // bytes
	reads, failures, unpaid                   atomic.Uint64
	removes, unmaps, remaps, forks, lost      atomic.Uint64
	ahead                                     atomic.Uint64
}

// count counts a fault that was read.
func (c *counters) count(f userfaultfd.PagefaultFlags) {
	switch {
	case f&userfaultfd.PagefaultWP != 0:
		c.wp.Add(1)
	case f&userfaultfd.PagefaultRWP != 0:
		c.rwp.Add(1)
	case f&userfaultfd.PagefaultMinor != 0:
		c.minor.Add(1)
	default:
		c.missing.Add(1)
	}
}

// faults returns how many asked for pages.
func (c *counters) faults() uint64 { return c.missing.Load() + c.minor.Load() }

// installed counts what an operation has done.
func (c *counters) installed(o operation, zeros bool, bytes uint64) {
	if zeros {
		o = opZero
	}
	c.done[o].Add(bytes)
}

// latencies is a histogram. Looking at the clock costs a fault a hundredth of
// its time, so the reader seldom does.
type latencies struct {
	buckets [len(Histogram{})]atomic.Uint64
	rounds  uint64
}

// start begins the timing of a round, or returns zero.
func (l *latencies) start(faults int) (t time.Time) {
	if faults == 0 {
		return
	}
	if l.rounds++; l.rounds%64 == 1 {
		return time.Now()
	}
	return
}

// stop ends it, and returns how long it took; 0 if it was not timed.
func (l *latencies) stop(start time.Time) (took time.Duration) {
	if !start.IsZero() {
		took = time.Since(start)
		l.add(took)
	}
	return took
}

func (l *latencies) add(d time.Duration) {
	l.buckets[min(max(bits.Len64(uint64(d))-1, 0), len(l.buckets)-1)].Add(1)
}
