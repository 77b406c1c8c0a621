package pager

import (
	"fmt"
	"io"
	"math/bits"
	"os"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// A Region is memory of the served process, and where its content is. It is
// registered with the userfaultfd, by whoever opened that
// ([userfaultfd.File.Register]).
type Region struct {
	// Range is where the memory is, in the served process, in whole pages.
	Range userfaultfd.Range

	// PageSize is that of the mapping, in bytes; 0 is the system's. It is the
	// huge page size for hugetlb memory, and the system's for all other,
	// transparent huge pages among it. New fails if it is another.
	PageSize int

	// Source has the content, from Offset on, in bytes. Memory without a
	// source is zeros.
	Source io.ReaderAt
	Offset int64

	// Shared says that the memory is mapped MAP_SHARED. A child of fork(2)
	// then has the same pages, and not a copy of them, and they are still there
	// where mremap(2) has moved them away from by MREMAP_DONTUNMAP.
	Shared bool

	// Refetch says that the content of discarded pages comes from the source
	// again, instead of zeros. It is for a process that discards to save
	// memory and writes none, and for shared memory that it discards with
	// MADV_DONTNEED, which takes the pages of such memory out of its page
	// table only; the event is the same as for MADV_REMOVE, which punches a
	// hole.
	Refetch bool

	// Recorder, if not nil, is told of what is asked for.
	Recorder *Recorder
}

// maxPages is more than an address space has.
const maxPages = 1 << 36

// check returns what is wrong with r.
func (r *Region) check() error {
	size := uint64(r.PageSize)
	switch {
	case r.PageSize < 0 || bits.OnesCount64(size) != 1 || r.PageSize < os.Getpagesize():
		return fmt.Errorf("pager: region %v: a page size of %d bytes; it is a power of two, and the system's is %d", r.Range, r.PageSize, os.Getpagesize())
	case r.Range.Len == 0 || r.Range.Start%size != 0 || r.Range.Len%size != 0:
		return fmt.Errorf("pager: region %v is not in whole pages of %d bytes", r.Range, r.PageSize)
	case r.Range.Start+r.Range.Len < r.Range.Start:
		return fmt.Errorf("pager: region %v does not end", r.Range)
	case r.Range.Len/size > maxPages:
		return fmt.Errorf("pager: region %v has more pages than any machine", r.Range)
	case r.Offset < 0 || r.Offset+int64(r.Range.Len) < r.Offset:
		return fmt.Errorf("pager: region %v: an offset of %d", r.Range, r.Offset)
	}
	return nil
}

// end returns where in the source its content ends.
func (r *Region) end() int64 { return r.Offset + int64(r.Range.Len) }

// A backing is what a region is made of: content and the states of pages. Where
// it is mapped, the space says; memory moves, and is split.
type backing struct {
	*content // nil is zeros
	data     extents

	region   int   // the number of the Region
	base     int64 // offset of its first page in the source
	pageSize uint64
	shared   bool
	refetch  bool
	lends    bool     // the content is lent, and copied
	huge     bool     // hugetlb: there is no ZEROPAGE
	vacant   bool     // memory was moved away from here: zeros, whose states nobody keeps
	strange  bool     // nobody knows what is here: see space.strange
	left     *backing // shared memory was moved away from here: this is still there, and has all of it
	states   states
	recorder *Recorder
	asked    bitmap // pages that were asked for, if anybody wants to know
	written  bitmap // since it was installed; nil if the kernel keeps account, or nobody

	of        *backing // what is strange may be of this
	discarded bitmap   // ... and these of its pages were discarded then
}

func newBacking(n int, r *Region, c *content) *backing {
	b := &backing{
		content: c, region: n, base: r.Offset, pageSize: uint64(r.PageSize),
		shared: r.Shared, refetch: r.Refetch, huge: r.PageSize != os.Getpagesize(),
		states: newStates(int(r.Range.Len / uint64(r.PageSize))),
	}
	b.lends = c != nil && c.lender != nil && !c.inPlace && !b.huge
	if b.recorder = r.Recorder; b.recorder != nil {
		b.asked = newBitmap(b.states.n)
	}
	if c != nil && c.sparse {
		b.data = c.data.pages(b.base, int64(b.pageSize))
	}
	return b
}

// estranged returns what nobody knows, but that it may be of another backing.
func (b *backing) estranged(of *backing) *backing {
	return &backing{region: -1, pageSize: b.pageSize, huge: b.huge, vacant: true, strange: true, of: of}
}

// leave returns what is where b was moved away from.
func (b *backing) leave() *backing {
	if !b.strange && (!b.shared || b.vacant) {
		return &backing{region: -1, pageSize: b.pageSize, huge: b.huge, vacant: true}
	}
	left := *b
	left.left = b.moved()
	return &left
}

// moved returns what is where b was moved to.
func (b *backing) moved() *backing {
	if b.left != nil {
		return b.left
	}
	return b
}

// isLeft reports whether memory was moved away from where b is.
func (b *backing) isLeft() bool { return b.vacant && !b.strange || b.left != nil }

// offset returns where in the source a page is.
func (b *backing) offset(page int) int64 { return b.base + int64(page)*int64(b.pageSize) }

// isZeros reports whether a page of the source is zeros, and the first page
// from there to limit of which the contrary is true.
func (b *backing) isZeros(page, limit int) (zeros bool, until int) {
	switch {
	case b.content == nil:
		return true, limit
	case !b.sparse:
		return false, limit
	}
	zeros, end := b.data.zeros(b.offset(page), b.offset(limit))
	return zeros, page + b.pagesIn(uint64(end-b.offset(page)))
}

// isZero reports whether a page of the source is zeros.
func (b *backing) isZero(page int) bool {
	if b.content != nil && !b.sparse {
		return false
	}
	zeros, _ := b.isZeros(page, page+1)
	return zeros
}

// pagesIn returns how many pages n bytes are. A page's size is a power of two, and
// a fault's time has no room for divisions.
func (b *backing) pagesIn(n uint64) int { return int(n >> (bits.TrailingZeros64(b.pageSize) & 63)) }
