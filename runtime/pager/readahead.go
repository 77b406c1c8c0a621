package pager

import (
	"errors"
	"math/bits"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// Readahead says how much is installed for one fault, in bytes. More is never
// installed than is missing: what was discarded is left out if its zeros would take
// memory, and so is what cannot be read.
//
// If Min and Max are equal, it is the aligned block of that size that the fault
// is in. If Max is larger, it is what follows the fault, Min at first, twice as
// much each time that the next fault is where the last block ended, and Min
// again where it is elsewhere. Both are rounded up to powers of two, and to one
// page. Up to 64 KiB costs the fault itself hardly anything.
type Readahead struct{ Min, Max int }

// maxReadahead bounds how long others wait for one fault.
const maxReadahead = 4 << 20

func (r *Readahead) check() error {
	if r.Min < 0 || r.Max < 0 || r.Max < r.Min || r.Max > maxReadahead {
		return errors.New("pager: Config.Readahead: Min is at most Max, and Max at most 4 MiB")
	}
	return nil
}

// streams tells sequences of faults apart: several threads may each go through
// memory of their own.
type streams struct {
	min, max uint64
	page     uint64 // the system's
	all      [8]stream
	last     int // used last
}

type stream struct {
	next uint64 // where the block of before ended
	size uint64
}

func (s *streams) init(r Readahead, page int) {
	s.page = uint64(page)
	s.min, s.max = powerOfTwo(uint64(r.Min)), powerOfTwo(uint64(r.Max))
}

// window returns what to install for a fault in the page at addr.
func (s *streams) window(addr, pageSize uint64) userfaultfd.Range {
	least := max(s.min, pageSize)
	if s.max <= least {
		return userfaultfd.Range{Start: addr &^ (least - 1), Len: least}
	}
	addr &^= pageSize - 1
	t := s.stream(addr)
	if t.next == addr && t.size != 0 {
		t.size = min(2*t.size, s.max)
	} else {
		t.size = least
	}
	t.next = addr + t.size
	return userfaultfd.Range{Start: addr, Len: t.size}
}

// stream returns the one that addr continues, or one to begin anew.
func (s *streams) stream(addr uint64) *stream {
	for i := range s.all {
		if s.all[i].next == addr {
			s.last = i
			return &s.all[i]
		}
	}
	s.last = (s.last + 1) % len(s.all)
	return &s.all[s.last]
}

// around returns the pages to install for a fault of page at addr: those of the
// window that are in the same state, and of which all or none are zeros.
func (p *Pager) around(addr uint64, s *segment, page int) (from, to int) {
	if s.b.vacant || p.streams.max <= s.b.pageSize {
		return page, page + 1
	}
	return p.window(addr, s, page)
}

// window is around where there is read-ahead.
func (p *Pager) window(addr uint64, s *segment, page int) (from, to int) {
	b := s.b
	w := p.streams.window(addr, b.pageSize)
	from, to = s.pageOf(max(w.Start, s.start)), s.pageOf(min(max(w.End(), w.Start), s.end))
	from, to = b.states.runStart(page, from), b.states.runEnd(page, max(to, page+1))
	if b.states.get(page) != Untouched {
		return from, to
	}
	zeros, until := b.isZeros(page, to)
	for from < page {
		z, u := b.isZeros(from, page)
		if z == zeros && u >= page {
			break
		}
		from = max(u, from+1)
	}
	return from, max(until, page+1)
}

func powerOfTwo(n uint64) uint64 {
	if n <= 1 {
		return n
	}
	return 1 << bits.Len64(n-1)
}
