package pager

import (
	"slices"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
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
// what is registered, and where the others differ, nobody knows what is there: it is
// poisoned when it is missed.
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
	before  space    // the parent's address space when it was owed nothing, with the child's states
	changes []change // since then, until it was owed nothing again
	read    int      // so many of them before the FORK
	lost    bool     // and there were more
	ordered bool     // they have come in order, unless it is seen that they have not
	forked  time.Time
	at      int // so many of all that the parent has noted are known

	own []change // the child's, since
}

// recent are changes of an address space since its process was owed nothing.
type recent struct {
	before  space
	changes []change
	lost    bool
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
	if h.lost = h.lost || r.lost; !h.lost {
		h.changes = append(h.changes, r.changes[h.at-r.forgotten:]...)
		h.at = r.forgotten + len(r.changes)
	}
}

func (r *recent) note(c change) {
	r.last = time.Now()
	switch {
	case c.kind == userfaultfd.EventFork:
	case len(r.changes) == maxRecent:
		r.lost = true
	default:
		r.changes = append(r.changes, c)
	}
}

// layout returns what is where.
func (s *space) layout() space {
	return space{segments: slices.Clone(s.segments), exact: s.exact, follows: s.follows, shares: slices.Clone(s.shares), strange: slices.Clone(s.strange)}
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

// maxAsked bounds how often the kernel is asked of a child while its parent waits. It
// answers 300 times in a millisecond.
const maxAsked = 1 << 14

// longestChildhood bounds how long a child that changes its address space all the time is
// asked what it has.
const longestChildhood = 2 * time.Second

// inherit finds out what a child has, before it is served. What the child changes
// meanwhile is read, and applied then.
func (p *Pager) inherit() {
	h := p.inheritance
	if h == nil {
		return
	}
	p.inheritance = nil
	var read []userfaultfd.Msg
	for end := time.Now().Add(longestChildhood); ; time.Sleep(50 * time.Microsecond) {
		p.order.beginRead()
		for {
			n, err := p.file.TryRead(p.msgs)
			if n == 0 || err != nil {
				break
			}
			for _, m := range p.msgs[:n] {
				switch m.Event() {
				case userfaultfd.EventPagefault:
					continue // all are woken when it is served
				case userfaultfd.EventUnmap:
					h.own = append(h.own, change{kind: userfaultfd.EventUnmap, r: m.Unmap()})
				case userfaultfd.EventRemap:
					r := m.Remap()
					h.own = append(h.own, change{userfaultfd.EventRemap, userfaultfd.Range{Start: r.From, Len: r.Len}, r.To})
				}
				read = append(read, m)
			}
		}
		known := true
		s := h.layout(func(addr uint64) bool {
			registered, out := p.isRegistered(addr)
			known = known && out != changing
			return registered
		})
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
				p.log.Error("pager: a child was forked while too much changed to know what it has; what it misses is poisoned")
			}
			p.space = s
			for i := range read {
				p.apply(&read[i])
			}
			p.order.endRead()
			return
		}
		p.order.endRead()
	}
}

// isRegistered asks the kernel whether memory at addr is registered.
func (p *Pager) isRegistered(addr uint64) (bool, outcome) {
	switch p.copyNothing(addr) {
	case unix.EAGAIN:
		return false, changing
	case unix.ESRCH:
		return false, gone
	case unix.ENOENT:
		return false, done
	}
	return true, done // EINVAL if it is a huge page
}

// copyNothing asks for a copy of what cannot be read, and returns why it is not made:
// UFFDIO_COPY looks at its destination before it looks at its source.
func (p *Pager) copyNothing(to uint64) unix.Errno {
	unreadable, err := unix.Mmap(-1, 0, p.systemPage, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return unix.EAGAIN
	}
	defer unix.Munmap(unreadable)
	_, err = p.file.Copy(to, unreadable, userfaultfd.CopyDontWake)
	return cause(err)
}

// layout returns the address space of the child before its own changes.
func (h *inheritance) layout(registered func(addr uint64) bool) space {
	s := h.before.layout()
	if h.lost {
		for _, seg := range slices.Clone(s.segments) {
			s.estrange(rangeOf(seg), seg.b)
		}
		return s
	}
	for _, part := range h.parts() {
		part.settle(h, &s, registered)
	}
	s.mergeVacant()
	return s
}

