package pagemap

import (
	"fmt"
	"io"
	"iter"
	"os"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// Walk goes through the regions that a scan finds, scanning again as often as
// buf is full. It does not allocate. buf needs room for one region, else the
// error is unix.EINVAL; a few hundred are a page of memory and keep system calls
// few. It is the walk's until that is over.
//
// What was found before an error comes first, then the error, with the zero
// Region, and that ends the walk: it is that of [Pagemap.Scan], or
// [io.ErrNoProgress] where the kernel cannot go on, since a huge page does not
// fit into what s.MaxPages leaves. The walk ends after s.MaxPages pages that
// match, if that is not 0. Regions that a loop did not come to see, because it
// ended before, may be protected already.
func (p *Pagemap) Walk(s Scan, buf []Region) iter.Seq2[Region, error] {
	return func(yield func(Region, error) bool) { p.walk(s, buf, yield) }
}

func (p *Pagemap) walk(s Scan, buf []Region, yield func(Region, error) bool) {
	if len(buf) == 0 {
		// The scan would only protect, and nobody learn what.
		yield(Region{}, &userfaultfd.Error{Op: "PAGEMAP_SCAN", Range: s.Range, Err: fmt.Errorf("%w: no room for a region", unix.EINVAL)})
		return
	}
	end, limited := s.Range.End(), s.MaxPages > 0
	for done := false; !done; {
		n, next, err := p.Scan(&s, buf)
		found := uint64(0)
		for _, r := range buf[:n] {
			found += r.Range().Len / uint64(os.Getpagesize())
			if !yield(r, nil) {
				return
			}
		}
		done = next >= end || limited && found >= s.MaxPages
		if err == nil && !done && next == s.Range.Start {
			err = &userfaultfd.Error{Op: "PAGEMAP_SCAN", Range: s.Range, Err: io.ErrNoProgress}
		}
		if err != nil {
			yield(Region{}, err)
			return
		}
		s.Range = userfaultfd.Range{Start: next, Len: end - next}
		if limited {
			s.MaxPages -= found
		}
	}
}
