package pager

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
)

// extents are runs of bytes, ascending and apart.
type extents []extent

type extent struct{ start, end int64 }

// readExtents asks a source for its data before limit.
func readExtents(s Sparse, limit int64) (extents, error) {
	all := extents{}
	for off := int64(0); off < limit; {
		start, end, err := s.NextData(off)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("pager: where the source has data: %w", err)
		}
		if start < off || end <= start {
			return nil, fmt.Errorf("pager: the source says that its data after %d is in %d-%d", off, start, end)
		}
		if n := len(all); n > 0 && all[n-1].end == start {
			all[n-1].end = end
		} else {
			all = append(all, extent{start, end})
		}
		off = end
	}
	return all, nil
}

// nextData asks a source where it has data; one that does not know may have it everywhere.
func nextData(source io.ReaderAt, off int64) (start, end int64, err error) {
	if s, ok := source.(Sparse); ok {
		return s.NextData(off)
	}
	if off == math.MaxInt64 {
		return 0, 0, io.EOF
	}
	return off, math.MaxInt64, nil
}

// zeros reports whether off is in a hole, and where that or the data that off
// is in ends, but not beyond end.
func (e extents) zeros(off, end int64) (hole bool, until int64) {
	i := sort.Search(len(e), func(i int) bool { return e[i].end > off })
	switch {
	case i == len(e):
		return true, end
	case e[i].start > off:
		return true, min(e[i].start, end)
	}
	return false, min(e[i].end, end)
}

// pages widens the data to whole pages, counted from base: a page that has any
// data is not zeros.
func (e extents) pages(base int64, pageSize int64) extents {
	var all extents
	for _, x := range e {
		x.start -= mod(x.start-base, pageSize)
		x.end += min(mod(base-x.end, pageSize), math.MaxInt64-x.end)
		if n := len(all); n > 0 && all[n-1].end >= x.start {
			all[n-1].end = max(all[n-1].end, x.end)
		} else {
			all = append(all, x)
		}
	}
	return all
}

// mod is the remainder that is not negative.
func mod(a, b int64) int64 { return (a%b + b) % b }
