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

	moves moves
}

// A segment is a run of addresses that maps a run of a backing's pages.
type segment struct {
	start, end uint64
	b          *backing
	page       int // the backing's page at start
}

// pageOf returns the backing's page at addr.
func (s *segment) pageOf(addr uint64) int { return s.page + int((addr-s.start)/s.b.pageSize) }

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
	s.within(r, func(part segment) {
		b := part.b
		if b.vacant {
			return
		}
		from, to := part.pages()
		b.written.set(from, to, true)
		if b.refetch {
			b.states.set(from, to, Untouched)
		} else {
			b.states.set(from, to, Removed)
		}
	})
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
	start, end := bounds(r)
	var later []userfaultfd.Range // what is still to come
	for _, u := range s.unmapped {
		uStart, uEnd := bounds(u)
		if uEnd <= start || end <= uStart {
			later = append(later, u)
			continue
		}
		if uStart < start {
			later = append(later, userfaultfd.Range{Start: uStart, Len: start - uStart})
		}
		if end < uEnd {
			later = append(later, userfaultfd.Range{Start: end, Len: uEnd - end})
		}
	}
	old := s.unmapped
	s.unmapped = later
	for start < end {
		next := end
		stale := false
		for _, u := range old {
			switch uStart, uEnd := bounds(u); {
			case uStart <= start && start < uEnd:
				stale, next = true, min(next, uEnd)
			case start < uStart:
				next = min(next, uStart)
			}
		}
		part := userfaultfd.Range{Start: start, Len: next - start}
		if stale {
			s.dropVacant(part)
		} else {
			s.cut(part)
		}
		start = next
	}
}

// dropVacant removes what is vacant in r.
func (s *space) dropVacant(r userfaultfd.Range) {
	for _, seg := range s.cut(r) {
		if !seg.b.vacant {
			s.insert(seg)
		}
	}
}

// move follows an mremap(2). Where the memory was, new memory is, and so zeros,
// if that was done with MREMAP_DONTUNMAP; otherwise an UNMAP follows. And where it
// is now there can be nothing else: if there is, its UNMAP has not come yet.
func (s *space) move(m userfaultfd.Remap) {
	s.moves.note(change{userfaultfd.EventRemap, userfaultfd.Range{Start: m.From, Len: m.Len}, m.To})
	s.moves.begin(m, s)
	moved := s.cut(userfaultfd.Range{Start: m.From, Len: m.Len})
	for _, seg := range s.cut(userfaultfd.Range{Start: m.To, Len: m.Len}) {
		if !seg.b.vacant {
			s.expectUnmap(userfaultfd.Range{Start: seg.start, Len: seg.end - seg.start})
		}
	}
	for _, seg := range moved {
		if to := seg.start - m.From + m.To; to+(seg.end-seg.start) > to {
			s.insert(segment{to, to + (seg.end - seg.start), seg.b, seg.page})
		}
	}
	s.expectUnmap(userfaultfd.Range{Start: m.From, Len: m.Len})
	s.vacate(moved)
}

// maxUnmapped bounds what is remembered of UNMAPs that never come, because the
// memory was moved by MREMAP_DONTUNMAP, or the feature was not asked for.
const maxUnmapped = 256

func (s *space) expectUnmap(r userfaultfd.Range) {
	if len(s.unmapped) == maxUnmapped {
		s.unmapped = s.unmapped[1:]
	}
	s.unmapped = append(s.unmapped, r)
}

// vacate leaves zeros where segments were, and nothing is now.
func (s *space) vacate(segments []segment) {
	for _, seg := range segments {
		zeros := &backing{region: -1, pageSize: seg.b.pageSize, huge: seg.b.huge, vacant: true}
		for at := seg.start; at < seg.end; {
			i := s.search(at)
			free := seg.end
			if i < len(s.segments) {
				free = min(free, s.segments[i].start)
			}
			if at < free {
				s.segments = slices.Insert(s.segments, i, segment{at, free, zeros, 0})
				at = free
			} else {
				at = s.segments[i].end
			}
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

// clone returns the space of a child of fork(2): the states of private memory
// are its own from now on.
func (s *space) clone() space {
	backings := make(map[*backing]*backing)
	c := space{segments: slices.Clone(s.segments)}
	for i := range c.segments {
		b := c.segments[i].b
		if b.shared || b.vacant {
			continue
		}
		if backings[b] == nil {
			own := *b
			own.states = b.states.clone()
			own.written, own.asked = b.written.clone(), b.asked.clone()
			backings[b] = &own
		}
		c.segments[i].b = backings[b]
	}
	return c
}

// bounds returns where r starts and ends, the end of all addresses at most.
func bounds(r userfaultfd.Range) (start, end uint64) {
	if end = r.Start + r.Len; end < r.Start {
		end = ^uint64(0)
	}
	return r.Start, end
}
