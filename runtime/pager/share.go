package pager

import (
	"slices"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// share follows an mremap(2) of no bytes, which maps the pages of shared memory once
// more. The message does not tell how many: there is one at least, and the rest
// is found out later.
func (s *space) share(m userfaultfd.Remap) {
	of := s.find(m.From)
	if of == nil {
		s.shareStrange(m)
		return
	}
	if of.b.vacant || m.To+of.b.pageSize < m.To {
		return
	}
	b, page := of.b.moved(), of.pageOf(m.From)
	b.shared = true // whatever its Region says: the kernel refuses all other memory
	s.displace(userfaultfd.Range{Start: m.To, Len: b.pageSize})
	s.insert(segment{m.To, m.To + b.pageSize, b, page})
	s.shares = append(s.shares, share{at: m.To})
}

// shareStrange is share of memory that nobody knows.
func (s *space) shareStrange(m userfaultfd.Remap) {
	x := s.strangeAt(m.From)
	if x == nil {
		return
	}
	rest := x.at(m.From)
	n := rest.end - rest.start
	if of := x.b.of; of != nil {
		n = max(n, uint64(of.states.n)*of.pageSize)
	}
	rest.start, rest.end, rest.b = m.To, m.To+n, x.b.estranged(x.b.of)
	if rest.end < m.To {
		return
	}
	s.displace(userfaultfd.Range{Start: m.To, Len: x.b.pageSize})
	if i := s.search(m.To); i < len(s.segments) {
		rest.end = min(rest.end, s.segments[i].start)
	}
	s.cutStrange(rangeOf(rest))
	s.inquire(s.addStrange(rest))
}

// shared returns the segment that begins with memory which is mapped once more at at,
// and where that ends at most; nil if it is gone.
func (s *space) shared(at uint64) (seg *segment, most uint64) {
	i := s.search(at)
	if i == len(s.segments) || s.segments[i].start > at || !s.segments[i].b.shared {
		return nil, 0
	}
	seg = &s.segments[i]
	most = seg.end + uint64(seg.b.states.n-seg.pageOf(seg.end-1)-1)*seg.b.pageSize
	if i+1 < len(s.segments) {
		most = min(most, s.segments[i+1].start)
	}
	return seg, max(most, seg.end)
}

// A share is what the kernel is to be asked of memory that is mapped once more.
type share struct {
	at   uint64   // that begins here, and how much it is is not known
	rest *backing // ... or this, of which is to be asked what is there
}

// assume takes what a message tells of, right behind memory that is mapped once more, for
// more of that. goes says that it is taken away, and then nobody knows what comes after.
func (s *space) assume(r userfaultfd.Range, goes bool) {
	start, end := bounds(r)
	for _, x := range s.shares {
		if x.rest != nil {
			continue
		}
		seg, most := s.shared(x.at)
		if seg == nil || end <= x.at || most <= start {
			continue
		}
		if n := min(end, most) - seg.start; end > seg.end {
			seg.end = min(most, seg.start+(n+seg.b.pageSize-1)/seg.b.pageSize*seg.b.pageSize)
			s.cutStrange(rangeOf(*seg))
		}
		if goes && end < most {
			s.inquire(s.addStrange(segment{end, most, seg.b, seg.pageOf(end)}))
		}
	}
}

// inquire has the kernel asked what is where nobody knows.
func (s *space) inquire(rest *backing) {
	if x := (share{rest: rest}); len(s.shares) < maxStrange && !slices.Contains(s.shares, x) {
		s.shares = append(s.shares, x)
	}
}

// lengthen finds out how much memory is mapped once more. One mapping is one file,
// offset by offset, so the kernel is asked how far the one goes whose first page is
// known. What it cannot tell yet stays in the space's shares: nothing can be
// installed until then.
func (p *Pager) lengthen() {
	s := &p.space
	for ; len(s.shares) > 0; s.shares = s.shares[1:] {
		if rest := s.shares[0].rest; rest != nil {
			if p.clarify(rest) == changing {
				return
			}
			continue
		}
		seg, most := s.shared(s.shares[0].at)
		if seg == nil {
			continue
		}
		size := seg.b.pageSize
		if seg.end > seg.start+size && !p.confirm(seg) {
			return
		}
		last := seg.end - size
		n, out := p.mappingLen(userfaultfd.Range{Start: last, Len: most - last}, size)
		switch out {
		case changing:
			return
		case failed:
			s.addStrange(segment{seg.end, most, seg.b, seg.pageOf(seg.end)})
			continue
		}
		seg.end = max(seg.end, last+n)
		s.cutStrange(rangeOf(*seg)) // what was there before
		// What follows and is registered may be of that file too, by another mapping
		// since mprotect(2), or beyond the region, and nobody knows what is there.
		n, out = p.unknownLen(seg.end, uint64(seg.b.states.n)*size, size)
		if out == changing {
			return
		}
		if n > 0 {
			s.addStrange(segment{seg.end, seg.end + n, seg.b, seg.pageOf(seg.end)})
		}
	}
}

// confirm takes back what was assumed of memory that is mapped once more and is not
// there, and reports whether it could be told. Such memory has no gaps.
func (p *Pager) confirm(seg *segment) bool {
	at := seg.start
	for at < seg.end {
		n, out := p.mappingLen(userfaultfd.Range{Start: at, Len: seg.end - at}, seg.b.pageSize)
		switch {
		case out == changing:
			return false
		case out == failed:
			return true
		case n == 0:
			seg.end = max(at, seg.start+seg.b.pageSize)
			return true
		}
		at += n
	}
	return true
}

// clarify finds out what is where nobody knows. It is more of the memory before it if
// it is one mapping with that, as it is again when mprotect(2) has joined what it had
// split. Where nothing is registered nothing is left: what comes there is new.
func (p *Pager) clarify(rest *backing) outcome {
	s := &p.space
	for _, x := range slices.Clone(s.strange) {
		if x.b != rest {
			continue
		}
		known, out := p.continues(&x)
		if out == changing {
			return changing
		}
		if known > x.start {
			s.cutStrange(userfaultfd.Range{Start: x.start, Len: known - x.start})
			s.find(x.start - 1).end = known
			rest.recall(x.page, x.pageOf(known))
			x = x.at(known)
		}
		n, out := p.unknownLen(x.start, x.end-x.start, x.b.pageSize)
		if out == changing {
			return changing
		}
		if n < x.end-x.start {
			s.cutStrange(userfaultfd.Range{Start: x.start + n, Len: x.end - x.start - n})
		}
	}
	return done
}

// continues returns up to where x is one mapping with the page before it, of whose file
// it may be the next pages.
func (p *Pager) continues(x *segment) (known uint64, out outcome) {
	of, size := x.b.of, x.b.pageSize
	before := p.space.find(x.start - 1)
	if of == nil || x.page >= of.states.n || before == nil || !before.isOneWith(segment{x.start, x.end, of, x.page}) {
		return x.start, done
	}
	most := min(x.end, x.start+uint64(of.states.n-x.page)*size)
	if i := p.space.search(x.start); i < len(p.space.segments) {
		most = min(most, p.space.segments[i].start)
	}
	n, out := p.mappingLen(userfaultfd.Range{Start: x.start - size, Len: most - (x.start - size)}, size)
	return x.start - size + max(n, size), out
}

// isMore reports whether addr, of which nobody knows what is there, is more of memory
// that is mapped once more after all, or it cannot be told yet.
func (p *Pager) isMore(addr uint64) bool {
	x := p.space.strangeAt(addr)
	return x != nil && x.b.of != nil && (p.clarify(x.b) == changing || p.space.find(addr) != nil)
}

// addStrange notes memory that nobody knows, but that it may be x.b's from x.page on.
func (s *space) addStrange(x segment) (rest *backing) {
	if !x.b.strange {
		x.b = x.b.estranged(x.b)
	}
	if n := len(s.strange); n >= maxStrange { // a cut may have made one more
		s.strange, s.forgets = slices.Delete(s.strange, 0, n-maxStrange+1), true
	}
	s.strange = append(s.strange, x)
	return x.b
}

// cutStrange removes what nobody knows in r, and returns it.
func (s *space) cutStrange(r userfaultfd.Range) (gone []segment) {
	start, end := bounds(r)
	var left []segment
	for _, x := range s.strange {
		if x.end <= start || end <= x.start {
			left = append(left, x)
			continue
		}
		if x.start < start {
			before := x
			before.end = start
			left = append(left, before)
			x = x.at(start)
		}
		if end < x.end {
			left = append(left, x.at(end))
			x.end = end
		}
		gone = append(gone, x)
	}
	s.strange = left
	return gone
}

// discardStrange follows a discard of what nobody knows. If it is of a region, its pages
// are zeros from now on, wherever they are; until that is known they are nobody's.
func (s *space) discardStrange(r userfaultfd.Range) {
	for _, x := range s.strange {
		of := x.b.of
		if !overlap(rangeOf(x), r) || of == nil || of.refetch {
			continue
		}
		start, end := bounds(r)
		if start > x.start {
			x = x.at(start)
		}
		x.end = min(x.end, end)
		page, to := x.pages()
		to = min(to, of.states.n)
		if page >= to {
			continue
		}
		if x.b.discarded == nil {
			x.b.discarded = newBitmap(of.states.n)
		}
		x.b.discarded.set(page, to, true)
		for page = of.states.next(page, to, Untouched); page < to; page = of.states.next(page, to, Untouched) {
			of.states.set(page, page+1, Poisoned)
		}
		s.inquire(x.b)
	}
}

// recall has what was discarded of b be so, since its pages from to to are known to be of
// the region that it may be of.
func (b *backing) recall(from, to int) {
	for page := b.discarded.next(from, to); page < to; page = b.discarded.next(page+1, to) {
		b.of.discard(page, page+1)
	}
}

// maxStrange bounds what is remembered of that.
const maxStrange = 1024

// strangeAt returns the memory that addr is in and that nobody knows, or nil.
func (s *space) strangeAt(addr uint64) *segment {
	for i := range s.strange {
		if x := &s.strange[i]; x.start <= addr && addr < x.end {
			return x
		}
	}
	return nil
}

// isStrange reports whether addr, which is in no region, may be a page of a file that
// is, and so must not be made zeros.
func (s *space) isStrange(addr uint64) bool {
	return s.strangeAt(addr) != nil || s.forgets && s.find(addr) == nil
}

// unknownLen returns how much of memory in no region is registered, from start on, in
// however many mappings; those are asked for that begin within n bytes.
func (p *Pager) unknownLen(start, n, pageSize uint64) (length uint64, out outcome) {
	for length < n && p.space.find(start+length) == nil {
		at := start + length
		room := n
		if i := p.space.search(at); i < len(p.space.segments) {
			room = min(room, p.space.segments[i].start-at)
		}
		m, out := p.mappingLen(userfaultfd.Range{Start: at, Len: room / pageSize * pageSize}, pageSize)
		switch {
		case out == changing:
			return 0, changing
		case out == failed:
			return n, done // so it may be
		case m == 0:
			return length, done
		}
		length += m
	}
	return length, done
}
