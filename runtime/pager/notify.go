package pager

import (
	"fmt"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// An Event is something that happened to the served memory.
type Event struct {
	Pager *Pager // whose memory it is: the one that New has made, or a child's
	Kind  EventKind
	Range userfaultfd.Range
	To    uint64 // EventRemap: where the range is now
	Err   error  // EventFailed: why
}

// An EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	EventFailed EventKind = iota + 1 // a page cannot be had: it is poisoned, or what Config.NoPoison says
	EventRemove                      // the process discarded memory
	EventUnmap                       // it unmapped memory
	EventRemap                       // it moved memory; a range of no bytes is mapped at To once more
	EventFork                        // it forked
)

// String returns "failed", "remove", "unmap", "remap" or "fork".
func (k EventKind) String() string {
	switch k {
	case EventFailed:
		return "failed"
	case EventRemove:
		return "remove"
	case EventUnmap:
		return "unmap"
	case EventRemap:
		return "remap"
	case EventFork:
		return "fork"
	}
	return fmt.Sprintf("EventKind(%d)", uint8(k))
}

func (p *Pager) notify(e Event) {
	if p.events == nil {
		return
	}
	e.Pager = p
	if !p.events.put(e) {
		p.stats.lost.Add(1)
	}
}
