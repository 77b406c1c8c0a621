package pager

import (
	"slices"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
)

// A kernel is what can be relied on of the events of an address space. No feature
// tells it.
type kernel uint8

const (
	forgetsEvents kernel = iota // installs are refused while events are owed, but not always
	countsEvents                // always (Linux 5.16)
	tellsLengths                // and a REMAP tells the length of what has moved, and not what it was cut from (6.17)
)

func kernelOf(release string) kernel {
	switch {
	case sys.ReleaseLess(release, "5.16"):
		return forgetsEvents
	case sys.ReleaseLess(release, "6.17"):
		return countsEvents
	}
	return tellsLengths
}

// vacated is memory that was unmapped. mremap(2) to a fixed address unmaps what is
// there, and tells that by itself, before the REMAP. A fault of another thread in what
// was moved there can come in between, and the kernel refuses to install anything then;
// but before Linux 5.16 it does not where the UNMAP was read.
type vacated struct {
	userfaultfd.Range
	when time.Time
}

const maxVacated = 16

// unmapped remembers an UNMAP for a moment, where that is called for.
func (p *Pager) unmapped(r userfaultfd.Range) {
	if p.kernel >= countsEvents {
		return
	}
	if len(p.vacated) == maxVacated {
		p.vacated = slices.Delete(p.vacated, 0, 1)
	}
	p.vacated = append(p.vacated, vacated{r, time.Now()})
}

// mayBeMoving reports whether memory may have moved to addr of which the message has
// not come.
func (p *Pager) mayBeMoving(addr uint64) bool {
	return slices.ContainsFunc(p.vacated, func(v vacated) bool { return v.Contains(addr) && time.Since(v.when) < longestDoubt })
}

// hasVacated reports whether a child has memory, of which nobody has heard, where some
// was unmapped just now.
func (p *Pager) hasVacated(c *Pager) bool {
	q, err := newInquiry(uint64(p.systemPage))
	if err != nil {
		return true
	}
	defer q.close()
	return slices.ContainsFunc(p.vacated, func(v vacated) bool {
		if time.Since(v.when) > longestDoubt || c.space.find(v.Start) != nil {
			return false
		}
		registered, out := q.isRegistered(c, v.Start)
		return registered || out == changing
	})
}
