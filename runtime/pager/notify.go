package pager

import (
	"fmt"
	"sync"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// An Event is something that happened to the served memory.
type Event struct {
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
	EventRemap                       // it moved memory
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

// An eventQueue takes events to a callback by a goroutine of its own. It neither
// waits nor allocates.
type eventQueue struct {
	mu     sync.Mutex
	ready  sync.Cond
	ring   [1024]Event
	first  int
	n      int
	closed bool
	gone   chan struct{}
}

func newEventQueue(f func(Event)) *eventQueue {
	q := &eventQueue{gone: make(chan struct{})}
	q.ready.L = &q.mu
	go func() {
		defer close(q.gone)
		for {
			e, ok := q.next()
			if !ok {
				return
			}
			f(e)
		}
	}()
	return q
}

func (q *eventQueue) next() (Event, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.n == 0 && !q.closed {
		q.ready.Wait()
	}
	if q.n == 0 {
		return Event{}, false
	}
	e := q.ring[q.first]
	q.ring[q.first] = Event{}
	q.first = (q.first + 1) % len(q.ring)
	q.n--
	return e, true
}

// put adds an event, and reports whether there was room.
func (q *eventQueue) put(e Event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == len(q.ring) {
		return false
	}
	q.ring[(q.first+q.n)%len(q.ring)] = e
	q.n++
	q.ready.Signal()
	return true
}

// close waits until all events were told.
func (q *eventQueue) close() {
	if q == nil {
		return
	}
	q.mu.Lock()
	q.closed = true
	q.ready.Signal()
	q.mu.Unlock()
	<-q.gone
}

func (p *Pager) notify(e Event) {
	if p.events != nil && !p.events.put(e) {
		p.stats.lost.Add(1)
	}
}
