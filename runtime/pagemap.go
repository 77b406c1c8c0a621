package userfaultfd

import (
	"runtime"
	"strconv"
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// A Pagemap is a process's page tables, as /proc/PID/pagemap lets them be
// scanned (PAGEMAP_SCAN, since Linux 6.7). With memory registered for
// asynchronous protection, a scan tells which pages were written
// (FeatureWPAsync), or accessed (FeatureRWPAsync, since Linux 7.3), since the
// protection was last put in place.
type Pagemap struct {
	descriptor
}

// OpenPagemap opens the page tables of a process, or of this one if pid is 0.
// Scanning another process takes the permission to trace it.
func OpenPagemap(pid int) (*Pagemap, error) {
	name := "/proc/self/pagemap"
	if pid != 0 {
		name = "/proc/" + strconv.Itoa(pid) + "/pagemap"
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &Error{Op: "open " + name, Err: err}
	}
	p := new(Pagemap)
	p.descriptor.open(fd, name)
	return p, nil
}

// Close closes the descriptor. It waits for scans that are under way.
func (p *Pagemap) Close() error {
	if err := p.descriptor.close(func() {}); err != nil {
		return &Error{Op: "close", Err: err}
	}
	return nil
}

// PageCategories is a set of PAGE_IS_* bits, which describe a page. Unknown
// bits are kept and printed as numbers.
type PageCategories uint64

// The categories of pages.
const (
	PageIsWPAllowed PageCategories = uffd.PAGE_IS_WPALLOWED  // its memory is registered for asynchronous write-protection
	PageIsWritten   PageCategories = uffd.PAGE_IS_WRITTEN    // it is not write-protected: written, where it was protected before
	PageIsFile      PageCategories = uffd.PAGE_IS_FILE       // it belongs to a file
	PageIsPresent   PageCategories = uffd.PAGE_IS_PRESENT    // it is in memory
	PageIsSwapped   PageCategories = uffd.PAGE_IS_SWAPPED    // it is in swap
	PageIsPFNZero   PageCategories = uffd.PAGE_IS_PFNZERO    // it is the kernel's page of zeros
	PageIsHuge      PageCategories = uffd.PAGE_IS_HUGE       // it is part of a huge page
	PageIsSoftDirty PageCategories = uffd.PAGE_IS_SOFT_DIRTY // its soft-dirty bit is set
	PageIsGuard     PageCategories = uffd.PAGE_IS_GUARD      // it is a guard page
	PageIsAccessed  PageCategories = uffd.PAGE_IS_ACCESSED   // it is not access-protected: accessed, where it was protected before; since Linux 7.3
)

var pageCategoryNames = bitNames{"PAGE_IS_", [64]string{
	"WPALLOWED", "WRITTEN", "FILE", "PRESENT", "SWAPPED",
	"PFNZERO", "HUGE", "SOFT_DIRTY", "GUARD", "ACCESSED",
}}

// String returns the names without PAGE_IS_, joined by "|".
func (c PageCategories) String() string { return pageCategoryNames.format(uint64(c)) }

// ScanFlags modify a scan.
type ScanFlags uint64

// The flags of a scan.
const (
	ScanWPMatching   ScanFlags = uffd.PM_SCAN_WP_MATCHING   // write-protect the pages that match, in the same step
	ScanCheckWPAsync ScanFlags = uffd.PM_SCAN_CHECK_WPASYNC // stop with EPERM at memory that is not registered for asynchronous write-protection
)

// A Scan says which pages of a range to look for. A page matches if its
// categories, those of Inverted flipped, have all of Mask, and at least one
// of AnyOf unless that is empty.
type Scan struct {
	Range    Range // in whole pages
	Flags    ScanFlags
	Inverted PageCategories
	Mask     PageCategories
	AnyOf    PageCategories
	Return   PageCategories // what PageRegion.Categories is to tell

	// MaxPages stops the scan after so many pages that match, of the system's
	// page size; 0 is no limit. On hugetlb memory a scan that protects what it
	// finds takes whole huge pages, or not at all: let it be a multiple.
	MaxPages uint64

	// RWProtect, if not nil, protects the regions that were found against
	// access ([File.RWProtect]) before the scan returns. The kernel's own
	// flag, ScanWPMatching, is for write-protection only.
	RWProtect *File
}

// ScanWritten returns the scan for the pages of r that were written. With
// reset they are write-protected again in the same step, so that no write is
// lost between two such scans. r is registered with RegisterWP on a
// userfaultfd that has FeatureWPAsync; elsewhere a scan with reset stops with
// unix.EPERM. A page of anonymous memory that was discarded since it was
// protected counts as written; one of shared memory does not.
func ScanWritten(r Range, reset bool) Scan {
	s := Scan{Range: r, Mask: PageIsWritten, Return: PageIsWritten}
	if reset {
		s.Flags = ScanWPMatching | ScanCheckWPAsync
	}
	return s
}

// ScanAccessed returns the scan for the pages of r, in memory or swapped, that
// were accessed since [File.RWProtect]. r is registered with RegisterRWP on a
// userfaultfd that has FeatureRWPAsync; where reset is that userfaultfd and
// not nil, the pages that are found are protected again. No access is lost
// between two such scans: one that comes between the finding of a page and
// its protection belongs to the scan that is under way. Since Linux 7.3.
func ScanAccessed(r Range, reset *File) Scan {
	return Scan{Range: r, Mask: PageIsAccessed, Return: PageIsAccessed, RWProtect: reset}
}

// ScanIdle returns the scan for the pages of r that are in memory and were not
// accessed since [File.RWProtect], on memory as for [ScanAccessed]. Since Linux
// 7.3.
func ScanIdle(r Range) Scan {
	return Scan{
		Range:    r,
		Inverted: PageIsAccessed,
		Mask:     PageIsPresent | PageIsAccessed,
		Return:   PageIsPresent,
	}
}

// A PageRegion is a run of pages of the same categories.
type PageRegion struct{ raw uffd.PageRegion }

// Range returns where the pages are.
func (r PageRegion) Range() Range {
	return Range{r.raw.Start, r.raw.End - r.raw.Start}
}

// Categories returns those of [Scan.Return] that the pages have.
func (r PageRegion) Categories() PageCategories { return PageCategories(r.raw.Categories) }

// Scan scans page tables once, until the end of the range, until regions is
// full or until s.MaxPages have matched. It returns the number of regions
// and where it stopped: a scan of the rest begins there, unless that is the
// end of the range. It does not allocate. With an empty regions it reports
// nothing, and only protects. Of a process that has exited there is nothing
// to find; that this is unix.ESRCH cannot be relied on.
//
// With an error, too, a scan that protects returns the regions that it found
// before: their pages are protected already, and no later scan will tell of
// them.
//
// Errors: unix.EPERM (see ScanCheckWPAsync), unix.EINVAL (alignment, unknown
// flags or categories), unix.EFAULT, unix.ENOMEM, unix.ESRCH; [UnsupportedError] before
// Linux 6.7; those of [File.RWProtect], after which not all regions are
// protected. See PAGEMAP_SCAN(2const).
func (p *Pagemap) Scan(s *Scan, regions []PageRegion) (n int, next uint64, err error) {
	if err := p.acquire(); err != nil {
		return 0, s.Range.Start, &Error{Op: "PAGEMAP_SCAN", Range: s.Range, Err: err}
	}
	defer p.release()
	arg := uffd.PmScanArg{
		Size:                uint64(unsafe.Sizeof(uffd.PmScanArg{})),
		Flags:               uint64(s.Flags),
		Start:               s.Range.Start,
		End:                 s.Range.End(),
		Vec:                 address(regions),
		Vec_len:             uint64(len(regions)),
		Max_pages:           s.MaxPages,
		Category_inverted:   uint64(s.Inverted),
		Category_mask:       uint64(s.Mask),
		Category_anyof_mask: uint64(s.AnyOf),
		Return_mask:         uint64(s.Return),
	}
	if s.Flags&ScanWPMatching != 0 {
		clear(regions) // so that those written before an error can be told
	}
	got, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), uffd.PAGEMAP_SCAN, uintptr(unsafe.Pointer(&arg)))
	runtime.KeepAlive(regions)
	switch errno {
	case 0:
		if s.RWProtect != nil {
			for _, r := range regions[:got] {
				if err := s.RWProtect.RWProtect(r.Range(), RWProtectRWP); err != nil {
					return int(got), arg.Walk_end, err
				}
			}
		}
		return int(got), arg.Walk_end, nil
	case unix.ENOTTY:
		return 0, s.Range.Start, &UnsupportedError{Name: "PAGEMAP_SCAN", Since: "6.7"}
	}
	next = s.Range.Start
	if s.Flags&ScanWPMatching != 0 {
		for n < len(regions) && regions[n].raw.End != 0 {
			next = regions[n].raw.End
			n++
		}
	}
	return n, next, &Error{Op: "PAGEMAP_SCAN", Range: s.Range, Err: errno}
}
