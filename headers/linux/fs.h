/*
 * PAGEMAP_SCAN, the part of linux/fs.h that goes with userfaultfd(2).
 */
#ifndef _LINUX_FS_H
#define _LINUX_FS_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* Scanning page tables: ioctl(2) on a descriptor of /proc/PID/pagemap. */

/*
 * PROCFS_IOCTL_MAGIC is the ioctl type of files in /proc/PID. Since Linux 6.7.
 */
#define PROCFS_IOCTL_MAGIC 'f'

/*
 * PAGEMAP_SCAN finds the pages of a range that are of given categories, and
 * can write-protect them in the same step. Its argument is pm_scan_arg; the
 * result is the number of regions written. Errors: EINVAL (a start that is
 * not at a page boundary, unknown flag or category, wrong size), EFAULT (the
 * argument, the range or the buffer cannot be accessed), EPERM
 * (PM_SCAN_CHECK_WPASYNC met memory not registered for asynchronous
 * write-protection), ENOMEM, EINTR. See PAGEMAP_SCAN(2const). Since Linux 6.7.
 */
#define PAGEMAP_SCAN _IOWR(PROCFS_IOCTL_MAGIC, 16, struct pm_scan_arg)

/*
 * Categories of pages, the bits of page_region.categories and of the masks of
 * pm_scan_arg.
 */

/*
 * PAGE_IS_WPALLOWED: the page is in memory registered for asynchronous
 * write-protection. Since Linux 6.7.
 */
#define PAGE_IS_WPALLOWED (1 << 0)

/*
 * PAGE_IS_WRITTEN: the page is not write-protected by a userfaultfd: it was
 * written after it had been protected. Kernels before 7.3 report it for every
 * page outside memory registered with UFFDIO_REGISTER_MODE_WP, too. Since
 * Linux 6.7.
 */
#define PAGE_IS_WRITTEN (1 << 1)

/*
 * PAGE_IS_FILE: the page belongs to a file. Since Linux 6.7.
 */
#define PAGE_IS_FILE (1 << 2)

/*
 * PAGE_IS_PRESENT: the page is in memory. Since Linux 6.7.
 */
#define PAGE_IS_PRESENT (1 << 3)

/*
 * PAGE_IS_SWAPPED: the page is in swap, or a marker stands in its place. Since
 * Linux 6.7.
 */
#define PAGE_IS_SWAPPED (1 << 4)

/*
 * PAGE_IS_PFNZERO: the page is the kernel's shared page of zeros. Since Linux
 * 6.7.
 */
#define PAGE_IS_PFNZERO (1 << 5)

/*
 * PAGE_IS_HUGE: the page is mapped as a huge page, transparent or hugetlb.
 * Since Linux 6.7.
 */
#define PAGE_IS_HUGE (1 << 6)

/*
 * PAGE_IS_SOFT_DIRTY: the page's soft-dirty bit is set. Since Linux 6.8.
 */
#define PAGE_IS_SOFT_DIRTY (1 << 7)

/*
 * PAGE_IS_GUARD: the page is a guard page (MADV_GUARD_INSTALL). Since Linux
 * 6.15.
 */
#define PAGE_IS_GUARD (1 << 8)

/*
 * PAGE_IS_ACCESSED: the page, in memory registered with
 * UFFDIO_REGISTER_MODE_RWP, is not access-protected: it was accessed after it
 * had been protected. Since Linux 7.3.
 */
#define PAGE_IS_ACCESSED (1 << 9)

/* Flags of a scan, the bits of pm_scan_arg.flags. */

/*
 * PM_SCAN_WP_MATCHING: write-protect the pages that match. It works on memory
 * registered for asynchronous write-protection. Since Linux 6.7.
 */
#define PM_SCAN_WP_MATCHING (1 << 0)

/*
 * PM_SCAN_CHECK_WPASYNC: stop with EPERM at memory that is not registered for
 * asynchronous write-protection. Since Linux 6.7.
 */
#define PM_SCAN_CHECK_WPASYNC (1 << 1)

/*
 * page_region is a run of pages of the same categories. The kernel writes it.
 * Since Linux 6.7.
 */
struct page_region {
	/* The address of the first byte. */
	__u64 start;
	/* The address after the last byte. */
	__u64 end;
	/* Those PAGE_IS_* bits of pm_scan_arg.return_mask that the pages have. */
	__u64 categories;
};

/*
 * pm_scan_arg is the argument of PAGEMAP_SCAN. A page matches if its
 * categories, those of pm_scan_arg.category_inverted flipped, have all of
 * pm_scan_arg.category_mask, and at least one of
 * pm_scan_arg.category_anyof_mask unless that is 0. The caller sets all but
 * pm_scan_arg.walk_end. Since Linux 6.7.
 */
struct pm_scan_arg {
	/* The size of this structure in bytes. */
	__u64 size;
	/* PM_SCAN_* bits. */
	__u64 flags;
	/* The address to begin at, a multiple of the page size. */
	__u64 start;
	/* The address to end before. */
	__u64 end;
	/*
	 * Written by the kernel: where the scan has stopped. That is
	 * pm_scan_arg.end where all of the range was scanned.
	 */
	__u64 walk_end;
	/* The address of an array of page_region, or 0. */
	__u64 vec;
	/* The number of elements of that array. */
	__u64 vec_len;
	/* Stop after so many pages that match; 0 is no limit. */
	__u64 max_pages;
	/* The PAGE_IS_* bits that count as set where they are not. */
	__u64 category_inverted;
	/* The PAGE_IS_* bits that a page must have, all of them. */
	__u64 category_mask;
	/* The PAGE_IS_* bits of which a page must have one. */
	__u64 category_anyof_mask;
	/* The PAGE_IS_* bits that page_region.categories is to tell. */
	__u64 return_mask;
};

#endif
