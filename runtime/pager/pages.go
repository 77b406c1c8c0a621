package pager

import (
	"fmt"
	"math/bits"
	"os"
	"slices"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// A Run is a run of pages in one state. It can be stored, as JSON say, and
// given to another pager ([Config.Resume]).
type Run struct {
	Range    userfaultfd.Range // where it is now
	PageSize int               // bytes
	State    PageState
	Region   int   // the number of its Region in Config.Regions; -1 for memory that another one was moved away from
	Offset   int64 // bytes from the beginning of that Region: where the memory was at first
}

// Pages returns the state of all pages, by address, as of one moment.
func (p *Pager) Pages() []Run {
	var runs []Run
	for _, s := range p.snapshot() {
		if s.b.vacant {
			runs = append(runs, Run{userfaultfd.Range{Start: s.start, Len: s.end - s.start}, int(s.b.pageSize), Removed, -1, 0})
			continue
		}
		for page, to := s.pages(); page < to; {
			end := s.b.states.runEnd(page, to)
			runs = append(runs, Run{
				Range:    userfaultfd.Range{Start: s.addrOf(page), Len: uint64(end-page) * s.b.pageSize},
				PageSize: int(s.b.pageSize),
				State:    s.b.states.get(page),
				Region:   s.b.region,
				Offset:   int64(page) * int64(s.b.pageSize),
			})
			page = end
		}
	}
	return runs
}

// snapshot returns what is where, with states that do not change any more. There may be
// millions of runs, and faults do not wait until they are told apart.
func (p *Pager) snapshot() []segment {
	p.order.beginRead()
	defer p.order.endRead()
	segments := slices.Clone(p.space.segments)
	copies := make(map[*backing]*backing)
	for i := range segments {
		b := segments[i].b
		if copies[b] == nil {
			c := *b
			c.states = b.states.clone()
			copies[b] = &c
		}
		segments[i].b = copies[b]
	}
	return segments
}

// resume adds a run of another pager's.
func (p *Pager) resume(run Run, backings []*backing) error {
	bad := func(why string) error {
		return fmt.Errorf("pager: Config.Resume: %v, %d bytes into region %d: %s", run.Range, run.Offset, run.Region, why)
	}
	if size := run.PageSize; size < p.systemPage || bits.OnesCount(uint(size)) != 1 {
		return bad(fmt.Sprintf("a page size of %d bytes", size))
	}
	size := uint64(run.PageSize)
	if run.Range.Len == 0 || run.Range.Start%size != 0 || run.Range.Len%size != 0 || run.Range.Start+run.Range.Len < run.Range.Start {
		return bad("not in whole pages")
	}
	if run.Region == -1 {
		return p.addSegment(segment{run.Range.Start, run.Range.End(), &backing{region: -1, pageSize: size, huge: run.PageSize != os.Getpagesize(), vacant: true}, 0})
	}
	if run.Region < 0 || run.Region >= len(backings) {
		return bad("there is no such region")
	}
	b := backings[run.Region]
	pages := uint64(b.states.n)
	switch {
	case size != b.pageSize:
		return bad(fmt.Sprintf("a page size of %d bytes, and its region's is %d", size, b.pageSize))
	case run.State > Poisoned:
		return bad("no such state")
	case run.Offset < 0 || uint64(run.Offset)%size != 0 || uint64(run.Offset)/size > pages || run.Range.Len/size > pages-uint64(run.Offset)/size:
		return bad("not in the region")
	}
	from := int(uint64(run.Offset) / size)
	b.states.set(from, from+int(run.Range.Len/size), run.State)
	return p.addSegment(segment{run.Range.Start, run.Range.End(), b, from})
}
