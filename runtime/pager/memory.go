package pager

import (
	"fmt"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// largestPage is more than any huge page that is in use.
const largestPage = 1 << 30

// checkMemory returns what is wrong with what the regions claim of the memory. It would be
// found out by faults that nothing can be installed for, nor poison perhaps.
//
// UFFDIO_COPY fails with EINVAL where huge pages are to be filled in part, or pages to be
// protected that are not registered for it, and with another error where nothing can be
// read from the source, as here. What is not told now, because memory changes or is not
// registered, is not found out.
func (p *Pager) checkMemory() error {
	q, err := newInquiry(largestPage)
	if err != nil {
		return nil
	}
	defer q.close()
	// pages reports whether size bytes at addr are whole pages, if that can be told.
	pages := func(addr, size uint64, mode userfaultfd.CopyMode) (whole, known bool) {
		switch q.ask(p, userfaultfd.Range{Start: addr &^ (size - 1), Len: size}, mode) {
		case unix.EINVAL:
			return false, true
		case unix.EFAULT, unix.EEXIST:
			return true, true
		}
		return false, false
	}
	for _, s := range p.space.segments {
		size := s.b.pageSize
		if s.b.vacant || size > largestPage {
			continue
		}
		r := userfaultfd.Range{Start: s.start, Len: s.end - s.start}
		whole, known := pages(s.start, size, 0)
		for more := 2 * size; known && !whole && more <= largestPage; more *= 2 {
			if whole, _ := pages(s.start, more, 0); whole {
				return fmt.Errorf("pager: region %v: its memory has pages of %d bytes, and its PageSize is %d", r, more, size)
			}
		}
		if !whole {
			continue
		}
		whole, known = pages(s.start, size, userfaultfd.CopyWP)
		if p.cfg.TrackWrites && known && !whole {
			return fmt.Errorf("pager: region %v is not registered with userfaultfd.RegisterWP, which Config.TrackWrites takes", r)
		}
		if size == uint64(p.systemPage) {
			continue
		}
		if whole, _ := pages(s.start, size/2, 0); whole {
			return fmt.Errorf("pager: region %v: its memory has smaller pages than %d bytes, which its PageSize is: that is the size of huge pages for hugetlb memory only", r, size)
		}
	}
	return nil
}
