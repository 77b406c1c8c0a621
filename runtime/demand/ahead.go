package demand

// A stream is a place that was read sequentially: the next miss there is
// likely to be at next.
type stream struct {
	next int    // the chunk after what was read
	n    int    // how many chunks that was
	by   uint64 // the claim of whoever has read it
}

// farthest is how many bytes a view that goes through the memory sequentially,
// and starts from the beginning at each miss, has read ahead at most.
const farthest = 64 << 20

// lookAhead returns how many chunks are to be read from c on, c among them. It
// doubles from miss to miss of one view, and from miss to miss of what is read
// sequentially, by whatever views and calls: up to the window. One view that
// goes on sequentially reads as much again as it has read so far, or it would
// start so often that most of its time went into that.
func (m *Mapping) lookAhead(w want, c int) int {
	n, limit := 1, m.window
	if limit == 1 {
		return 1
	}
	if v := w.viewer; v != nil {
		n = 2 * v.ahead
	}
	if w.more > w.end {
		n = m.chunkOf(w.more-1) - c + 1
	}
	i := m.stream
	known := false
	for j, s := range m.streams {
		if s.n > 0 && s.next == c {
			i, known = j, true
			break
		}
	}
	by := m.budget.identify(w.claim)
	if known {
		s := m.streams[i]
		n = max(n, 2*s.n)
		if s.by == by && w.viewer != nil {
			// The view has come through all of it.
			for before := c - s.n; before < c; before++ {
				m.budget.hold(w.claim, before)
			}
			limit = max(limit, int(min(w.viewer.filled, farthest)/int64(m.chunkSize)))
		}
	} else {
		m.stream = (m.stream + 1) % len(m.streams)
	}
	n = max(1, min(n, limit, len(m.chunks)-c, m.budget.share(m, w.claim)))
	m.streams[i] = stream{next: c + n, n: n, by: by}
	if w.viewer != nil {
		w.viewer.ahead = n
	}
	return n
}
