package pager

import (
	"slices"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// An inheritance is what is known of the address space of a child of fork(2).
//
// The kernel copies the address space first, and queues the FORK then, as mremap(2)
// and munmap(2) queue their messages when they are done. A FORK can overtake the REMAP
// of another thread, or be overtaken: one fork(2) in five, where another thread does
// nothing but move memory over other memory (measured on Linux 6.18). So of what was
// read before the FORK the child may have nothing, and of what is read after it all,
// for as long as the parent is owed events.
//
// Which of these changes it has, its userfaultfd tells: memory is registered where it
// is, and nowhere else. All sets of them are tried, those are out that do not fit
// what is registered, or that the parent could not have gone on from as it has, and where
// the others differ, nobody knows what is there: it is poisoned when it is missed.
//
// That is exact but for two things: what MREMAP_DONTUNMAP has left is taken for what
// was there if its REMAP is overtaken, and for memory of which nobody has heard see
// natural.
//
// Before Linux 5.16 the parent is never known to be owed nothing, and all that it has
// done within a moment would be in doubt. There the order of the messages holds, unless
// what is registered contradicts it: the child has what was read before the FORK, and
// is served at once. That is wrong if one was overtaken, and memory of which nobody has
// heard is where that would be seen. It has no order yet while a move may turn out to
// have been a shorter one, or memory that was unmapped to have been moved over.
type inheritance struct {
	before  space               // the parent's address space when it was owed nothing, with the child's states
	changes []change            // since then, until it was owed nothing again
	read    int                 // so many of them before the FORK
	lost    bool                // and there were more
	beyond  []userfaultfd.Range // which are about these
	ordered bool                // they have come in order, unless it is seen that they have not
	forked  time.Time
	at      int // so many of all that the parent has noted are known

	own []change // the child's, since
}

// inherit finds out what a child has, before it is served. What the child changes
// meanwhile is read, and applied then.
func (p *Pager) inherit() {
	h := p.inheritance
	if h == nil {
		return
	}
	p.inheritance = nil
	q, err := newInquiry(uint64(p.systemPage))
	if err != nil {
		h.lost = true // nothing can be asked
	}
	defer q.close()
	var read []userfaultfd.Msg
	discards := false
	for end := time.Now().Add(longestChildhood); ; time.Sleep(max(p.hooks.childhood, 50*time.Microsecond)) {
		if !discards {
			p.order.beginRead()
		}
		for {
			n, err := p.file.TryRead(p.msgs)
			if n == 0 || err != nil {
				break
			}
			for _, m := range p.msgs[:n] {
				switch m.Event() {
				case userfaultfd.EventPagefault:
					continue // all are woken when it is served
				case userfaultfd.EventRemove:
					discards = true
				case userfaultfd.EventUnmap:
					h.own = append(h.own, change{kind: userfaultfd.EventUnmap, r: m.Unmap()})
				case userfaultfd.EventRemap:
					r := m.Remap()
					h.own = append(h.own, change{userfaultfd.EventRemap, userfaultfd.Range{Start: r.From, Len: r.Len}, r.To})
				}
				read = append(read, m)
			}
		}
		var s space
		known := !p.owesEvents()
		if known {
			s = h.layout(func(addr uint64) bool {
				registered, out := q.isRegistered(p, addr)
				known = known && out != changing
				return registered
			})
		}
		if late := time.Now().After(end); known || late {
			switch {
			case known && !h.lost:
			case h.ordered:
				s = p.space // as it was when the FORK was read
				if h.lost {
					p.cfg.ZeroOutside = false // what nobody has heard of may be what was overtaken
					p.log.Error("pager: a child was forked while too much changed to know what it has; it is served from what was told in order, and nothing else is made zeros")
				}
			default:
				h.lost = true
				s = h.layout(nil)
				p.cfg.ZeroOutside = false // it may be anywhere
				p.log.Error("pager: a child was forked while too much changed to know what it has; what it misses of that is poisoned, and what is in no region")
			}
			p.space = s
			for i := range read {
				p.apply(&read[i])
			}
			p.order.endRead()
			return
		}
		// Nothing is installed, for its parent either, where that was read and not applied.
		if !discards {
			p.order.endRead()
		}
	}
}

// longestChildhood bounds how long a child that changes its address space all the time is
// asked what it has, and how long it waits for a parent that does.
const longestChildhood = 2 * time.Second

// layout returns the address space of the child before its own changes.
func (h *inheritance) layout(registered func(addr uint64) bool) space {
	s := h.before.layout()
	if h.lost {
		about := slices.Clone(h.beyond)
		for _, c := range h.changes {
			about = append(about, h.before.ranges(c)...)
		}
		for _, r := range about {
			for _, part := range s.cut(r) {
				s.estrange(rangeOf(part), part.b)
			}
		}
		return s
	}
	known := make(map[uint64]bool)
	for _, part := range h.parts() {
		part.settle(h, &s, func(addr uint64) bool {
			is, ok := known[addr]
			if !ok {
				is = registered(addr)
				known[addr] = is
			}
			return is
		})
	}
	s.mergeVacant()
	return s
}

// isInOrder reports whether all is registered that the child has if the messages have
// come in order. What has moved may be from the midst of a mapping.
func (p *Pager) isInOrder() bool {
	var longest uint64
	for i := range p.space.segments {
		longest = max(longest, rangeOf(p.space.segments[i]).Len)
	}
	if longest == 0 {
		return true
	}
	q, err := newInquiry(longest)
	if err != nil {
		return false
	}
	defer q.close()
	for _, seg := range p.space.segments {
		if seg.b.isLeft() {
			continue
		}
		for at := seg.start; at < seg.end; {
			n, out := q.mappingLen(p, userfaultfd.Range{Start: at, Len: seg.end - at}, seg.b.pageSize)
			if out != done || n == 0 || q.asked > maxAsked {
				return false
			}
			at += n
		}
	}
	return true
}
