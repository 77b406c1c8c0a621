package pager

import (
	"slices"
	"sync"
)

// A Recorder records what is asked of a source for the first time. It may be that
// of several regions and pagers, of one source. What a pager installs without
// being asked is not recorded: not what is populated or replayed, nor what
// read-ahead brings, so record with [Config.Readahead] off.
type Recorder struct {
	digest []byte
	mu     sync.Mutex
	asked  []run // in the order in which they were
}

type run struct{ off, n int64 }

// longestRun bounds what has one rank.
const longestRun = 64 << 10

// NewRecorder returns a Recorder for a source whose content has that digest.
func NewRecorder(digest []byte) *Recorder {
	return &Recorder{digest: slices.Clone(digest), asked: make([]run, 0, 1024)}
}

// Trace returns what was asked for so far, as of one run that ends now.
func (r *Recorder) Trace() *Trace {
	r.mu.Lock()
	asked := slices.Clone(r.asked)
	r.mu.Unlock()
	var all, before int64
	for _, a := range asked {
		all += a.n
	}
	extents := make([]Extent, len(asked))
	for i, a := range asked {
		extents[i] = Extent{a.off, a.n, int(before * 10 / all), 1}
		before += a.n
	}
	// Several regions may have asked for the same.
	slices.SortStableFunc(extents, func(a, b Extent) int {
		if a.Offset != b.Offset {
			return int(max(-1, min(1, a.Offset-b.Offset)))
		}
		return a.Rank - b.Rank
	})
	t := &Trace{Digest: r.digest, Runs: 1}
	at := int64(0)
	for _, e := range extents {
		if e.Offset < at {
			e.Len -= at - e.Offset
			e.Offset = at
		}
		if e.Len > 0 {
			t.add(e)
			at = e.end()
		}
	}
	return t
}

func (r *Recorder) touched(off, n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k := len(r.asked); k > 0 && r.asked[k-1].off+r.asked[k-1].n == off && r.asked[k-1].n < longestRun {
		r.asked[k-1].n += n
		return
	}
	r.asked = append(r.asked, run{off, n})
}
