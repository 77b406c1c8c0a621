package demand

import userfaultfd "github.com/zuffd/uffd/runtime"

// A chunk is what is known of the bytes that are read, put in place, counted and
// evicted together.
type chunk struct {
	phase   phase
	partial bool // pages may be missing, since the source failed or the kernel took them
	dirty   bool // pages were written
	queued  bool // the clock has an entry for it
	watched bool // accesses are noted by the kernel
}

// A phase is where a chunk is. One that is busy is in the hands of one goroutine,
// which reads it, or takes it away, without a lock; everybody else waits for its
// transfer. So what is decided about a chunk and what is done to it cannot be
// torn apart.
type phase uint8

const (
	absent   phase = iota
	resident       // its pages are in place, and counted
	busy           // see Mapping.busy
)

func (m *Mapping) chunkOf(off int64) int { return int(off) / m.chunkSize }

// extent returns where a chunk begins and ends.
func (m *Mapping) extent(c int) (off, end int64) {
	off = int64(c) * int64(m.chunkSize)
	return off, min(off+int64(m.chunkSize), int64(len(m.bytes)))
}

// endOf returns where a chunk ends.
func (m *Mapping) endOf(c int) int64 {
	_, end := m.extent(c)
	return end
}

// rangeOf returns the whole pages of n chunks.
func (m *Mapping) rangeOf(c, n int) userfaultfd.Range {
	whole := m.memory.Range()
	off := uint64(c) * uint64(m.chunkSize)
	return userfaultfd.Range{Start: whole.Start + off, Len: min(uint64(n)*uint64(m.chunkSize), whole.Len-off)}
}

// begin makes a chunk busy. Guarded by budget.mu, as all that follows.
func (m *Mapping) begin(c int, t *transfer) {
	m.chunks[c].phase = busy
	m.busy[c] = t
}

// end says what came of it.
func (m *Mapping) end(c int, p phase) {
	m.chunks[c].phase = p
	if p == absent {
		m.chunks[c].partial, m.chunks[c].watched = false, false
	}
	delete(m.busy, c)
}

// isFirm reports whether a chunk must stay in memory.
func (m *Mapping) isFirm(c int) bool { return m.pins[c] > 0 || m.chunks[c].dirty }

// access notes that a chunk was accessed.
func (m *Mapping) access(c int) {
	if m.accessed == nil {
		return
	}
	word, bit := &m.accessed[c/32], uint32(1)<<(c%32)
	if word.Load()&bit == 0 {
		word.Or(bit)
	}
}

// forgetAccess reports whether a chunk was accessed since it was last asked.
func (m *Mapping) forgetAccess(c int) bool {
	bit := uint32(1) << (c % 32)
	return m.accessed[c/32].And(^bit)&bit != 0
}
