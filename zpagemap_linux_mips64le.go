// Code generated from linux/fs.h for linux/mips64le; DO NOT EDIT.

package uffd

import (
	"structs"
	"unsafe"
)

// Scanning page tables: ioctl(2) on a descriptor of /proc/PID/pagemap.
const (
	// PROCFS_IOCTL_MAGIC is the ioctl type of files in /proc/PID. Since Linux
	// 6.7.
	PROCFS_IOCTL_MAGIC = 0x66

	// PAGEMAP_SCAN finds the pages of a range that are of given categories, and
	// can write-protect them in the same step. Its argument is PmScanArg; the
	// result is the number of regions written. Errors: EINVAL (start not at a
	// page boundary, unknown flag or category, wrong size), EFAULT (the
	// argument, the range or the buffer cannot be accessed), EPERM
	// (PM_SCAN_CHECK_WPASYNC met memory not registered for asynchronous
	// write-protection), ENOMEM, EINTR. See PAGEMAP_SCAN(2const). Since Linux
	// 6.7.
	PAGEMAP_SCAN = 0xc0606610
)

// Categories of pages, the bits of PageRegion.Categories and of the masks of
// PmScanArg.
const (
	// PAGE_IS_WPALLOWED: the page is in memory registered for asynchronous
	// write-protection. Since Linux 6.7.
	PAGE_IS_WPALLOWED = 0x1

	// PAGE_IS_WRITTEN: the page is not write-protected by a userfaultfd: it was
	// written after it had been protected. Kernels before 7.3 report it for
	// every page outside memory registered with UFFDIO_REGISTER_MODE_WP, too.
	// Since Linux 6.7.
	PAGE_IS_WRITTEN = 0x2

	// PAGE_IS_FILE: the page belongs to a file. Since Linux 6.7.
	PAGE_IS_FILE = 0x4

	// PAGE_IS_PRESENT: the page is in memory. Since Linux 6.7.
	PAGE_IS_PRESENT = 0x8

	// PAGE_IS_SWAPPED: the page is in swap, or a marker stands in its place.
	// Since Linux 6.7.
	PAGE_IS_SWAPPED = 0x10

	// PAGE_IS_PFNZERO: the page is the kernel's shared page of zeros. Since
	// Linux 6.7.
	PAGE_IS_PFNZERO = 0x20

	// PAGE_IS_HUGE: the page is mapped as a huge page, transparent or hugetlb.
	// Since Linux 6.7.
	PAGE_IS_HUGE = 0x40

	// PAGE_IS_SOFT_DIRTY: the page's soft-dirty bit is set. Since Linux 6.8.
	PAGE_IS_SOFT_DIRTY = 0x80

	// PAGE_IS_GUARD: the page is a guard page (MADV_GUARD_INSTALL). Since Linux
	// 6.15.
	PAGE_IS_GUARD = 0x100

	// PAGE_IS_ACCESSED: the page, in memory registered with
	// UFFDIO_REGISTER_MODE_RWP, is not access-protected: it was accessed after
	// it had been protected. Since Linux 7.3.
	PAGE_IS_ACCESSED = 0x200
)

// Flags of a scan, the bits of PmScanArg.Flags.
const (
	// PM_SCAN_WP_MATCHING: write-protect the pages that match. It works on
	// memory registered for asynchronous write-protection. Since Linux 6.7.
	PM_SCAN_WP_MATCHING = 0x1

	// PM_SCAN_CHECK_WPASYNC: stop with EPERM at memory that is not registered
	// for asynchronous write-protection. Since Linux 6.7.
	PM_SCAN_CHECK_WPASYNC = 0x2
)

// PageRegion is a run of pages of the same categories. The kernel writes it.
// Since Linux 6.7.
type PageRegion struct {
	_ structs.HostLayout

	// The address of the first byte.
	Start uint64 // offset 0, 8 bytes

	// The address after the last byte.
	End uint64 // offset 8, 8 bytes

	// Those PAGE_IS_* bits of PmScanArg.Return_mask that the pages have.
	Categories uint64 // offset 16, 8 bytes
}

func _(s PageRegion, at [1]struct{}) {
	_ = at[unsafe.Sizeof(s)-24]
	_, _ = at[unsafe.Offsetof(s.Start)-0], (*uint64)(&s.Start)
	_, _ = at[unsafe.Offsetof(s.End)-8], (*uint64)(&s.End)
	_, _ = at[unsafe.Offsetof(s.Categories)-16], (*uint64)(&s.Categories)
}

// PmScanArg is the argument of PAGEMAP_SCAN. A page matches if its
// categories, those of category_inverted flipped, have all of category_mask,
// and at least one of category_anyof_mask unless that is 0. The caller sets
// all but walk_end. Since Linux 6.7.
type PmScanArg struct {
	_ structs.HostLayout

	// The size of this structure in bytes.
	Size uint64 // offset 0, 8 bytes

	// PM_SCAN_* bits.
	Flags uint64 // offset 8, 8 bytes

	// The address to begin at, a multiple of the page size.
	Start uint64 // offset 16, 8 bytes

	// The address to end before.
	End uint64 // offset 24, 8 bytes

	// Written by the kernel: where the scan has stopped. That is end where all
	// of the range was scanned.
	Walk_end uint64 // offset 32, 8 bytes

	// The address of an array of PageRegion, or 0.
	Vec uint64 // offset 40, 8 bytes

	// The number of elements of that array.
	Vec_len uint64 // offset 48, 8 bytes

	// Stop after so many pages that match; 0 is no limit.
	Max_pages uint64 // offset 56, 8 bytes

	// The PAGE_IS_* bits that count as set where they are not.
	Category_inverted uint64 // offset 64, 8 bytes

	// The PAGE_IS_* bits that a page must have, all of them.
	Category_mask uint64 // offset 72, 8 bytes

	// The PAGE_IS_* bits of which a page must have one.
	Category_anyof_mask uint64 // offset 80, 8 bytes

	// The PAGE_IS_* bits that PageRegion.Categories is to tell.
	Return_mask uint64 // offset 88, 8 bytes
}

func _(s PmScanArg, at [1]struct{}) {
	_ = at[unsafe.Sizeof(s)-96]
	_, _ = at[unsafe.Offsetof(s.Size)-0], (*uint64)(&s.Size)
	_, _ = at[unsafe.Offsetof(s.Flags)-8], (*uint64)(&s.Flags)
	_, _ = at[unsafe.Offsetof(s.Start)-16], (*uint64)(&s.Start)
	_, _ = at[unsafe.Offsetof(s.End)-24], (*uint64)(&s.End)
	_, _ = at[unsafe.Offsetof(s.Walk_end)-32], (*uint64)(&s.Walk_end)
	_, _ = at[unsafe.Offsetof(s.Vec)-40], (*uint64)(&s.Vec)
	_, _ = at[unsafe.Offsetof(s.Vec_len)-48], (*uint64)(&s.Vec_len)
	_, _ = at[unsafe.Offsetof(s.Max_pages)-56], (*uint64)(&s.Max_pages)
	_, _ = at[unsafe.Offsetof(s.Category_inverted)-64], (*uint64)(&s.Category_inverted)
	_, _ = at[unsafe.Offsetof(s.Category_mask)-72], (*uint64)(&s.Category_mask)
	_, _ = at[unsafe.Offsetof(s.Category_anyof_mask)-80], (*uint64)(&s.Category_anyof_mask)
	_, _ = at[unsafe.Offsetof(s.Return_mask)-88], (*uint64)(&s.Return_mask)
}
