package pager

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// reads are those of sources that are under way, of all pagers of the program: they
// share one scheduler.
//
// A goroutine that waits in a system call, for a disk say, keeps its processor until
// the Go runtime's monitor takes it away. The monitor looks every 20 us as long as it
// finds something to take, and every 10 ms after some milliseconds in which it has not;
// and it takes what it has found in the same system call twice. If it is slow when
// reads of less than 10 ms begin, it never finds one twice, and stays slow: no more are
// under way than there are processors, however many workers there are, and a fault
// waits for one of these to end. Measured with 4,000 reads of 200 us, 32 workers and
// GOMAXPROCS 2 (Go 1.26): they took 565 ms in four of 18 runs, and 160 ms in the
// others. A system call that takes longer than two looks makes the monitor quick, and
// the reads then keep it so.
type reads struct {
	under atomic.Int32 // how many are under way
	most  atomic.Int32 // how many were at once, since a slow one ended

	mu    sync.Mutex
	slow  int           // so many slow reads on end had no more beside them than processors
	since time.Time     // when the first of these ended
	cpu   time.Duration // how long the program had run then
	next  time.Time     // when the monitor may be woken again
	pause time.Duration // after that
}

var sourceReads reads

const (
	slowRead     = 100 * time.Microsecond // the monitor takes nothing from shorter ones
	longCall     = 30 * time.Millisecond  // longer than two looks of the monitor
	shortestWait = 100 * time.Millisecond // between such calls; it doubles while they do not help
	longestWait  = 10 * time.Second
)

// begin notes that a read begins.
func (r *reads) begin() time.Time {
	n := r.under.Add(1)
	for most := r.most.Load(); n > most && !r.most.CompareAndSwap(most, n); {
		most = r.most.Load()
	}
	return time.Now()
}

// end notes that a read has ended, and wakes the monitor if reads seem to wait for
// processors, which wait in system calls. wanted tells how many are wanted at once.
func (r *reads) end(began time.Time, wanted func() int) {
	under := r.under.Add(-1)
	if now := time.Now(); now.Sub(began) >= slowRead && r.areHeldUp(now, under, wanted) {
		go stayInSystemCall()
	}
}

func (r *reads) areHeldUp(now time.Time, under int32, wanted func() int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	processors := runtime.GOMAXPROCS(0)
	if int(r.most.Swap(under)) > processors {
		r.slow, r.pause = 0, shortestWait
		return false
	}
	if r.slow++; r.slow == 1 {
		r.since, r.cpu = now, cpuTime()
	}
	if r.slow < 8*processors {
		return false
	}
	r.slow = 0
	// Processors that work are not to be had for reads.
	busy := (cpuTime() - r.cpu) > now.Sub(r.since)*time.Duration(processors)/2
	if busy || now.Before(r.next) || wanted() <= processors {
		return false
	}
	r.pause = max(r.pause, shortestWait)
	r.next = now.Add(r.pause)
	r.pause = min(2*r.pause, longestWait)
	return true
}

// stayInSystemCall makes the monitor find a system call twice.
func stayInSystemCall() {
	for end := time.Now().Add(longCall); ; { // signals end the call
		left := time.Until(end)
		if left <= 0 {
			return
		}
		nap := unix.NsecToTimespec(int64(left))
		unix.Nanosleep(&nap, nil)
	}
}

// cpuTime returns how long this program has run.
func cpuTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// wantedReads returns how many reads the pager would have under way.
func (p *Pager) wantedReads() int {
	q := &p.fetches
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue) + q.workers - q.idle + int(p.bringers.Load())
}
