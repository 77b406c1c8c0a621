package pager

import (
	"slices"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// recent are changes of an address space since its process was owed nothing.
type recent struct {
	before  space
	changes []change
	lost    bool
	beyond  []userfaultfd.Range // what those are about that were lost
	last    time.Time

	forgotten int   // so many came before these
	later     space // the address space as it was ...
	laterAt   int   // ... after so many of them
}

// maxRecent bounds them.
const maxRecent = 1024

// remember notes a change that is about to be applied, or a FORK, until nothing is in
// doubt: where the kernel counts what it owes, that is when it owes nothing, and
// elsewhere after a moment.
func (p *Pager) remember(c change) {
	if p.file.Features()&userfaultfd.FeatureEventFork == 0 {
		return
	}
	if p.recent != nil && p.kernel < countsEvents && len(p.unborn) == 0 && time.Since(p.recent.last) > longestDoubt {
		p.recent = nil
	}
	if p.recent == nil {
		p.recent = &recent{before: p.space.layout()}
	}
	if p.kernel < countsEvents {
		p.makeRoom()
	}
	p.recent.note(c)
}

func (r *recent) note(c change) {
	r.last = time.Now()
	switch {
	case c.kind == userfaultfd.EventFork:
	case len(r.changes) == maxRecent:
		r.lost = true
		_, more := split(r.before.ranges(c), r.beyond...)
		if r.beyond = append(r.beyond, more...); len(r.beyond) > maxRecent {
			r.beyond = []userfaultfd.Range{{Len: ^uint64(0)}}
		}
	default:
		r.changes = append(r.changes, c)
	}
}

// makeRoom forgets the older changes in time, where the order of the messages holds: of
// those long before a FORK none is in doubt. The address space is as it is after them.
func (p *Pager) makeRoom() {
	r, settled := p.recent, p.space.isSettled()
	switch n := len(r.changes); {
	case r.lost && settled:
		r.later, r.laterAt, r.lost = p.space.layout(), n, false
		for _, c := range p.unborn {
			if c.inheritance != nil {
				c.inheritance.lost = true
			}
		}
		fallthrough
	case n == maxRecent && r.laterAt > 0:
		for _, c := range p.unborn {
			if c.inheritance != nil {
				c.inheritance.complete(r)
			}
		}
		r.before, r.changes = r.later, slices.Clone(r.changes[r.laterAt:]) // those of children stay
		r.forgotten, r.later, r.laterAt = r.forgotten+r.laterAt, space{}, 0
	case n < maxRecent && n-r.laterAt >= maxRecent/4 && settled:
		r.later, r.laterAt = p.space.layout(), n
	}
}

// inherit tells what a child has, whose FORK was read now.
func (r *recent) inherit(h heirs) *inheritance {
	n := len(r.changes)
	return &inheritance{before: r.before.clone(h), changes: r.changes[:n:n], read: n, lost: r.lost, forked: time.Now(), at: r.forgotten + n}
}

// complete tells what was read since.
func (h *inheritance) complete(r *recent) {
	if h.lost = h.lost || r.lost; h.lost && h.ordered {
		return
	}
	h.changes = append(h.changes, r.changes[h.at-r.forgotten:]...)
	h.at = r.forgotten + len(r.changes)
	h.beyond = r.beyond
}
