package pager

import (
	"fmt"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// largestPage is more than any huge page that is in use.
const largestPage = 1 << 30

// checkPageSizes returns what is wrong with the page sizes that the regions claim. A
// wrong one would be found out by faults that nothing can be installed for, nor poison.
//
// UFFDIO_COPY fails with EINVAL where huge pages are to be filled in part, and with
// another error where nothing can be read from the source, as here. What is not told
// now, because memory changes or is not registered, is not found out.
func (p *Pager) checkPageSizes() error {
	unreadable, err := unix.Mmap(-1, 0, largestPage, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil
	}
	defer unix.Munmap(unreadable)
	// pages reports whether size bytes at addr are whole pages, if that can be told.
	pages := func(addr, size uint64) (whole, known bool) {
		_, err := p.file.Copy(addr&^(size-1), unreadable[:size], userfaultfd.CopyDontWake)
		switch errno := cause(err); errno {
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
		whole, known := pages(s.start, size)
		for more := 2 * size; known && !whole && more <= largestPage; more *= 2 {
			if whole, _ := pages(s.start, more); whole {
				return fmt.Errorf("pager: region %v: its memory has pages of %d bytes, and its PageSize is %d", r, more, size)
			}
		}
		if !whole || size == uint64(p.systemPage) {
			continue
		}
		if whole, _ := pages(s.start, size/2); whole {
			return fmt.Errorf("pager: region %v: its memory has smaller pages than %d bytes, which its PageSize is: that is the size of huge pages for hugetlb memory only", r, size)
		}
	}
	return nil
}
