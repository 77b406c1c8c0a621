package pagemap

import (
	"github.com/zuffd/uffd"
	userfaultfd "github.com/zuffd/uffd/runtime"
)

// A Region is a run of pages of the same categories.
type Region struct{ raw uffd.PageRegion }

// Range returns where the pages are.
func (r Region) Range() userfaultfd.Range {
	return userfaultfd.Range{Start: r.raw.Start, Len: r.raw.End - r.raw.Start}
}

// Categories returns those of [Scan.Return] that the pages have.
func (r Region) Categories() Categories { return Categories(r.raw.Categories) }
