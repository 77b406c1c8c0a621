package pager

import (
	"slices"
	"sort"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// moves are the REMAPs of which the UNMAP that follows has not come, the oldest
// first.
//
// mremap(2) can move memory to a fixed address and shrink it at once. The kernel
// then unmaps the tail and moves the rest, but up to Linux 6.16 its REMAP tells the
// length from before: it says that the tail has moved too, over whatever is there.
// What is right the two UNMAPs tell that come next from that thread, of the tail and
// of the rest. Others' messages may come in between. So a move is remembered with
// the space before it and what was said since, and when it is seen to have been a
// shorter one, it is done again. Until then the kernel refuses every install, for it
// owes events: who is not refused knows that they were all read, and that no UNMAP
// comes, as after MREMAP_DONTUNMAP. Before Linux 5.16 the kernel forgets that: so a
// fault where the tail came over something waits for the UNMAPs, or for a moment,
// and what was moved by MREMAP_DONTUNMAP is mistaken for a shorter move if of where
// it was exactly the tail is unmapped, and then exactly the rest.
//
// Without userfaultfd.FeatureEventUnmap none of that can be seen.
type moves []move

type move struct {
	userfaultfd.Remap
	tail     uint64 // where what was unmapped by itself begins, once that is known
	when     time.Time
	segments []segment // before it
	unmapped []userfaultfd.Range

	overtaken []overtaken
	since     []change
}

// A change is what a message says of the space.
type change struct {
	kind userfaultfd.Event
	r    userfaultfd.Range
	to   uint64
}

// Bounds of what is remembered: no UNMAP follows where MREMAP_DONTUNMAP was said, or
// the feature was not asked for.
const (
	maxMoves = 16
	maxSince = 64

	maxRedone = 64 // moves done again for one message, of a process that wants to keep its pager busy

	longestDoubt = 100 * time.Millisecond
)

// begin remembers a move that is about to be done.
func (all *moves) begin(m userfaultfd.Remap, s *space) {
	if len(*all) == maxMoves {
		*all = slices.Delete(*all, 0, 1)
	}
	*all = append(*all, move{Remap: m, when: time.Now(), segments: slices.Clone(s.segments), unmapped: slices.Clone(s.unmapped), overtaken: slices.Clone(s.overtaken)})
}

// note adds a change to what came since.
func (all *moves) note(c change) {
	for i := range *all {
		(*all)[i].since = append((*all)[i].since, c)
	}
	*all = slices.DeleteFunc(*all, func(m move) bool { return len(m.since) > maxSince })
}

// settle forgets a move that all of what was moved is unmapped of.
func (all *moves) settle(r userfaultfd.Range) {
	*all = slices.DeleteFunc(*all, func(m move) bool { return m.From == r.Start && m.Len == r.Len })
}

// shrunk returns the number of the move that r is the rest of, when its tail was
// unmapped before, or -1.
func (all moves) shrunk(r userfaultfd.Range) int {
	for i := range all {
		switch m := &all[i]; {
		case m.From < r.Start && r.Start-m.From < m.Len && r.Len == m.Len-(r.Start-m.From):
			m.tail = r.Start
		case m.From == r.Start && r.Len < m.Len && m.From+r.Len == m.tail && !m.cameBack():
			return i
		}
	}
	return -1
}

// cameBack reports whether other memory has come to where it was since, which the
// UNMAPs may mean.
func (m *move) cameBack() bool {
	return slices.ContainsFunc(m.since, func(c change) bool {
		return c.kind == userfaultfd.EventRemap && c.to < m.From+m.Len && m.From < c.to+max(c.r.Len, 1)
	})
}

// doubtful reports whether what is at addr may be the tail of a move, and soon be
// known to be what was there before.
func (all moves) doubtful(addr uint64) bool {
	return slices.ContainsFunc(all, func(m move) bool {
		return addr-m.To < m.Len && m.mayBeShorter(userfaultfd.Range{Start: addr, Len: 1})
	})
}

// mayBeShorter reports whether anything may.
func (all moves) mayBeShorter() bool {
	return slices.ContainsFunc(all, func(m move) bool { return m.mayBeShorter(userfaultfd.Range{Start: m.To, Len: m.Len}) })
}

// mayBeShorter reports whether what has moved to r may soon be known not to have come
// over what was there.
func (m *move) mayBeShorter(r userfaultfd.Range) bool {
	if time.Since(m.when) > longestDoubt {
		return false
	}
	start, end := bounds(r)
	for i := sort.Search(len(m.segments), func(i int) bool { return m.segments[i].end > start }); i < len(m.segments) && m.segments[i].start < end; i++ {
		if !m.segments[i].b.isLeft() {
			return true
		}
	}
	return false
}

// unshrink does a move again, without its tail, if that is what the UNMAP of r says,
// and reports whether it is.
func (s *space) unshrink(r userfaultfd.Range) bool {
	i := s.moves.shrunk(r)
	if i < 0 || s.redone == maxRedone {
		return false
	}
	s.redone++
	m := s.moves[i]
	s.segments, s.unmapped, s.overtaken, s.moves = m.segments, m.unmapped, m.overtaken, s.moves[:i]
	for k := range s.moves {
		// These have been told of it, and of what came since.
		n := len(s.moves[k].since)
		s.moves[k].since = s.moves[k].since[:n-1-len(m.since)]
	}
	m.Len = r.Len
	s.move(m.Remap)
	for _, c := range m.since {
		c.apply(s)
	}
	return true
}

// apply has a space follow a change.
func (c change) apply(s *space) {
	switch c.kind {
	case userfaultfd.EventRemove:
		s.remove(c.r)
	case userfaultfd.EventUnmap:
		s.unmap(c.r)
	case userfaultfd.EventRemap:
		s.move(userfaultfd.Remap{From: c.r.Start, To: c.to, Len: c.r.Len})
	}
}
