package demand

// A stream is a place that was read sequentially: the next miss there is
// likely to be at next.
type stream struct {
	next int    // the chunk after what was read
	n    int    // how many chunks that was
	by   uint64 // the claim of whoever has read it
	all  int    // how many chunks that claim has read in a row, and does not hold for certain
	grew int    // how often it has read more than the time before
}

// farthest is how many bytes a view that goes through the memory sequentially,
// and starts from the beginning at each miss, has read ahead at most.
const farthest = 64 << 20

// established is how often a stream has to grow before it is one for certain.
const established = 4

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
	now := stream{by: by}
	switch {
	case !known:
		m.stream = (m.stream + 1) % len(m.streams)
	case m.streams[i].by == by:
		now = m.streams[i]
		if w.viewer != nil {
			limit = max(limit, int(min(w.viewer.filled, farthest)/int64(m.chunkSize)))
		}
	default: // what others have read is nothing that this claim needs
		now.n = m.streams[i].n
	}
	n = max(n, 2*now.n)
	n = max(1, min(n, limit, len(m.chunks)-c, m.budget.share(m, w.claim)))
	if n > now.n {
		now.grew++
	}
	if now.grew >= established {
		// The view has come through all of it. Steps of one size would not have
		// met the end of what was read as often while that grew.
		for before := c - now.all; before < c; before++ {
			m.budget.hold(w.claim, before)
		}
		now.all = 0
	}
	m.streams[i] = stream{next: c + n, n: n, all: now.all + n, grew: now.grew, by: by}
	if w.viewer != nil {
		w.viewer.ahead = n
	}
	return n
}
