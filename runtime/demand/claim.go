package demand

import "slices"

// A claim is what a call needs in memory at once. For a view it grows with each
// page that the view has missed, since it will touch them all when it starts
// again. Guarded by budget.mu.
type claim struct {
	m      *Mapping
	number uint64 // the older, the smaller; 0 before it holds anything
	chunks []int
	bytes  int64 // of them, without what is firm
	robbed int   // how often others have taken from it that had to
}

// robbedTooOften is how often a claim starts again because another one could
// not wait any longer.
const robbedTooOften = 3

// identify numbers a claim.
func (b *Budget) identify(cl *claim) uint64 {
	if cl.number == 0 {
		b.last++
		cl.number = b.last
	}
	return cl.number
}

// hold adds a chunk to a claim, and keeps it from being evicted for claims that
// are no older.
func (b *Budget) hold(cl *claim, c int) {
	if b.limit == 0 {
		return
	}
	b.identify(cl)
	m := cl.m
	if !slices.Contains(m.holds[c], cl) {
		m.holds[c] = append(m.holds[c], cl)
		cl.chunks = append(cl.chunks, c)
		if !m.isFirm(c) {
			cl.bytes += int64(m.chunkSize)
		}
	}
}

// release ends a claim.
func (cl *claim) release() {
	if len(cl.chunks) == 0 {
		return
	}
	m := cl.m
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	for _, c := range cl.chunks {
		rest := slices.DeleteFunc(m.holds[c], func(other *claim) bool { return other == cl })
		if len(rest) == 0 {
			delete(m.holds, c)
		} else {
			m.holds[c] = rest
		}
	}
	cl.chunks, cl.bytes = cl.chunks[:0], 0
	m.budget.changed()
}

// spares reports whether a claim may have chunk c, as far as those go who hold
// it. cl is nil for what is read ahead.
func (m *Mapping) spares(c int, cl *claim, r reach) bool {
	for _, other := range m.holds[c] {
		switch {
		case r == unheld || other == cl:
			return false
		case r == younger && other.number < cl.number:
			return false
		}
	}
	return true
}

// rob counts, with those who hold chunk c, that it is evicted all the same.
func (m *Mapping) rob(c int) {
	for _, other := range m.holds[c] {
		other.robbed++
	}
}

// setFirm makes a change that may make a chunk firm, or end that, and keeps
// count.
func (m *Mapping) setFirm(c int, change func()) {
	was := m.isFirm(c)
	change()
	is := m.isFirm(c)
	if was == is {
		return
	}
	n := int64(m.chunkSize)
	if was {
		n = -n
	}
	m.budget.firm += n
	for _, cl := range m.holds[c] {
		cl.bytes -= n
	}
	if was {
		m.budget.enqueue(m, c)
		m.budget.changed()
	}
}
