package pager

import (
	"slices"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// A candidate is what a child has if it has a set of the changes.
type candidate struct {
	has       []bool // these of the part's changes
	inherited space
	now       space // with the child's own changes
}

// inOrder returns the candidate that has what was read before the FORK, and what shows that
// a move of that was a shorter one, whenever it was read.
func (x *inheritedPart) inOrder(h *inheritance, local space) candidate {
	c, shown := candidate{inherited: local.layout()}, h.shorter(x.changes)
	for k, i := range x.changes {
		of, ok := shown[k]
		if !ok {
			of = k
		}
		if x.changes[of] < h.read {
			c.inherited.redone = 0
			h.changes[i].apply(&c.inherited)
		}
	}
	c.now = c.inherited.layout()
	x.applyOwn(h, &c.now)
	return c
}

func (x *inheritedPart) applyOwn(h *inheritance, s *space) {
	for _, i := range x.own {
		s.redone = 0
		h.own[i].apply(s)
	}
}

// natural returns the candidate that has what was read before the FORK, and nothing
// else, if all that it knows of is there. It is for memory of which nobody has heard,
// that moves where some is known: no set fits then, and the messages are likelier in
// their order than not.
func (x *inheritedPart) natural(h *inheritance, local space, registered func(addr uint64) bool) []candidate {
	if c := x.inOrder(h, local); x.fits(c, h, false, registered) {
		return []candidate{c}
	}
	return nil
}

// withheld returns that candidate if all that it knows of is there, but for pages that
// are nowhere where they could be: children do not get them (MADV_DONTFORK).
func (x *inheritedPart) withheld(h *inheritance, local space, every []candidate, registered func(addr uint64) bool) []candidate {
	type page struct {
		of *backing
		n  int
	}
	c := x.inOrder(h, local)
	every = append(every, c)
	pieces, missing, there := x.pieces(every, h), make(map[page]bool), make(map[page]bool)
	for _, r := range pieces {
		is := registered(r.Start)
		if seg := c.now.find(r.Start); seg != nil && !seg.b.isLeft() && !is {
			missing[page{seg.b, seg.pageOf(r.Start)}] = true
		} else if seg == nil && is && !x.isUnmapped(h, r) {
			return nil
		}
		for i := range every {
			if seg := every[i].now.find(r.Start); seg != nil && !seg.b.isLeft() && is {
				there[page{seg.b, seg.pageOf(r.Start)}] = true
			}
		}
	}
	for m := range missing {
		if there[m] {
			return nil
		}
	}
	return []candidate{c}
}

// fits reports whether all that such a candidate knows of is there, and, if it is to
// be all, nothing else but what may have come where something was unmapped.
func (x *inheritedPart) fits(c candidate, h *inheritance, all bool, registered func(addr uint64) bool) bool {
	for _, r := range x.pieces([]candidate{c}, h) {
		seg, there := c.now.find(r.Start), registered(r.Start)
		switch {
		case c.now.isStrange(r.Start):
		case seg != nil && !seg.b.isLeft() && !there:
			return false
		case seg == nil && there && all && !x.isUnmapped(h, r):
			return false
		}
	}
	return true
}

// isUnmapped reports whether something was unmapped in r.
func (x *inheritedPart) isUnmapped(h *inheritance, r userfaultfd.Range) bool {
	return anyUnmaps(h.changes, x.changes, r) || anyUnmaps(h.own, x.own, r)
}

// anyUnmaps reports whether one of some changes unmaps something in r.
func anyUnmaps(all []change, some []int, r userfaultfd.Range) bool {
	return slices.ContainsFunc(some, func(i int) bool { return all[i].kind == userfaultfd.EventUnmap && overlap(all[i].r, r) })
}

// canBe reports whether a candidate, of which s is what it has, may have memory registered
// in r, or not.
func (x *inheritedPart) canBe(h *inheritance, c *candidate, s *space, r userfaultfd.Range, there bool) bool {
	seg := s.find(r.Start)
	switch {
	case s.isStrange(r.Start):
		return true
	case seg != nil && seg.b.isLeft() && h.ordered:
		return true // the UNMAP of its move may not have been read
	case seg == nil && there && !x.mayBeOther(h, c.has, r), seg != nil && !there:
		return false
	}
	return x.isOwn(h, r) || x.goesOn(h, c.has, r, there)
}

// mayBeOther reports whether what is registered in r may be memory of which nobody has
// heard: the process has registered it after something was unmapped there, or it was
// unmapped or moved itself.
func (x *inheritedPart) mayBeOther(h *inheritance, has []bool, r userfaultfd.Range) bool {
	for k, has := range has {
		i := x.changes[k]
		switch c := h.changes[i]; {
		case c.kind == userfaultfd.EventRemap && !has && overlap(h.surely(c.r.Start, c.r.Len), r),
			c.kind == userfaultfd.EventUnmap && overlap(c.r, r) && (!has && x.dependences[k].needs < 0 || has && i < h.read):
			return true
		}
	}
	return anyUnmaps(h.own, x.own, r)
}

// goesOn reports whether a parent can have done the rest if the child has these changes,
// with memory in r, or none, when it was copied: what comes to r has room only where an
// UNMAP tells that something has gone, and only what is there can move.
func (x *inheritedPart) goesOn(h *inheritance, has []bool, r userfaultfd.Range, there bool) bool {
	if !h.before.follows {
		return true
	}
	room, comes, moves := 0, false, false
	for k, has := range has {
		if has {
			continue
		}
		c := h.changes[x.changes[k]]
		if c.kind == userfaultfd.EventUnmap {
			if overlap(c.r, r) {
				room++
			}
			continue
		}
		if overlap(h.surely(c.to, c.r.Len), r) {
			room, comes = room-1, true
		}
		// What moves after the FORK may be memory that is registered since.
		moves = moves || overlap(h.surely(c.r.Start, c.r.Len), r) && x.changes[k] < h.read
	}
	if there {
		return room >= 0
	}
	return comes || !moves
}

// surely returns what has moved for sure to or from where a REMAP says that n bytes have.
func (h *inheritance) surely(start, n uint64) userfaultfd.Range {
	if n == 0 || !h.before.exact {
		n = 1
	}
	return userfaultfd.Range{Start: start, Len: n}
}

// A dependence says which sets of changes make sense.
type dependence struct {
	needs int   // the REMAP without which the child has not got an UNMAP, or -1
	with  bool  // ... nor that without it
	later bool  // memory comes to where an UNMAP was, after it
	room  []int // the UNMAPs before a REMAP of where it goes
	after []int // the REMAPs before it from there, or before an UNMAP to there
}

// dependences returns those among changes. The UNMAP of where memory was follows its
// REMAP. It need not be there, after MREMAP_DONTUNMAP; but of that what is read after the
// FORK is not suspected.
func (h *inheritance) dependences(changes []int) []dependence {
	rest := make([]uint64, len(changes))
	all := make([]dependence, len(changes))
	for k, i := range changes {
		c := h.changes[i]
		all[k] = dependence{needs: -1}
		if c.kind == userfaultfd.EventRemap {
			rest[k] = c.r.Len
			for m, j := range changes[:k] {
				y := h.changes[j]
				switch {
				case y.kind == userfaultfd.EventUnmap && overlap(userfaultfd.Range{Start: c.to, Len: c.r.Len}, y.r):
					all[k].room, all[m].later = append(all[k].room, m), true
				case y.kind == userfaultfd.EventRemap && overlap(h.surely(c.to, c.r.Len), h.surely(y.r.Start, y.r.Len)):
					all[k].after = append(all[k].after, m)
				}
			}
			continue
		}
		for m, j := range changes[:k] {
			y := h.changes[j]
			if y.kind != userfaultfd.EventRemap {
				continue
			}
			if overlap(userfaultfd.Range{Start: y.to, Len: max(y.r.Len, 1)}, c.r) {
				all[k].after = append(all[k].after, m)
			}
			if _, out := split([]userfaultfd.Range{c.r}, y.r); all[k].needs < 0 && rest[m] >= c.r.Len && len(out) == 0 {
				rest[m] -= c.r.Len
				all[k].needs, all[k].with = m, j >= h.read
			}
		}
	}
	return all
}

// Bounds of how many sets of changes are tried, and of how many changes all that are looked
// at on the way to them consist. The parent may have to wait for that.
const (
	maxSets = 256
	maxWork = 1 << 16
)

// candidates returns those of the sets that make sense, and whether these are all. What
// is registered rules out most of them early: it is looked at where no more changes are to
// come.
func (x *inheritedPart) candidates(h *inheritance, local space, registered func(addr uint64) bool) (all []candidate, ok bool) {
	shown, known := h.shorter(x.changes), x.known(h, local, registered)
	work := 0
	var extend func(c candidate) bool
	extend = func(c candidate) bool {
		k := len(c.has)
		if work += len(x.changes); work > maxWork {
			return false
		}
		for _, at := range known[k] {
			if !x.canBe(h, &c, &c.inherited, at.Range, at.registered) {
				return true
			}
		}
		if k == len(x.changes) {
			if slices.ContainsFunc(c.inherited.overtaken, func(o overtaken) bool { return !o.told && !o.moved && !o.b.strange }) {
				return true // it has come over what nothing has taken away
			}
			c.now = c.inherited.layout()
			x.applyOwn(h, &c.now)
			all = append(all, c)
			return len(all) <= maxSets
		}
		for _, has := range []bool{false, true} {
			of, isShown := shown[k]
			if isShown && has != c.has[of] || !isShown && !x.makesSense(h, c.has, has) {
				continue
			}
			next := candidate{has: append(slices.Clip(c.has), has), inherited: c.inherited.copy()}
			if has {
				next.inherited.redone = 0
				h.changes[x.changes[k]].apply(&next.inherited)
			}
			if !extend(next) {
				return false
			}
		}
		return true
	}
	if !extend(candidate{inherited: local.layout()}) {
		return nil, false
	}
	return all, true
}

// A knownPiece is a range in which it is known whether memory is registered.
type knownPiece struct {
	userfaultfd.Range
	registered bool
}

// known returns, by how many changes were chosen, the pieces that no more change is about,
// nor the child.
func (x *inheritedPart) known(h *inheritance, local space, registered func(addr uint64) bool) [][]knownPiece {
	all := make([][]knownPiece, len(x.changes)+1)
	if h.ordered {
		return all
	}
	for _, r := range x.pieces([]candidate{{inherited: local}}, h) {
		if last := x.last(h, r); !x.isOwn(h, r) {
			all[last] = append(all[last], knownPiece{r, registered(r.Start)})
		}
	}
	return all
}

// last returns how many changes there are until the last that is about r.
func (x *inheritedPart) last(h *inheritance, r userfaultfd.Range) int {
	for k := len(x.changes); k > 0; k-- {
		if overlapsAny(r, h.before.ranges(h.changes[x.changes[k-1]])) {
			return k
		}
	}
	return 0
}

// isOwn reports whether the child has changed r.
func (x *inheritedPart) isOwn(h *inheritance, r userfaultfd.Range) bool {
	return slices.ContainsFunc(x.own, func(i int) bool { return overlapsAny(r, h.before.ranges(h.own[i])) })
}

// makesSense reports whether a child that has these of the first changes, and of them
// nothing else, may have the next one, or not have it. Of memory that was unmapped before
// its FORK was read, it may have some. But it has no right to it, as its parent had not: it
// is as if it were gone, and what is there is memory of which nobody has heard. That goes
// for what is unmapped by itself; a mremap(2) over memory is one change.
func (x *inheritedPart) makesSense(h *inheritance, of []bool, has bool) bool {
	i, d := x.changes[len(of)], &x.dependences[len(of)]
	may := func(d *dependence) bool { return d.needs < 0 || of[d.needs] }
	isMissing := func(m int) bool { return !of[m] }
	switch {
	case h.changes[i].kind == userfaultfd.EventRemap:
		// What has not told yet that it came was not moved on.
		return !has || !slices.ContainsFunc(d.after, isMissing) &&
			!slices.ContainsFunc(d.room, func(m int) bool { return !of[m] && may(&x.dependences[m]) })
	case has:
		return may(d)
	}
	// Of what has not come it may be, and not of what is there.
	return !may(d) || !d.with && (i >= h.read || d.later || slices.ContainsFunc(d.after, isMissing))
}

// shorter returns which UNMAPs among changes show that a REMAP told a length from
// before the move, and of which (see moves).
func (h *inheritance) shorter(changes []int) map[int]int {
	shown := make(map[int]int)
	for k, i := range changes {
		c, tail := h.changes[i], -1
		if c.kind != userfaultfd.EventRemap || c.r.Len == 0 || h.before.exact {
			continue
		}
	since:
		for m := k + 1; m < len(changes) && m <= k+maxSince; m++ {
			y := h.changes[changes[m]]
			switch {
			case y.kind == userfaultfd.EventRemap:
				if overlap(userfaultfd.Range{Start: y.to, Len: max(y.r.Len, 1)}, c.r) {
					break since
				}
			case y.r == c.r:
				break since
			case c.r.Start < y.r.Start && y.r.Start < c.r.End() && y.r.End() == c.r.End():
				tail = m
			case tail >= 0 && y.r.Start == c.r.Start && y.r.End() == h.changes[changes[tail]].r.Start:
				shown[tail], shown[m] = k, k
				break since
			}
		}
	}
	return shown
}
