package pager

import (
	"slices"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// overtaken is memory that other memory has come over, before any message told that it
// had gone.
//
// munmap(2) and mremap(2) change the address space first, and queue their messages
// then. Another thread can move memory to where the first one's was, and tell of it
// earlier. What was there before has gone nevertheless, to where a message tells that
// is still to come: the UNMAP of a munmap(2), or the REMAP of another move. A mremap(2)
// over memory takes especially long, because it tells of that by an UNMAP, and queues
// the REMAP when that was read.
//
// So a REMAP that comes from such a place is of the memory that was there before, and
// what has come there since stays. Who has overtaken may go on, and move or unmap that
// too, before the one who was overtaken tells anything: then there are two answers, and
// what they differ in is strange: it is poisoned when it is missed.
//
// When the kernel owes no events, nothing is still to come.
type overtaken struct {
	segment
	told  bool // by an UNMAP
	moved bool // ... or a REMAP
}

// overtake notes what is no longer there.
func (s *space) overtake(seg segment) {
	if !s.follows {
		return
	}
	if len(s.overtaken) == maxUnmapped {
		s.overtaken = slices.Delete(s.overtaken, 0, 1)
	}
	s.overtaken = append(s.overtaken, overtaken{segment: seg})
}

// takeOvertaken returns the memory that a REMAP from r means, if it is not, or not in
// all of r, what is there now. If that is not sure, it returns a backing that it may be
// of.
func (s *space) takeOvertaken(r userfaultfd.Range) (taken []segment, doubtful *backing) {
	var meant []*overtaken
	for i := range s.overtaken {
		if o := &s.overtaken[i]; overlap(rangeOf(o.segment), r) {
			meant = append(meant, o)
		}
	}
	if len(meant) == 0 {
		return nil, nil
	}
	// What moves is one mapping, which is all of r, and of several the first.
	var now []segment
	s.within(r, func(seg segment) { now = append(now, seg) })
	for _, o := range meant {
		var parts []segment
		for _, x := range meant {
			if x.isOneWith(o.segment) {
				parts = append(parts, x.segment)
			}
		}
		for _, x := range now {
			if x.isOneWith(o.segment) {
				parts = append(parts, x)
			}
		}
		if _, rest := split([]userfaultfd.Range{r}, rangesOf(parts)...); len(rest) == 0 {
			return s.take(o.segment, r, meant)
		}
	}
	sure := len(now) > 0 && !slices.ContainsFunc(meant, func(o *overtaken) bool { return o.b.strange })
	for _, x := range now {
		sure = sure && x.isOneWith(now[0])
	}
	if _, rest := split([]userfaultfd.Range{r}, rangesOf(now)...); sure && len(rest) == 0 {
		return nil, nil
	}
	s.doubt(meant)
	return nil, meant[0].b
}

// take takes the parts in r of one mapping that was overtaken.
func (s *space) take(of segment, r userfaultfd.Range, meant []*overtaken) (taken []segment, doubtful *backing) {
	meant = slices.DeleteFunc(meant, func(o *overtaken) bool { return !o.isOneWith(of) })
	for _, o := range meant {
		if o.told || o.moved || o.b.strange {
			s.doubt(meant)
			return nil, of.b
		}
	}
	left := []userfaultfd.Range{r}
	for _, o := range meant {
		var in []userfaultfd.Range
		in, left = split(left, rangeOf(o.segment))
		for _, part := range in {
			x := o.at(part.Start)
			x.end = part.End()
			taken = append(taken, x)
		}
		o.moved = true
	}
	return taken, nil
}

// doubt has nobody know any more where memory is that was said to have moved.
func (s *space) doubt(all []*overtaken) {
	for _, o := range all {
		if o.moved {
			s.estrangeAll(o.segment)
		}
		o.moved = true
	}
}

// isOneWith reports whether two segments may be of one mapping.
func (s *segment) isOneWith(x segment) bool {
	return s.b == x.b && s.start-uint64(s.page)*s.b.pageSize == x.start-uint64(x.page)*x.b.pageSize
}

func overlap(a, b userfaultfd.Range) bool {
	start, end := bounds(a)
	from, to := bounds(b)
	return max(start, from) < min(end, to)
}

// overlapsAny reports whether r overlaps any of others.
func overlapsAny(r userfaultfd.Range, others []userfaultfd.Range) bool {
	return slices.ContainsFunc(others, func(other userfaultfd.Range) bool { return overlap(r, other) })
}

// tellOvertaken notes an UNMAP. It is the second one, or comes after a REMAP and that
// move's own UNMAP, if the other memory is unmapped too, or if it was not this memory
// that has moved.
func (s *space) tellOvertaken(r userfaultfd.Range) {
	start, end := bounds(r)
	for i := range s.overtaken {
		o := &s.overtaken[i]
		if o.end <= start || end <= o.start {
			continue
		}
		switch {
		case o.b.strange:
			s.estrange(rangeOf(o.segment), o.b)
		case o.told && o.moved:
			s.estrangeAll(o.segment)
		}
		o.told = true
	}
}

// estrangeAll has nobody know where the pages of seg are, wherever they are thought to
// be.
func (s *space) estrangeAll(seg segment) {
	from, to := seg.pages()
	for _, x := range slices.Clone(s.segments) {
		first, last := x.pages()
		if x.b == seg.b && first < to && from < last {
			s.estrange(rangeOf(x), x.b)
		}
	}
}

// estrange has nobody know what is in r.
func (s *space) estrange(r userfaultfd.Range, b *backing) {
	start, end := bounds(r)
	s.cut(r)
	s.cutStrange(r)
	s.addStrange(segment{start, end, b.estranged(nil), 0})
}

func rangeOf(s segment) userfaultfd.Range {
	return userfaultfd.Range{Start: s.start, Len: s.end - s.start}
}

func rangesOf(all []segment) (ranges []userfaultfd.Range) {
	for _, s := range all {
		ranges = append(ranges, rangeOf(s))
	}
	return ranges
}

// settle forgets what is no longer to come.
func (s *space) settle() {
	s.moves, s.unmapped, s.overtaken = nil, nil, nil
}

// isSettled reports whether nothing is still to come.
func (s *space) isSettled() bool {
	return len(s.moves) == 0 && len(s.unmapped) == 0 && len(s.overtaken) == 0
}

// isOwed reports whether something may still be to come that the kernel tells the end
// of.
func (p *Pager) isOwed() bool {
	return p.kernel >= countsEvents && (p.recent != nil || !p.space.isSettled())
}
