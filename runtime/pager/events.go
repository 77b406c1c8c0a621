package pager

import (
	userfaultfd "github.com/zuffd/uffd/runtime"
)

// apply follows what a message says of the address space. The messages are
// applied in the order in which they were read, under the order's lock.
func (p *Pager) apply(m *userfaultfd.Msg) {
	p.space.redone = 0
	switch m.Event() {
	case userfaultfd.EventRemove:
		r := m.Remove()
		p.space.remove(r)
		p.stats.removes.Add(1)
		p.notify(Event{Kind: EventRemove, Range: r})
	case userfaultfd.EventUnmap:
		r := m.Unmap()
		p.remember(change{kind: userfaultfd.EventUnmap, r: r})
		p.space.unmap(r)
		p.unmapped(r)
		p.wake(r)
		p.stats.unmaps.Add(1)
		p.notify(Event{Kind: EventUnmap, Range: r})
	case userfaultfd.EventRemap:
		m := m.Remap()
		p.remember(change{userfaultfd.EventRemap, userfaultfd.Range{Start: m.From, Len: m.Len}, m.To})
		p.space.move(m)
		from := userfaultfd.Range{Start: m.From, Len: m.Len}
		// Who waits there waits for memory that is gone.
		p.wake(from)
		p.stats.remaps.Add(1)
		p.notify(Event{Kind: EventRemap, Range: from, To: m.To})
	case userfaultfd.EventFork:
		p.stats.forks.Add(1)
		p.remember(change{kind: userfaultfd.EventFork})
		p.forked(m.Fork())
	}
}

// wake wakes all who wait in r. It is always safe: who still misses a page
// faults again.
func (p *Pager) wake(r userfaultfd.Range) {
	start, end := bounds(r)
	mask := uint64(p.systemPage - 1)
	start, end = start&^mask, (end+mask)&^mask
	if end <= start {
		return
	}
	if err := p.file.Wake(userfaultfd.Range{Start: start, Len: end - start}); err == nil {
		p.stats.wakes.Add(1)
	}
}
