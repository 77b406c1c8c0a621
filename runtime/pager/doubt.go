package pager

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// errNoHugePage is what EEXIST means when a page is missed again after it.
var errNoHugePage = errors.New("pager: there is no huge page left in the system's pool: /proc/sys/vm/nr_hugepages")

// doubts are huge pages of which the kernel said lately that they are there.
//
// UFFDIO_COPY of a huge page fails with EEXIST in two cases: the page is there,
// or the pool is empty and only its entry in the page table is (seen with Linux
// 6.18). Who believes the first wakes the thread, which faults again, for ever;
// who remembers the page as installed gives it zeros as soon as there is memory.
// So EEXIST proves nothing of a huge page. The first one is followed by a wake,
// as it must be; when the page is missed again after that, there is no memory.
type doubts struct {
	n   atomic.Int32
	mu  sync.Mutex
	all map[uint64]doubt // by address
}

type doubt struct {
	times int
	last  time.Time
}

// add notes an EEXIST, and returns how many there were within a second of
// one another.
func (d *doubts) add(addr uint64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = make(map[uint64]doubt)
	}
	now := time.Now()
	for a, x := range d.all {
		if now.Sub(x.last) > time.Second {
			delete(d.all, a)
		}
	}
	x := d.all[addr]
	x.times, x.last = x.times+1, now
	d.all[addr] = x
	d.n.Store(int32(len(d.all)))
	return x.times
}

// clear forgets what an install has settled.
func (d *doubts) clear(r userfaultfd.Range) {
	if d.n.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for a := range d.all {
		if r.Contains(a) {
			delete(d.all, a)
		}
	}
	d.n.Store(int32(len(d.all)))
}
