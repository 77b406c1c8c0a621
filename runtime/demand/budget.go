package demand

import (
	"os"
	"sync"
)

// A Budget limits how many bytes of mappings are in memory. Chunks that were
// not accessed for long are evicted, while views run: an evicted page is merely
// missing again. On Linux 7.3 the kernel tells what views have accessed. Before,
// what is known are the calls of ReadAt and the like, misses that met a chunk in
// place, and that a chunk is wanted again which was evicted not long ago.
//
// What stays is what slices hold, what was written and not flushed, and, as far
// as it can be told, what the views need that run.
//
// A view, or another call, that needs more at once than the budget has, beside
// what stays, fails with [ErrBudget]. Where it is several views that do not fit
// beside each other, one waits for the others, for two seconds at most; then it
// takes from them, and they start again. A view from which that was taken
// several times fails, too. So no view starts again for ever, and none waits
// for ever for another one that waits for it.
//
// The buffers that the source is read into are not counted: there is one of at
// most a Window for each goroutine that reads at the moment.
type Budget struct {
	limit int64 // 0 is none

	mu    sync.Mutex // guards all that follows, and the chunks of its mappings
	used  int64      // bytes that are counted: in place, or being read
	firm  int64      // bytes that are pinned, in place or not, or dirty
	clock clock
	turns uint32 // evictions so far
	last  uint64 // the last claim's number
	news  chan struct{}
	reads int // calls of sources that are going on
}

// NewBudget returns a budget of so many bytes. Zero or less is no limit.
func NewBudget(bytes int64) *Budget { return &Budget{limit: max(bytes, 0)} }

// Used returns how many bytes of its mappings are in memory, or being read.
func (b *Budget) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// changed wakes who waits for room.
func (b *Budget) changed() {
	if b.news != nil {
		close(b.news)
		b.news = nil
	}
}

// uncount takes chunks of a mapping from what is counted.
func (b *Budget) uncount(m *Mapping, chunks int) { b.count(m, -chunks) }

func (b *Budget) count(m *Mapping, chunks int) {
	n := int64(chunks) * int64(m.chunkSize)
	b.used += n
	m.resident += n
}

// room counts one more chunk of m, and makes room for it: by evicting, else by
// waiting for other claims, else by evicting what they hold. It counts nothing
// if chunk c, which it is for, is not absent any more: somebody else was faster.
func (b *Budget) room(m *Mapping, c int, cl *claim) (counted bool, err error) {
	n := int64(m.chunkSize)
	var w waiter
	refused := 0
	for b.limit > 0 && b.used+n > b.limit {
		if m.isClosed() {
			return false, os.ErrClosed
		}
		if m.chunks[c].phase != absent {
			return false, nil
		}
		if cl.bytes+b.firm > b.limit || cl.robbed >= robbedTooOften {
			return false, ErrBudget
		}
		if v, victim := b.clock.victim(cl, w.reach()); v != nil {
			b.evict(v, victim, refused > b.clock.n)
			refused++
		} else if w.isVain() {
			return false, ErrBudget
		} else {
			w.wait(b, m)
		}
	}
	b.count(m, 1)
	return true, nil
}

// roomAhead counts one more chunk of m if there is room, or something to evict
// that nobody holds.
func (b *Budget) roomAhead(m *Mapping) bool {
	n := int64(m.chunkSize)
	for refused := 0; b.limit > 0 && b.used+n > b.limit; refused++ {
		v, c := b.clock.victim(nil, unheld)
		if v == nil {
			return false
		}
		b.evict(v, c, refused > b.clock.n)
	}
	b.count(m, 1)
	return true
}

// share returns how many chunks of m may be read at once without driving out
// what the claim needs beside them.
func (b *Budget) share(m *Mapping, cl *claim) int {
	if b.limit == 0 {
		return maxInt
	}
	return int((b.limit - b.firm - cl.bytes) / 4 / int64(m.chunkSize))
}
