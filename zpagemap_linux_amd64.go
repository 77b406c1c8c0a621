// Code generated from linux/fs.h for linux/amd64; DO NOT EDIT.

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
	// result is the number of regions written. Errors: EINVAL (a start that is
	// not at a page boundary, unknown flag or category, wrong size), EFAULT (the
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

func _(PageRegion PageRegion) {
	_ = [24]struct{}([unsafe.Sizeof(PageRegion)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(PageRegion.Start)]struct{}{}), (*uint64)(&PageRegion.Start)
	_, _ = [8]struct{}([unsafe.Offsetof(PageRegion.End)]struct{}{}), (*uint64)(&PageRegion.End)
	_, _ = [16]struct{}([unsafe.Offsetof(PageRegion.Categories)]struct{}{}), (*uint64)(&PageRegion.Categories)
}

// PmScanArg is the argument of PAGEMAP_SCAN. A page matches if its
// categories, those of Category_inverted flipped, have all of Category_mask,
// and at least one of Category_anyof_mask unless that is 0. The caller sets
// all but Walk_end. Since Linux 6.7.
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

	// Written by the kernel: where the scan has stopped. That is End where all
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

func _(PmScanArg PmScanArg) {
	_ = [96]struct{}([unsafe.Sizeof(PmScanArg)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(PmScanArg.Size)]struct{}{}), (*uint64)(&PmScanArg.Size)
	_, _ = [8]struct{}([unsafe.Offsetof(PmScanArg.Flags)]struct{}{}), (*uint64)(&PmScanArg.Flags)
	_, _ = [16]struct{}([unsafe.Offsetof(PmScanArg.Start)]struct{}{}), (*uint64)(&PmScanArg.Start)
	_, _ = [24]struct{}([unsafe.Offsetof(PmScanArg.End)]struct{}{}), (*uint64)(&PmScanArg.End)
	_, _ = [32]struct{}([unsafe.Offsetof(PmScanArg.Walk_end)]struct{}{}), (*uint64)(&PmScanArg.Walk_end)
	_, _ = [40]struct{}([unsafe.Offsetof(PmScanArg.Vec)]struct{}{}), (*uint64)(&PmScanArg.Vec)
	_, _ = [48]struct{}([unsafe.Offsetof(PmScanArg.Vec_len)]struct{}{}), (*uint64)(&PmScanArg.Vec_len)
	_, _ = [56]struct{}([unsafe.Offsetof(PmScanArg.Max_pages)]struct{}{}), (*uint64)(&PmScanArg.Max_pages)
	_, _ = [64]struct{}([unsafe.Offsetof(PmScanArg.Category_inverted)]struct{}{}), (*uint64)(&PmScanArg.Category_inverted)
	_, _ = [72]struct{}([unsafe.Offsetof(PmScanArg.Category_mask)]struct{}{}), (*uint64)(&PmScanArg.Category_mask)
	_, _ = [80]struct{}([unsafe.Offsetof(PmScanArg.Category_anyof_mask)]struct{}{}), (*uint64)(&PmScanArg.Category_anyof_mask)
	_, _ = [88]struct{}([unsafe.Offsetof(PmScanArg.Return_mask)]struct{}{}), (*uint64)(&PmScanArg.Return_mask)
}
