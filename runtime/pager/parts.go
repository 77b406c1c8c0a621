package pager

import (
	"slices"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// An inheritedPart are changes of the same memory.
type inheritedPart struct {
	ranges  []userfaultfd.Range // ascending and apart
	changes []int               // of the parent's
	own     []int

	dependences []dependence // of the changes
}

// parts returns the changes of the parent's that have nothing to do with each other
// apart.
func (h *inheritance) parts() (parts []inheritedPart) {
	for i, c := range slices.Concat(h.changes, h.own) {
		x := inheritedPart{ranges: h.before.ranges(c)}
		if i < len(h.changes) {
			x.changes = []int{i}
		} else {
			x.own = []int{i - len(h.changes)}
		}
		parts = slices.DeleteFunc(parts, func(y inheritedPart) bool {
			if !slices.ContainsFunc(x.ranges, func(r userfaultfd.Range) bool { return overlapsAny(r, y.ranges) }) {
				return false
			}
			_, more := split(y.ranges, x.ranges...)
			x.ranges = append(x.ranges, more...)
			x.changes, x.own = append(x.changes, y.changes...), append(x.own, y.own...)
			return true
		})
		parts = append(parts, x)
	}
	parts = slices.DeleteFunc(parts, func(x inheritedPart) bool { return len(x.changes) == 0 })
	for i := range parts {
		slices.Sort(parts[i].changes)
		slices.Sort(parts[i].own)
	}
	return parts
}

// ranges returns what a change is about.
func (s *space) ranges(c change) []userfaultfd.Range {
	if c.kind != userfaultfd.EventRemap {
		return []userfaultfd.Range{c.r}
	}
	n := c.r.Len
	if n == 0 {
		n = 1
		if seg := s.find(c.r.Start); seg != nil {
			n = seg.b.pageSize
		}
	}
	to := userfaultfd.Range{Start: c.to, Len: n}
	_, rest := split([]userfaultfd.Range{{Start: c.r.Start, Len: n}}, to)
	return append(rest, to)
}

// maxChoices is how many changes around a FORK are tried where there are more.
const maxChoices = 9

// settle replaces what a part is about in s by what the child has.
func (x *inheritedPart) settle(h *inheritance, s *space, registered func(addr uint64) bool) {
	local := space{exact: s.exact, follows: s.follows, forgets: s.forgets}
	var any *backing
	for _, r := range x.ranges {
		for _, seg := range append(s.cut(r), s.cutStrange(r)...) {
			local.put(seg)
			any = seg.b
		}
	}
	if any == nil {
		return // nobody knows of this memory
	}
	if h.ordered {
		if c := x.inOrder(h, local); x.fits(c, h, true, registered) {
			x.agree(h, []candidate{c}, s, any)
			x.lengthen(h, []candidate{c}, s, any)
			x.doubtVacated(c, h, s, any, registered)
			return
		}
		x.nearFork(h, &local)
	}
	x.dependences = h.dependences(x.changes)
	every, ok := x.candidates(h, local, registered)
	all := slices.Clone(every)
	for _, r := range x.pieces(all, h) {
		there := registered(r.Start)
		all = slices.DeleteFunc(all, func(c candidate) bool { return !x.canBe(h, &c, &c.now, r, there) })
	}
	if len(all) == 0 && ok {
		all = x.natural(h, local, registered)
	}
	if len(all) == 0 && len(every) > 0 && h.ordered {
		all = x.withheld(h, local, every, registered)
	}
	x.agree(h, all, s, any)
	x.lengthen(h, all, s, any)
}

// agree puts into s what all candidates have in common. Where they do not agree it is
// strange, as everything is if there is none.
func (x *inheritedPart) agree(h *inheritance, all []candidate, s *space, b *backing) {
	if len(all) == 0 {
		for _, r := range x.ranges {
			s.estrange(r, b)
		}
		return
	}
	first := &all[0].inherited
	for _, r := range x.pieces(all, h) {
		seg, same := first.find(r.Start), !first.isStrange(r.Start)
		for i := range all[1:] {
			other := all[i+1].inherited.find(r.Start)
			same = same && (seg == nil) == (other == nil) && !all[i+1].inherited.isStrange(r.Start)
			same = same && (seg == nil || seg.b == other.b && seg.pageOf(r.Start) == other.pageOf(r.Start) || seg.b.vacant && other.b.vacant)
		}
		switch {
		case !same:
			s.estrange(r, b)
		case seg != nil:
			part := segment{r.Start, r.End(), seg.b, seg.pageOf(r.Start)}
			if before := s.find(r.Start - 1); before != nil && before.isOneWith(part) {
				before.end = part.end
			} else {
				s.insert(part)
			}
		}
	}
}

// pieces returns the ranges of x, cut wherever anything begins or ends.
func (x *inheritedPart) pieces(all []candidate, h *inheritance) (pieces []userfaultfd.Range) {
	var points []uint64
	add := func(r userfaultfd.Range) { points = append(points, r.Start, r.End()) }
	for _, i := range x.changes {
		for _, r := range h.before.ranges(h.changes[i]) {
			add(r)
		}
	}
	for _, i := range x.own {
		for _, r := range h.before.ranges(h.own[i]) {
			add(r)
		}
	}
	for i := range all {
		for _, segs := range [][]segment{all[i].inherited.segments, all[i].now.segments, all[i].now.strange} {
			for _, seg := range segs {
				add(rangeOf(seg))
			}
		}
	}
	slices.Sort(points)
	points = slices.Compact(points)
	for i := range max(len(points), 1) - 1 {
		r := userfaultfd.Range{Start: points[i], Len: points[i+1] - points[i]}
		if overlapsAny(r, x.ranges) {
			pieces = append(pieces, r)
		}
	}
	return pieces
}

// lengthen has the child's kernel asked how much memory is mapped once more, and what
// there is behind such memory if nobody knows whether it is.
func (x *inheritedPart) lengthen(h *inheritance, all []candidate, s *space, b *backing) {
	for _, i := range x.changes {
		c := h.changes[i]
		if c.kind != userfaultfd.EventRemap || c.r.Len != 0 {
			continue
		}
		asked := share{at: c.to}
		isAsked := func(y candidate) bool { return slices.Contains(y.inherited.shares, asked) }
		switch {
		case s.find(c.to) != nil:
			if slices.ContainsFunc(all, isAsked) && !slices.Contains(s.shares, asked) {
				s.shares = append(s.shares, asked)
			}
		case s.isStrange(c.to):
			rest := segment{start: c.to + b.pageSize, b: b.estranged(nil)}
			if rest.end = rest.start + h.before.longest(); rest.end < c.to {
				continue
			}
			if i := s.search(rest.start); i < len(s.segments) {
				rest.end = min(rest.end, s.segments[i].start)
			}
			if rest.start < rest.end {
				s.cutStrange(rangeOf(rest))
				s.inquire(s.addStrange(rest))
			}
		}
	}
}

// longest returns how many bytes there are at most of what may be mapped once more.
func (s *space) longest() (n uint64) {
	for _, seg := range slices.Concat(s.segments, s.strange) {
		b := seg.b
		if b.of != nil {
			b = b.of
		}
		n = max(n, uint64(b.states.n)*b.pageSize)
	}
	return n
}

// nearFork leaves of the changes those around the FORK, where there are more than can
// be tried: those long before it have come in order, as far as they are complete.
func (x *inheritedPart) nearFork(h *inheritance, local *space) {
	read := 0
	for read < len(x.changes) && x.changes[read] < h.read {
		read++
	}
	x.changes = x.changes[:min(len(x.changes), read+maxChoices/2)]
	had, left := local.layout(), x.changes
	for n := range read {
		if len(x.changes) <= maxChoices {
			return
		}
		had.redone = 0
		if h.changes[left[n]].apply(&had); had.isSettled() {
			*local, x.changes = had.layout(), left[n+1:]
		}
	}
}

// doubtVacated has nobody know what the child has where something was unmapped before
// the FORK was read, if after it a move was read to there. A mremap(2) over memory tells
// of that first, and the child may have been copied before it.
func (x *inheritedPart) doubtVacated(c candidate, h *inheritance, s *space, b *backing, registered func(addr uint64) bool) {
	for _, r := range x.pieces([]candidate{c}, h) {
		was, comes := false, false
		for _, i := range x.changes {
			y := h.changes[i]
			was = was || i < h.read && y.kind == userfaultfd.EventUnmap && overlap(y.r, r)
			comes = comes || i >= h.read && y.kind == userfaultfd.EventRemap && overlap(userfaultfd.Range{Start: y.to, Len: y.r.Len}, r)
		}
		if was && comes && c.inherited.find(r.Start) == nil && c.now.find(r.Start) == nil && registered(r.Start) {
			s.estrange(r, b)
		}
	}
}
