package pager

import (
	"errors"
	"sync"
	"sync/atomic"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// errNoHugePage is what EEXIST means when a page is missed again after it.
var errNoHugePage = errors.New("pager: there is no huge page left in the system's pool: /proc/sys/vm/nr_hugepages")

// doubts are huge pages of which the kernel said that they are there.
//
// UFFDIO_COPY of a huge page fails with EEXIST in two cases: the page is there,
// or the pool is empty and only its entry in the page table is (seen with Linux
// 6.18). Who believes the first wakes the thread, which faults again, for ever;
// who remembers the page as installed gives it zeros as soon as there is memory.
// So EEXIST proves nothing of a huge page. The first one is followed by a wake,
// as it must be; when the page is missed again after that, there is no memory.
// Background workers meet it without a fault, of pages that are there.
type doubts struct {
	n   atomic.Int32
	mu  sync.Mutex
	all map[uint64]bool // by address: whether it was missed since
}

// maxDoubts bounds them: a page whose doubt was forgotten is missed once more.
const maxDoubts = 4096

// add notes an EEXIST, and reports whether the page was missed after one before.
func (d *doubts) add(addr uint64) (missed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil || len(d.all) == maxDoubts {
		d.all = make(map[uint64]bool)
	}
	missed = d.all[addr]
	d.all[addr] = missed
	d.n.Store(int32(len(d.all)))
	return missed
}

// miss notes that a page is missed.
func (d *doubts) miss(addr uint64) {
	if d.n.Load() == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.all[addr]; ok {
		d.all[addr] = true
	}
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
