package pager

import (
	"slices"
	"sort"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// share follows an mremap(2) of no bytes, which maps the pages of shared memory once
// more. The message does not tell how many: there is one at least, and the rest
// is found out later.
func (s *space) share(m userfaultfd.Remap) {
	of := s.find(m.From)
	if of == nil || of.b.vacant || m.To+of.b.pageSize < m.To {
		return
	}
	b, page := of.b.moved(), of.pageOf(m.From)
	b.shared = true // whatever its Region says: the kernel refuses all other memory
	s.displace(userfaultfd.Range{Start: m.To, Len: b.pageSize})
	s.insert(segment{m.To, m.To + b.pageSize, b, page})
	s.shares = append(s.shares, m.To)
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

// assume takes what a message tells of, right behind memory that is mapped once more, for
// more of that. goes says that it is taken away, and then nobody knows what comes after.
func (s *space) assume(r userfaultfd.Range, goes bool) {
	start, end := bounds(r)
	for _, at := range s.shares {
		seg, most := s.shared(at)
		if seg == nil || end <= at || most <= start {
			continue
		}
		if n := min(end, most) - seg.start; end > seg.end {
			seg.end = min(most, seg.start+(n+seg.b.pageSize-1)/seg.b.pageSize*seg.b.pageSize)
		}
		if goes && end < most {
			s.addStrange(seg.b, end, most)
		}
	}
}

// lengthen finds out how much memory is mapped once more. One mapping is one file,
// offset by offset, so the kernel is asked how far the one goes whose first page is
// known. What it cannot tell yet stays in the space's shares: nothing can be
// installed until then.
func (p *Pager) lengthen() {
	s := &p.space
	for ; len(s.shares) > 0; s.shares = s.shares[1:] {
		seg, most := s.shared(s.shares[0])
		if seg == nil {
			continue
		}
		size := seg.b.pageSize
		last := seg.end - size
		n, out := p.mappingLen(userfaultfd.Range{Start: last, Len: most - last}, size)
		switch out {
		case changing:
			return
		case failed:
			s.addStrange(seg.b, seg.end, most)
			continue
		}
		seg.end = max(seg.end, last+n)
		// What follows and is registered may be of that file too, by another mapping
		// since mprotect(2), or beyond the region, and nobody knows what is there.
		for at := seg.end; at-seg.end < uint64(seg.b.states.n)*size && s.find(at) == nil; at += n {
			room := uint64(seg.b.states.n) * size
			if i := s.search(at); i < len(s.segments) {
				room = min(room, s.segments[i].start-at)
			}
			if n, out = p.mappingLen(userfaultfd.Range{Start: at, Len: room / size * size}, size); out == changing {
				return
			}
			if n == 0 {
				break
			}
			s.addStrange(seg.b, at, at+n)
		}
	}
}

// addStrange notes memory that nobody knows.
func (s *space) addStrange(b *backing, start, end uint64) {
	if n := len(s.strange); n >= maxStrange { // a cut may have made one more
		s.strange = slices.Delete(s.strange, 0, n-maxStrange+1)
	}
	s.strange = append(s.strange, segment{start, end, &backing{region: -1, pageSize: b.pageSize, huge: b.huge, vacant: true, strange: true}, 0})
}

// cutStrange removes what nobody knows in r, and returns it.
func (s *space) cutStrange(r userfaultfd.Range) (gone []segment) {
	start, end := bounds(r)
	var left []segment
	for _, x := range s.strange {
		switch {
		case x.end <= start || end <= x.start:
			left = append(left, x)
			continue
		case x.start < start:
			left = append(left, segment{x.start, start, x.b, 0})
		}
		if end < x.end {
			left = append(left, segment{end, x.end, x.b, 0})
		}
		gone = append(gone, segment{max(x.start, start), min(x.end, end), x.b, 0})
	}
	s.strange = left
	return gone
}

// maxStrange bounds what is remembered of that.
const maxStrange = 256

// isStrange reports whether addr, which is in no region, may be a page of a file that
// is, and so must not be made zeros.
func (s *space) isStrange(addr uint64) bool {
	return slices.ContainsFunc(s.strange, func(x segment) bool { return x.start <= addr && addr < x.end })
}

// mappingLen returns how much of r is registered and in one mapping, from its first
// page on.
func (p *Pager) mappingLen(r userfaultfd.Range, pageSize uint64) (n uint64, out outcome) {
	if r.Len == 0 {
		return 0, done
	}
	unreadable, err := unix.Mmap(-1, 0, int(r.Len), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return 0, failed
	}
	defer unix.Munmap(unreadable)
	pages := sort.Search(int(r.Len/pageSize), func(i int) bool {
		var one bool
		if out != done {
			return true
		}
		one, out = p.isMapping(userfaultfd.Range{Start: r.Start, Len: uint64(i+1) * pageSize}, unreadable)
		return !one
	})
	return uint64(pages) * pageSize, out
}

// isMapping reports whether r is registered and in one mapping. UFFDIO_COPY looks at
// that before it looks at its source, which is unreadable.
func (p *Pager) isMapping(r userfaultfd.Range, unreadable []byte) (bool, outcome) {
	_, err := p.file.Copy(r.Start, unreadable[:r.Len], userfaultfd.CopyDontWake)
	switch cause(err) {
	case unix.EAGAIN:
		return false, changing
	case unix.ENOENT, unix.ESRCH, unix.EINVAL, unix.EIO:
		return false, done
	}
	return true, done
}