// An inheritedPart are changes of the same memory.
type inheritedPart struct {
	ranges  []userfaultfd.Range // ascending and apart
	changes []int               // of the parent's
	own     []int
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

// maxChoices bounds how many changes that a child may have or not are tried.
const maxChoices = 9

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

// makesSense reports whether a child may have that set and nothing else. Of memory that
// was unmapped before its FORK was read, it may have some. But it has no right to it,
// as its parent had not: it is as if it were gone, and what is there is memory of which
// nobody has heard. That goes for what is unmapped by itself; a mremap(2) over memory
// is one change.
func makesSense(set int, all []dependence, changes []int, h *inheritance) bool {
	for k, d := range all {
		if h.changes[changes[k]].kind != userfaultfd.EventUnmap {
			continue
		}
		may, must := set&d.needs == d.needs, d.before == 0 && d.early || set&(d.before|d.with) != 0
		if has := set>>k&1 != 0; has && !may || !has && may && must {
			return false
		}
	}
	return true
}

// settle replaces what a part is about in s by what the child has.
func (x *inheritedPart) settle(h *inheritance, s *space, registered func(addr uint64) bool) {
	local := space{exact: s.exact, follows: s.follows}
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
	var all []candidate
	dependences, shown := h.dependences(x.changes), h.shorter(x.changes)
	for set := 0; len(x.changes) <= maxChoices && set < 1<<len(x.changes); set++ {
		if !makesSense(set, dependences, x.changes, h) {
			continue
		}
		c := x.having(h, local, shown, func(k int) bool { return set>>k&1 != 0 })
		c.set = set
		if slices.ContainsFunc(c.inherited.overtaken, func(o overtaken) bool { return !o.told && !o.moved && !o.b.strange }) {
			continue // it has come over what nothing has taken away
		}
		all = append(all, c)
	}
	every := slices.Clone(all)
	for _, r := range x.pieces(every, h) {
		there := registered(r.Start)
		all = slices.DeleteFunc(all, func(c candidate) bool {
			if c.now.isStrange(r.Start) {
				return false // it may be there
			}
			seg := c.now.find(r.Start)
			if seg != nil && seg.b.isLeft() && h.ordered {
				return false // the UNMAP of its move may not have been read
			}
			return (seg != nil) != there && !(there && x.mayBeOther(h, c.set, dependences, r))
		})
	}
	if len(all) == 0 && len(x.changes) <= maxChoices {
		all = x.natural(h, local, registered)
	}
	if len(all) == 0 && len(every) > 0 && h.ordered {
		all = x.withheld(h, local, every, registered)
	}
	x.agree(h, all, s, any)
	x.lengthen(h, all, s, any)
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

// inOrder returns the candidate that has what was read before the FORK.
func (x *inheritedPart) inOrder(h *inheritance, local space) candidate {
	return x.having(h, local, h.shorter(x.changes), func(k int) bool { return x.changes[k] < h.read })
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

// isUnmapped reports whether something was unmapped in r.
func (x *inheritedPart) isUnmapped(h *inheritance, r userfaultfd.Range) bool {
	in := func(c change) bool { return c.kind == userfaultfd.EventUnmap && overlap(c.r, r) }
	return slices.ContainsFunc(x.changes, func(i int) bool { return in(h.changes[i]) }) ||
		slices.ContainsFunc(x.own, func(i int) bool { return in(h.own[i]) })
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

// A candidate is what a child has if it has a set of the changes.
type candidate struct {
	set       int
	inherited space
	now       space // with the child's own changes
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

// mayBeOther reports whether what is registered in r may be memory of which nobody has
// heard: the process has registered it after something was unmapped there, or it was
// unmapped or moved itself.
func (x *inheritedPart) mayBeOther(h *inheritance, set int, of []dependence, r userfaultfd.Range) bool {
	for k, i := range x.changes {
		has := set>>k&1 != 0
		if c := h.changes[i]; c.kind == userfaultfd.EventUnmap && overlap(c.r, r) && (!has && of[k].needs == 0 || has && i < h.read) {
			return true
		}
	}
	return slices.ContainsFunc(x.own, func(i int) bool { return h.own[i].kind == userfaultfd.EventUnmap && overlap(h.own[i].r, r) })
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
