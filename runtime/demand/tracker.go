package demand

import (
	"sync"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/pagemap"
	"golang.org/x/sys/unix"
)

// A tracker tells which pages of a writable mapping were written. The kernel
// notes it, for pages that are put in place protected, without a message
// (FeatureWPAsync), and a scan of the page table tells. The zero tracker is of
// memory that cannot be written.
type tracker struct {
	pagemap *pagemap.Pagemap

	// owed are pages that a scan has protected again although what was
	// written there was not saved; by their number. Guarded by budget.mu.
	owed map[int]bool

	flushing sync.Mutex
}

func (k *tracker) open(m *Mapping) (err error) {
	// Scans for several categories at once have gone wrong on huge pages.
	if err := unix.Madvise(m.memory.Bytes(), unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return err
	}
	k.owed = make(map[int]bool)
	k.pagemap, err = pagemap.Open(0)
	return err
}

func (k *tracker) close() {
	if k.pagemap != nil {
		k.pagemap.Close()
	}
}

// written returns the scan for the pages of r that were written. Missing pages
// count as written for the kernel, for us they do not.
func written(r userfaultfd.Range, reset bool) pagemap.Scan {
	s := pagemap.Written(r, reset)
	s.AnyOf = pagemap.IsPresent | pagemap.IsSwapped
	return s
}

// takeAway takes a busy chunk away, unless it was written. Nobody can write
// between the look and the deed: who tries meets a fault, and waits for the
// chunk.
func (k *tracker) takeAway(m *Mapping, c int) (dirty bool) {
	r := m.rangeOf(c, 1)
	if k.pagemap == nil {
		m.discard(c, 1)
		return false
	}
	p := m.memory.Bytes()[r.Start-m.start:][:r.Len]
	if err := unix.Mprotect(p, unix.PROT_READ); err != nil {
		return true // too many mappings, say
	}
	defer unix.Mprotect(p, unix.PROT_READ|unix.PROT_WRITE)
	s := written(r, false)
	s.MaxPages = 1
	var found [1]pagemap.Region
	n, _, err := k.pagemap.Scan(&s, found[:])
	if n > 0 || err != nil {
		return true
	}
	if beforeDiscard != nil {
		beforeDiscard()
	}
	m.discard(c, 1)
	return false
}

// beforeDiscard is called before a chunk that was not written is discarded, by
// tests that write it then.
var beforeDiscard func()
