package pagemap

import (
	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/runtime/internal/sys"
)

// Categories is a set of PAGE_IS_* bits, which describe a page. Unknown
// bits are kept and printed as numbers.
type Categories uint64

// The categories of pages.
const (
	IsWPAllowed Categories = uffd.PAGE_IS_WPALLOWED  // its memory is registered for asynchronous write-protection
	IsWritten   Categories = uffd.PAGE_IS_WRITTEN    // it is not write-protected: written, where it was protected before
	IsFile      Categories = uffd.PAGE_IS_FILE       // it belongs to a file
	IsPresent   Categories = uffd.PAGE_IS_PRESENT    // it is in memory
	IsSwapped   Categories = uffd.PAGE_IS_SWAPPED    // it is in swap
	IsPFNZero   Categories = uffd.PAGE_IS_PFNZERO    // it is the kernel's page of zeros
	IsHuge      Categories = uffd.PAGE_IS_HUGE       // it is part of a huge page
	IsSoftDirty Categories = uffd.PAGE_IS_SOFT_DIRTY // its soft-dirty bit is set
	IsGuard     Categories = uffd.PAGE_IS_GUARD      // it is a guard page
	IsAccessed  Categories = uffd.PAGE_IS_ACCESSED   // it is not access-protected: accessed, where it was protected before; since Linux 7.3
)

var categoryNames = sys.BitNames{Prefix: "PAGE_IS_", Names: [64]string{
	"WPALLOWED", "WRITTEN", "FILE", "PRESENT", "SWAPPED",
	"PFNZERO", "HUGE", "SOFT_DIRTY", "GUARD", "ACCESSED",
}}

// String returns the names without PAGE_IS_, joined by "|".
func (c Categories) String() string { return categoryNames.Format(uint64(c)) }
