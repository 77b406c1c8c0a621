package pager

import (
	"fmt"
	"sync/atomic"
)

// A PageState says what a page's next fault is answered with.
type PageState uint8

// The states of a page.
const (
	Untouched PageState = iota // the content is in the source
	Installed                  // it is in place; if it is missed, it was discarded, and is zeros
	Removed                    // the process discarded it: zeros
	Poisoned                   // the content cannot be had: SIGBUS
)

// String returns "untouched", "installed", "removed" or "poisoned".
func (s PageState) String() string {
	switch s {
	case Untouched:
		return "untouched"
	case Installed:
		return "installed"
	case Removed:
		return "removed"
	case Poisoned:
		return "poisoned"
	}
	return fmt.Sprintf("PageState(%d)", uint8(s))
}

// states holds the states of pages, two bits each. Several goroutines may set
// those of different pages at once.
type states struct {
	words []atomic.Uint64
	n     int // pages
}

const pagesPerWord = 32

func newStates(n int) states {
	return states{make([]atomic.Uint64, (n+pagesPerWord-1)/pagesPerWord), n}
}

func (s *states) get(page int) PageState {
	return PageState(s.words[page/pagesPerWord].Load() >> (page % pagesPerWord * 2) & 3)
}

// set sets the states of pages from to to.
func (s *states) set(from, to int, state PageState) {
	for from < to {
		next := min(to, (from/pagesPerWord+1)*pagesPerWord)
		w, mask := &s.words[from/pagesPerWord], wordMask(from, next)
		for {
			old := w.Load()
			if w.CompareAndSwap(old, old&^mask|spread(state)&mask) {
				break
			}
		}
		from = next
	}
}

// runEnd returns the first page from page to limit whose state is another than
// page's, or limit.
func (s *states) runEnd(page, limit int) int {
	pattern := spread(s.get(page))
	for page < limit {
		next := min(limit, (page/pagesPerWord+1)*pagesPerWord)
		if diff := (s.words[page/pagesPerWord].Load() ^ pattern) & wordMask(page, next); diff != 0 {
			return page/pagesPerWord*pagesPerWord + trailingPages(diff)
		}
		page = next
	}
	return limit
}

// runStart returns the first page of the run of one state that page is in, but
// none before limit.
func (s *states) runStart(page, limit int) int {
	state := s.get(page)
	for page > limit && s.get(page-1) == state {
		page--
	}
	return page
}

// next returns the first page from page to limit of that state, or limit.
func (s *states) next(page, limit int, state PageState) int {
	for page < limit {
		if s.get(page) == state {
			return page
		}
		page = s.runEnd(page, limit)
	}
	return limit
}

// count returns how many pages from from to to are in that state.
func (s *states) count(from, to int, state PageState) (n int) {
	pattern := spread(state)
	for from < to {
		next := min(to, (from/pagesPerWord+1)*pagesPerWord)
		n += equalPages(s.words[from/pagesPerWord].Load()^pattern, wordMask(from, next))
		from = next
	}
	return n
}

// clone returns a copy. Nobody may set states meanwhile.
func (s *states) clone() states {
	c := newStates(s.n)
	for i := range s.words {
		c.words[i].Store(s.words[i].Load())
	}
	return c
}
