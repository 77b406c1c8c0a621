package demand

import (
	"errors"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// evict takes a chunk away, without the lock, if it was not written, nor, but
// with force, accessed lately. Whoever evicts may be using another mapping, so
// this one is kept from being unmapped meanwhile: the addresses could be
// somebody else's by then.
func (b *Budget) evict(m *Mapping, c int, force bool) {
	defer m.leave()
	if !m.refs.enter() {
		return // Close will take it away
	}
	t := newTransfer(c, 1)
	t.taking = true
	m.begin(c, t)
	watched := m.chunks[c].watched
	b.mu.Unlock()
	v := m.tracker.takeAway(m, c, watched, force)
	b.mu.Lock()
	switch v {
	case taken:
		m.end(c, absent)
		b.uncount(m, 1)
		b.turns++
		m.evicted[c] = b.turns
		m.evictions.Add(1)
	case mustStay:
		m.end(c, resident)
		m.setFirm(c, func() { m.chunks[c].dirty = true })
	case wasAccessed:
		m.end(c, resident)
		m.chunks[c].watched = true
		b.enqueue(m, c)
	}
	if m.isClosed() && m.isIdle(c) {
		m.drop(c)
	}
	close(t.done)
	b.changed()
}

// discard takes the pages of n chunks away, without asking.
func (m *Mapping) discard(c, n int) error { return m.discardRange(m.rangeOf(c, n)) }

// discardRange unlocks memory first that the program has locked (mlockall).
func (m *Mapping) discardRange(r userfaultfd.Range) error {
	err := memory.Discard(r)
	if errors.Is(err, unix.EINVAL) {
		if err := unix.Munlock(m.memory.Bytes()[r.Start-m.start:][:r.Len]); err != nil {
			return err
		}
		err = memory.Discard(r)
	}
	return err
}

// drop takes a resident chunk away whatever it holds, and uncounts it.
func (m *Mapping) drop(c int) {
	m.setFirm(c, func() { m.chunks[c].dirty = false })
	m.discard(c, 1)
	m.end(c, absent)
	m.budget.uncount(m, 1)
}

// discardAll takes all away that nobody holds or works on. The mapping is
// closed, so whoever works on a chunk discards it.
func (m *Mapping) discardAll() (err error) {
	b := m.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock.remove(m)
	t := newTransfer(0, 0)
	for first := 0; first < len(m.chunks); {
		if !m.isIdle(first) {
			first++
			continue
		}
		n := 0
		for first+n < len(m.chunks) && m.isIdle(first+n) {
			m.setFirm(first+n, func() { m.chunks[first+n].dirty = false })
			m.begin(first+n, t)
			n++
		}
		b.mu.Unlock()
		failed := m.discard(first, n)
		b.mu.Lock()
		if err == nil {
			err = failed
		}
		for i := range n {
			m.end(first+i, absent)
		}
		b.uncount(m, n)
		first += n
	}
	close(t.done)
	b.changed()
	return err
}

// isInUse reports whether somebody has a chunk's memory in hand, who cannot be
// run again.
func (m *Mapping) isInUse(c int) bool { return m.pins[c] > 0 || m.kept[c] > 0 }

// isIdle reports whether a chunk is in place, and neither in use nor busy.
func (m *Mapping) isIdle(c int) bool { return m.chunks[c].phase == resident && !m.isInUse(c) }
