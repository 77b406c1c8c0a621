package pager

import (
	"errors"
	"iter"
	"sync/atomic"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/pagemap"
	"golang.org/x/sys/unix"
)

// Written returns the ranges that the process has written, or discarded, since
// they were put in place, or since a call with reset, in the order of their
// addresses. With reset they are write-protected again, and no write is lost
// between two such calls. It takes [Config.TrackWrites].
//
// If the userfaultfd has userfaultfd.FeatureWPAsync (Linux 6.7), the kernel keeps
// the account by itself, and m has to be the process's page tables, of whose
// errors there may be one. Otherwise the first write to a page is a fault, which
// the pager resolves; m is not used then, and may be nil.
//
// What is written to shared memory by another mapping of it, a child's or one that
// mremap(2) has made, may be missed after a call with reset.
//
// The pages of one range are to be read after it was returned, and before the
// next.
func (p *Pager) Written(m *pagemap.Pagemap, reset bool) iter.Seq2[userfaultfd.Range, error] {
	return func(yield func(userfaultfd.Range, error) bool) {
		var err error
		switch async := p.file.Features()&userfaultfd.FeatureWPAsync != 0; {
		case !p.cfg.TrackWrites:
			err = errors.New("pager: Written takes Config.TrackWrites")
		case async && m == nil:
			err = errors.New("pager: with userfaultfd.FeatureWPAsync, Written takes the process's page tables")
		case async:
			p.writtenByKernel(m, reset, yield)
		default:
			p.writtenByFaults(reset, yield)
		}
		if err != nil {
			yield(userfaultfd.Range{}, err)
		}
	}
}

func (p *Pager) writtenByKernel(m *pagemap.Pagemap, reset bool, yield func(userfaultfd.Range, error) bool) {
	buf := make([]pagemap.Region, 512)
	// The kernel counts what is not there as written.
	for _, r := range p.inPlaceRanges() {
		for region, err := range m.Walk(pagemap.Written(r, reset), buf) {
			if err != nil {
				yield(userfaultfd.Range{}, err)
				return
			}
			if !yield(region.Range(), nil) {
				return
			}
		}
	}
}

// inPlaceRanges returns where pages are, or were, in place.
func (p *Pager) inPlaceRanges() (all []userfaultfd.Range) {
	for _, run := range p.Pages() {
		if run.Region < 0 || run.State == Untouched || run.State == Poisoned {
			continue
		}
		if n := len(all); n > 0 && all[n-1].End() == run.Range.Start {
			all[n-1].Len += run.Range.Len
		} else {
			all = append(all, run.Range)
		}
	}
	return all
}

func (p *Pager) writtenByFaults(reset bool, yield func(userfaultfd.Range, error) bool) {
	for at := uint64(0); ; {
		r, next, err := p.nextWritten(at, reset)
		if cause(err) == unix.EAGAIN && p.serving.Load() && !p.isStopping() {
			pause(p.sources, 50*time.Microsecond) // until Serve has read an event
			continue
		}
		if err != nil {
			yield(r, err)
			return
		}
		if r.Len == 0 || !yield(r, nil) {
			return
		}
		at = next
	}
}

// nextWritten returns the first run of written pages from at on, and protects it
// if that is wanted: the account is cleared before, so that a write that comes in
// between is in the next one.
func (p *Pager) nextWritten(at uint64, reset bool) (r userfaultfd.Range, next uint64, err error) {
	p.order.beginRead()
	defer p.order.endRead()
	for i := p.space.search(at); i < len(p.space.segments); i++ {
		s := p.space.segments[i]
		if s.b.vacant {
			continue
		}
		if s.start < at {
			s = s.at(at)
		}
		page, to := s.pages()
		if page = s.b.written.next(page, to); page == to {
			continue
		}
		end := page + 1
		for end < to && s.b.written.get(end) {
			end++
		}
		r = userfaultfd.Range{Start: s.addrOf(page), Len: uint64(end-page) * s.b.pageSize}
		if !reset {
			return r, r.End(), nil
		}
		s.b.written.set(page, end, false)
		if err := p.writeProtect(r, s.b.pageSize); err != nil {
			s.b.written.set(page, end, true)
			return r, 0, err
		}
		return r, r.End(), nil
	}
	return userfaultfd.Range{}, 0, nil
}

// writeProtect protects memory that may be in several mappings. Older kernels (seen with
// Linux 5.10 and 6.1) want one at a time, and say ENOENT; any mprotect(2) may have split
// what was one.
func (p *Pager) writeProtect(r userfaultfd.Range, pageSize uint64) error {
	for n := r.Len; r.Len > 0; {
		n = min(n, r.Len)
		err := p.file.WriteProtect(userfaultfd.Range{Start: r.Start, Len: n})
		switch {
		case err == nil:
			r.Start, r.Len, n = r.Start+n, r.Len-n, 2*n
		case cause(err) == unix.ENOENT && n > pageSize:
			n = pageSize
		default:
			return err
		}
	}
	return nil
}

// A bitmap has a bit for each page; a nil one has none set.
type bitmap []atomic.Uint64

func newBitmap(n int) bitmap { return make(bitmap, (n+63)/64) }

func (b bitmap) get(page int) bool {
	return b != nil && b[page/64].Load()>>(page%64)&1 != 0
}

// set sets the bits from from to to.
func (b bitmap) set(from, to int, on bool) {
	for page := from; page < to && b != nil; page++ {
		if on {
			b[page/64].Or(1 << (page % 64))
		} else {
			b[page/64].And(^uint64(1 << (page % 64)))
		}
	}
}

// next returns the first page from page to limit whose bit is set, or limit.
func (b bitmap) next(page, limit int) int {
	if b == nil {
		return limit
	}
	for page < limit && !b.get(page) {
		if page%64 == 0 && b[page/64].Load() == 0 {
			page = min(page+64, limit)
		} else {
			page++
		}
	}
	return page
}

func (b bitmap) clone() bitmap {
	if b == nil {
		return nil
	}
	c := make(bitmap, len(b))
	for i := range b {
		c[i].Store(b[i].Load())
	}
	return c
}
