package pager

import (
	"slices"
	"sort"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// A space is the served process's addresses: which of them are served, and with
// what. It is read and changed under the order's lock.
type space struct {
	segments []segment // ascending and apart

	// unmapped are ranges of which an UNMAP is still to come that means memory
	// which is no longer there.
	unmapped []userfaultfd.Range

	moves   moves
	redone  int  // how many moves one message has had done again
	exact   bool // REMAP tells how long the memory is that has moved: no move is kept
	follows bool // UNMAPs come, and it is known when none is to come any more

	overtaken []overtaken

	shares  []share   // what is to be asked of memory that is mapped once more
	strange []segment // where nobody knows what is there
	forgets bool      // ... and anywhere else where nothing is known: there was too much of that
}

// A segment is a run of addresses that maps a run of a backing's pages.
type segment struct {
	start, end uint64
	b          *backing
	page       int // the backing's page at start
}

// pageOf returns the backing's page at addr.
func (s *segment) pageOf(addr uint64) int { return s.page + s.b.pagesIn(addr-s.start) }

// addrOf returns where a page is.
func (s *segment) addrOf(page int) uint64 { return s.start + uint64(page-s.page)*s.b.pageSize }

// pages returns the first page and that after the last.
func (s *segment) pages() (from, to int) { return s.page, s.pageOf(s.end) }

// at returns s without what comes before addr.
func (s segment) at(addr uint64) segment {
	s.page = s.pageOf(addr)
	s.start = addr
	return s
}

// find returns the segment that addr is in, or nil. It is valid until the space
// changes.
func (s *space) find(addr uint64) *segment {
	i := s.search(addr)
	if i < len(s.segments) && s.segments[i].start <= addr {
		return &s.segments[i]
	}
	return nil
}

// search returns the first segment that ends after addr.
func (s *space) search(addr uint64) int {
	if len(s.segments) == 1 && addr < s.segments[0].end {
		return 0
	}
	return sort.Search(len(s.segments), func(i int) bool { return s.segments[i].end > addr })
}

// insert adds a segment where there is none.
func (s *space) insert(seg segment) {
	s.segments = slices.Insert(s.segments, s.search(seg.start), seg)
}

// within calls f for the parts of segments in r. f does not change the space.
func (s *space) within(r userfaultfd.Range, f func(segment)) {
	start, end := bounds(r)
	for i := s.search(start); i < len(s.segments) && s.segments[i].start < end; i++ {
		seg := s.segments[i]
		if start > seg.start {
			seg = seg.at(start)
		}
		seg.end = min(seg.end, end)
		f(seg)
	}
}

// cut removes r, and returns the segments that were there.
func (s *space) cut(r userfaultfd.Range) []segment {
	start, end := bounds(r)
	first := s.search(start)
	last := first
	var gone, left []segment
	for ; last < len(s.segments) && s.segments[last].start < end; last++ {
		seg := s.segments[last]
		if seg.start < start {
			before := seg
			before.end = start
			left = append(left, before)
			seg = seg.at(start)
		}
		if seg.end > end {
			left = append(left, seg.at(end))
			seg.end = end
		}
		gone = append(gone, seg)
	}
	s.segments = slices.Replace(s.segments, first, last, left...)
	return gone
}

// remove follows a discard: pages of r are zeros, or in the source again.
func (s *space) remove(r userfaultfd.Range) {
	s.moves.note(change{kind: userfaultfd.EventRemove, r: r})
	s.assume(r, false)
	s.within(r, func(part segment) {
		if !part.b.vacant {
			part.b.discard(part.pages())
		}
	})
	s.discardStrange(r)
}

// discard notes that pages from to to were discarded.
func (b *backing) discard(from, to int) {
	b.written.set(from, to, true)
	if b.refetch {
		b.states.set(from, to, Untouched)
	} else {
		b.states.set(from, to, Removed)
	}
}

// unmap follows a munmap(2).
//
// The kernel queues an UNMAP after the fact, when other threads may have moved
// memory to where the old was: the message of that can come first, and the UNMAP
// means what was there before. Whatever was moved there in between is left alone.
func (s *space) unmap(r userfaultfd.Range) {
	for s.unshrink(r) {
	}
	s.moves.note(change{kind: userfaultfd.EventUnmap, r: r})
	s.moves.settle(r)
	defer s.tellOvertaken(r)
	start, end := bounds(r)
	s.assume(r, true)
	var later []userfaultfd.Range // what is still to come
	left := []userfaultfd.Range{{Start: start, Len: end - start}}
	for _, u := range s.unmapped {
		stale, fresh := split(left, u)
		left = fresh
		for _, part := range stale {
			s.dropVacant(part)
		}
		_, more := split([]userfaultfd.Range{u}, stale...)
		later = append(later, more...)
	}
	s.unmapped = later
	for _, part := range left {
		s.cut(part)
		s.cutStrange(part)
	}
}

// split returns what of ranges is in any of others, which are apart, and what is not.
func split(ranges []userfaultfd.Range, others ...userfaultfd.Range) (in, out []userfaultfd.Range) {
	out = ranges
	for _, other := range others {
		start, end := bounds(other)
		var rest []userfaultfd.Range
		for _, r := range out {
			from, to := bounds(r)
			first, last := max(from, start), min(to, end)
			if first >= last {
				rest = append(rest, r)
				continue
			}
			in = append(in, userfaultfd.Range{Start: first, Len: last - first})
			if from < first {
				rest = append(rest, userfaultfd.Range{Start: from, Len: first - from})
			}
			if last < to {
				rest = append(rest, userfaultfd.Range{Start: last, Len: to - last})
			}
		}
		out = rest
	}
	return in, out
}

// dropVacant removes what is vacant in r.
func (s *space) dropVacant(r userfaultfd.Range) {
	for _, seg := range append(s.cut(r), s.cutStrange(r)...) {
		if !seg.b.isLeft() {
			s.put(seg)
		}
	}
}

// move follows an mremap(2). Where the memory was, new memory is, and so zeros,
// if that was done with MREMAP_DONTUNMAP, or the same, if it is shared; otherwise
// an UNMAP follows. And where it is now there can be nothing else: if there is, its
// UNMAP has not come yet.
func (s *space) move(m userfaultfd.Remap) {
	s.moves.note(change{userfaultfd.EventRemap, userfaultfd.Range{Start: m.From, Len: m.Len}, m.To})
	if m.Len == 0 {
		s.share(m)
		return
	}
	if !s.exact {
		s.moves.begin(m, s)
	}
	from, to := userfaultfd.Range{Start: m.From, Len: m.Len}, userfaultfd.Range{Start: m.To, Len: m.Len}
	s.assume(from, true)
	moved, doubtful := s.takeOvertaken(from)
	if doubtful != nil {
		s.displace(to)
		s.estrange(from, doubtful)
		s.estrange(to, doubtful)
		s.expectUnmap(from)
		return
	}
	var stays []segment
	for _, seg := range moved {
		stays = append(stays, s.cut(rangeOf(seg))...)
		stays = append(stays, s.cutStrange(rangeOf(seg))...)
	}
	// Of what was overtaken an UNMAP is expected already.
	_, rest := split([]userfaultfd.Range{from}, rangesOf(moved)...)
	for _, r := range rest {
		s.expectUnmap(r)
	}
	moved = append(moved, s.cut(from)...)
	moved = append(moved, s.cutStrange(from)...)
	for _, seg := range stays {
		s.put(seg)
	}
	s.displace(to)
	for _, seg := range moved {
		if to := seg.start - m.From + m.To; to >= m.To && to+(seg.end-seg.start) > to {
			s.put(segment{to, to + (seg.end - seg.start), seg.b.moved(), seg.page})
		}
	}
	s.vacate(from, moved)
}

// put adds a segment, of what nobody knows too.
func (s *space) put(seg segment) {
	if seg.b.strange {
		s.addStrange(seg)
	} else {
		s.insert(seg)
	}
}

// displace removes what is in r, of which a message is still to come.
func (s *space) displace(r userfaultfd.Range) {
	for _, seg := range s.cut(r) {
		if !seg.b.isLeft() {
			s.expectUnmap(rangeOf(seg))
			s.overtake(seg)
			continue
		}
		// That of its move is expected, or was found not to come.
		_, rest := split([]userfaultfd.Range{rangeOf(seg)}, s.unmapped...)
		for _, r := range rest {
			s.expectUnmap(r)
		}
	}
	for _, seg := range s.cutStrange(r) {
		s.overtake(seg) // if it is there
	}
}

// maxUnmapped bounds what is remembered of UNMAPs that never come, because the
// memory was moved by MREMAP_DONTUNMAP, or the feature was not asked for, where it is
// not known when none is to come any more.
const maxUnmapped = 256

func (s *space) expectUnmap(r userfaultfd.Range) {
	if len(s.unmapped) == maxUnmapped {
		s.unmapped = s.unmapped[1:]
	}
	s.unmapped = append(s.unmapped, r)
}

// maxLeft bounds how many segments are kept that memory was moved away from. What is
// moved may be such segments, and leaves as many, so that a process could double them
// by each message. Where there would be more, nobody knows what is there.
const maxLeft = 1024

// vacate leaves zeros where segments were, which are of r, and nothing is now; shared
// memory is still what it was, and so may be what nobody knows.
func (s *space) vacate(r userfaultfd.Range, segments []segment) {
	left := len(segments)
	for i := range s.segments {
		if s.segments[i].b.isLeft() {
			left++
		}
	}
	if left > maxLeft && len(segments) > 0 {
		s.estrange(r, segments[0].b)
		return
	}
	for _, seg := range segments {
		seg.b = seg.b.leave()
		if seg.b.strange {
			s.put(seg)
			continue
		}
		for seg.start < seg.end {
			i := s.search(seg.start)
			free := seg.end
			if i < len(s.segments) {
				free = min(free, s.segments[i].start)
			}
			if seg.start < free {
				part := seg
				part.end = free
				s.segments = slices.Insert(s.segments, i, part)
			} else {
				free = s.segments[i].end
			}
			if free >= seg.end {
				break
			}
			seg = seg.at(free)
		}
	}
	s.mergeVacant()
}

// mergeVacant keeps the space small where memory moves on and on.
func (s *space) mergeVacant() {
	merged := s.segments[:0]
	for _, seg := range s.segments {
		n := len(merged)
		if n > 0 && seg.b.vacant && merged[n-1].b.vacant && merged[n-1].b.pageSize == seg.b.pageSize && merged[n-1].end == seg.start {
			merged[n-1].end = seg.end
		} else {
			merged = append(merged, seg)
		}
	}
	clear(s.segments[len(merged):])
	s.segments = merged
}

// heirs are the backings of a child of fork(2), by its parent's: the states of private
// memory are its own from then on.
type heirs map[*backing]*backing

func (h heirs) of(segments []segment) []segment {
	segments = slices.Clone(segments)
	for i := range segments {
		b := segments[i].b
		if b.shared || b.vacant {
			continue
		}
		if h[b] == nil {
			own := *b
			own.states = b.states.clone()
			own.written, own.asked = b.written.clone(), b.asked.clone()
			h[b] = &own
		}
		segments[i].b = h[b]
	}
	return segments
}

// layout returns what is where.
func (s *space) layout() space {
	return space{segments: slices.Clone(s.segments), exact: s.exact, follows: s.follows, forgets: s.forgets, shares: slices.Clone(s.shares), strange: slices.Clone(s.strange)}
}

// copy returns s with all that is still to come.
func (s *space) copy() space {
	c := *s
	c.segments, c.unmapped, c.overtaken = slices.Clone(s.segments), slices.Clone(s.unmapped), slices.Clone(s.overtaken)
	c.shares, c.strange, c.moves = slices.Clone(s.shares), slices.Clone(s.strange), slices.Clone(s.moves)
	for i := range c.moves {
		m := &c.moves[i]
		m.segments, m.unmapped = slices.Clone(m.segments), slices.Clone(m.unmapped)
		m.overtaken, m.since = slices.Clone(m.overtaken), slices.Clone(m.since)
	}
	return c
}

// clone returns the layout for a child of fork(2).
func (s *space) clone(h heirs) space {
	c := s.layout()
	c.segments = h.of(c.segments)
	return c
}

// bounds returns where r starts and ends, the end of all addresses at most.
func bounds(r userfaultfd.Range) (start, end uint64) {
	if end = r.Start + r.Len; end < r.Start {
		end = ^uint64(0)
	}
	return r.Start, end
}
