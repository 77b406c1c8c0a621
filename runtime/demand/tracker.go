package demand

import (
	"sync"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/pagemap"
	"golang.org/x/sys/unix"
)

// A tracker tells which pages of a writable mapping were written, and of one
// that is not, which were accessed, where the kernel knows (Linux 7.3). The
// kernel notes it for pages that are protected, without a message
// (FeatureWPAsync, FeatureRWPAsync), and a scan of the page table tells.
type tracker struct {
	pagemap *pagemap.Pagemap // nil where nothing is told

	// owed are pages that a scan has protected again although what was
	// written there was not saved; by their number. Guarded by budget.mu.
	owed map[int]bool

	flushing sync.Mutex
}

func (k *tracker) open(m *Mapping) (err error) {
	k.pagemap, err = pagemap.Open(0)
	if err != nil || !m.writable {
		return err
	}
	k.owed = make(map[int]bool)
	// Scans for several categories at once have gone wrong on huge pages.
	if err := unix.Madvise(m.memory.Bytes(), unix.MADV_NOHUGEPAGE); err != nil && err != unix.EINVAL {
		return err
	}
	return nil
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

// A verdict is what came of an attempt to take a chunk away.
type verdict int

const (
	taken       verdict = iota
	mustStay            // it was written, or the kernel does not give it away
	wasAccessed         // since the last attempt
)

// takeAway takes a busy chunk away, unless it was written, or accessed since it
// was watched. The latter is no reason with force.
func (k *tracker) takeAway(m *Mapping, c int, watched, force bool) verdict {
	switch {
	case m.writable:
		return k.takeUnwritten(m, c)
	case k.pagemap != nil && !force && k.wasAccessed(m, c, watched):
		return wasAccessed
	}
	if beforeDiscard != nil {
		beforeDiscard()
	}
	if m.discard(c, 1) != nil {
		return mustStay
	}
	return taken
}

// takeUnwritten is takeAway for memory that can be written. Nobody can write
// between the look and the deed: who tries meets a fault, and waits for the
// chunk.
func (k *tracker) takeUnwritten(m *Mapping, c int) verdict {
	r := m.rangeOf(c, 1)
	p := m.memory.Bytes()[r.Start-m.start:][:r.Len]
	if err := unix.Mprotect(p, unix.PROT_READ); err != nil {
		return mustStay // too many mappings, say
	}
	defer unix.Mprotect(p, unix.PROT_READ|unix.PROT_WRITE)
	if k.finds(written(r, false)) {
		return mustStay
	}
	if beforeDiscard != nil {
		beforeDiscard()
	}
	if m.discard(c, 1) != nil {
		return mustStay
	}
	return taken
}

// wasAccessed reports whether a chunk was accessed since it was watched, or was
// not watched, and watches it from now on.
func (k *tracker) wasAccessed(m *Mapping, c int, watched bool) bool {
	r := m.rangeOf(c, 1)
	if watched && !k.finds(pagemap.Accessed(r)) {
		return false
	}
	return m.file.RWProtect(r) == nil
}

// finds reports whether a scan finds a page. If it fails, it may be so.
func (k *tracker) finds(s pagemap.Scan) bool {
	s.MaxPages = 1
	var found [1]pagemap.Region
	n, _, err := k.pagemap.Scan(&s, found[:])
	return n > 0 || err != nil
}

// beforeDiscard is called before a chunk is discarded, by tests that do then what
// must not matter.
var beforeDiscard func()
