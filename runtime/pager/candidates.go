package pager

import (
	"math/bits"
	"slices"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// A candidate is what a child has if it has a set of the changes.
type candidate struct {
	set       int
	inherited space
	now       space // with the child's own changes
}

// having returns the candidate that has some of the changes. What shows that a move was
// a shorter one it has if it has the move, whenever it was read.
func (x *inheritedPart) having(h *inheritance, local space, shown map[int]int, has func(k int) bool) candidate {
	c := candidate{inherited: local.layout()}
	for k, i := range x.changes {
		of, ok := shown[k]
		if !ok {
			of = k
		}
		if has(of) {
			c.inherited.redone = 0
			h.changes[i].apply(&c.inherited)
		}
	}
	c.now = c.inherited.layout()
	for _, i := range x.own {
		c.now.redone = 0
		h.own[i].apply(&c.now)
	}
	return c
}

// inOrder returns the candidate that has what was read before the FORK.
func (x *inheritedPart) inOrder(h *inheritance, local space) candidate {
	return x.having(h, local, h.shorter(x.changes), func(k int) bool { return x.changes[k] < h.read })
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
	in := func(c change) bool { return c.kind == userfaultfd.EventUnmap && overlap(c.r, r) }
	return slices.ContainsFunc(x.changes, func(i int) bool { return in(h.changes[i]) }) ||
		slices.ContainsFunc(x.own, func(i int) bool { return in(h.own[i]) })
}

// mayBeOther reports whether what is registered in r may be memory of which nobody has
// heard: the process has registered it after something was unmapped there, or it was
// unmapped or moved itself. It is not, if the child lacks a move to there, before which
// such memory would have gone, and nothing is told that it has.
func (x *inheritedPart) mayBeOther(h *inheritance, set int, of []dependence, r userfaultfd.Range) bool {
	comes, goes := false, false
	for k, i := range x.changes {
		if c := h.changes[i]; set>>k&1 == 0 {
			goes = goes || overlap(c.r, r)
			comes = comes || c.kind == userfaultfd.EventRemap && overlap(userfaultfd.Range{Start: c.to, Len: max(c.r.Len, 1)}, r)
		}
	}
	if comes && !goes {
		return false
	}
	for k, i := range x.changes {
		has := set>>k&1 != 0
		if c := h.changes[i]; c.kind == userfaultfd.EventUnmap && overlap(c.r, r) && (!has && of[k].needs == 0 || has && i < h.read) {
			return true
		}
	}
	return slices.ContainsFunc(x.own, func(i int) bool { return h.own[i].kind == userfaultfd.EventUnmap && overlap(h.own[i].r, r) })
}

// A dependence says which sets of changes make sense.
type dependence struct {
	needs  int // those without which the child has not got it
	with   int // ... nor those without it
	before int // the REMAPs to where it unmaps something that come later
	early  bool
}

// dependences returns those of the UNMAPs among changes. The UNMAP of where memory was
// follows its REMAP. It need not be there, after MREMAP_DONTUNMAP; but of that what is
// read after the FORK is not suspected.
func (h *inheritance) dependences(changes []int) []dependence {
	rest := make([]uint64, len(changes))
	all := make([]dependence, len(changes))
	for k, i := range changes {
		c := h.changes[i]
		if c.kind == userfaultfd.EventRemap {
			rest[k] = c.r.Len
			continue
		}
		all[k].early = i < h.read
		for m, j := range changes {
			x := h.changes[j]
			if x.kind != userfaultfd.EventRemap {
				continue
			}
			to := userfaultfd.Range{Start: x.to, Len: x.r.Len}
			if m > k && overlap(to, c.r) {
				all[k].before |= 1 << m
			}
			if _, out := split([]userfaultfd.Range{c.r}, x.r); m < k && rest[m] >= c.r.Len && len(out) == 0 {
				rest[m] -= c.r.Len
				all[k].needs = 1 << m
				if j >= h.read {
					all[k].with = 1 << m
				}
				break
			}
		}
	}
	return all
}

// maxSets bounds how many sets of changes are tried, which takes some milliseconds
// at most.
const maxSets = 1024

// sets returns the sets of changes that make sense, or none if there are too many.
func (x *inheritedPart) sets(h *inheritance, all []dependence) (sets []int) {
	if len(x.changes) >= bits.UintSize-1 {
		return nil
	}
	var choose func(k, set int) bool
	choose = func(k, set int) bool {
		switch {
		case !x.makesSense(h, k, set, all):
			return true
		case k < len(x.changes):
			return choose(k+1, set) && choose(k+1, set|1<<k)
		case len(sets) == maxSets:
			return false
		}
		sets = append(sets, set)
		return true
	}
	if !choose(0, 0) {
		return nil
	}
	return sets
}

// makesSense reports whether a child may have that set of the first n changes, and of
// them nothing else. Of memory that was unmapped before its FORK was read, it may have
// some. But it has no right to it, as its parent had not: it is as if it were gone, and
// what is there is memory of which nobody has heard. That goes for what is unmapped by
// itself; a mremap(2) over memory is one change.
func (x *inheritedPart) makesSense(h *inheritance, n, set int, all []dependence) bool {
	for k, d := range all[:n] {
		if h.changes[x.changes[k]].kind != userfaultfd.EventUnmap {
			continue
		}
		may, must := set&d.needs == d.needs, d.before == 0 && d.early || set&(d.before|d.with) != 0
		if has := set>>k&1 != 0; has && !may || !has && may && must {
			return false
		}
	}
	return true
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
