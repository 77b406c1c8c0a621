package pagemap

import (
	"github.com/zuffd/uffd"
	userfaultfd "github.com/zuffd/uffd/runtime"
)

// Flags modify a scan.
type Flags uint64

// The flags of a scan.
const (
	WPMatching   Flags = uffd.PM_SCAN_WP_MATCHING   // write-protect the pages that match, in the same step
	CheckWPAsync Flags = uffd.PM_SCAN_CHECK_WPASYNC // stop with EPERM at memory that is not registered for asynchronous write-protection
)

// A Scan says which pages of a range to look for. A page matches if its
// categories, those of Inverted flipped, have all of Mask, and at least one
// of AnyOf unless that is empty.
type Scan struct {
	Range    userfaultfd.Range // in whole pages
	Flags    Flags
	Inverted Categories
	Mask     Categories
	AnyOf    Categories
	Return   Categories // what Region.Categories is to tell

	// MaxPages stops the scan after so many pages that match, of the system's
	// page size; 0 is no limit. On hugetlb memory a scan that protects what it
	// finds takes whole huge pages, or not at all: let it be a multiple.
	MaxPages uint64
}

// Written returns the scan for the pages of r that were written since they were
// protected ([userfaultfd.File.WriteProtect]). With reset they are protected
// again in the same step, so that no write is lost between two such scans. r is
// registered with RegisterWP on a userfaultfd that has FeatureWPAsync;
// elsewhere a scan with reset stops with unix.EPERM.
//
// Pages that were never protected count as written, so tracking begins with
// WriteProtect, and pages that are put in place later are to be protected from
// the start (CopyWP, ContinueWP). A page of anonymous memory that was discarded
// since it was protected counts as written; one of shared memory does not.
func Written(r userfaultfd.Range, reset bool) Scan {
	s := Scan{Range: r, Mask: IsWritten, Return: IsWritten}
	if reset {
		s.Flags = WPMatching | CheckWPAsync
	}
	return s
}

// Accessed returns the scan for the pages of r, in memory or swapped, that were
// accessed since they were protected ([userfaultfd.File.RWProtect]). r is
// registered with RegisterRWP on a userfaultfd that has FeatureRWPAsync. The
// kernel does not protect again what it finds: protect each region before
// its pages are looked at, and no access is lost. Since Linux 7.3.
func Accessed(r userfaultfd.Range) Scan {
	return Scan{Range: r, Mask: IsAccessed, Return: IsAccessed}
}

// Idle returns the scan for the pages of r that are in memory and were not
// accessed since they were protected, on memory as for [Accessed]. Since Linux
// 7.3.
func Idle(r userfaultfd.Range) Scan {
	return Scan{
		Range:    r,
		Inverted: IsAccessed,
		Mask:     IsPresent | IsAccessed,
		Return:   IsPresent,
	}
}
