package demand

// A clock has an entry for each chunk that may be evicted, in the order in
// which its hand will come by. A chunk that was accessed since it last came by
// gets a second chance.
type clock struct {
	entries []entry // a ring
	first   int
	n       int
}

type entry struct {
	m *Mapping
	c int
}

func (k *clock) push(e entry) {
	if k.n == len(k.entries) {
		grown := make([]entry, max(64, 2*k.n))
		copy(grown[copy(grown, k.entries[k.first:]):], k.entries[:k.first])
		k.entries, k.first = grown, 0
	}
	k.entries[(k.first+k.n)%len(k.entries)] = e
	k.n++
}

func (k *clock) pop() entry {
	e := k.entries[k.first]
	k.entries[k.first] = entry{} // which may be the last thing to know of a mapping
	k.first = (k.first + 1) % len(k.entries)
	k.n--
	return e
}

// victim returns a chunk to evict, or nil if there is none that a claim may
// have.
func (k *clock) victim(cl *claim, r reach) (*Mapping, int) {
	// Twice around: the first time may only take second chances away.
	for i := 2 * k.n; i > 0 && k.n > 0; i-- {
		e := k.pop()
		m, c := e.m, e.c
		if m.chunks[c].phase != resident || m.isFirm(c) || m.isClosed() {
			m.chunks[c].queued = false // until it may be evicted again
			continue
		}
		if m.kept[c] > 0 || !m.spares(c, cl, r) || m.forgetAccess(c) {
			k.push(e)
			continue
		}
		m.chunks[c].queued = false
		if r == everybody {
			m.rob(c)
		}
		return m, c
	}
	return nil, 0
}

// remove takes all entries of a mapping away.
func (k *clock) remove(m *Mapping) {
	for range k.n {
		if e := k.pop(); e.m != m {
			k.push(e)
		}
	}
}

// enqueue gives the clock a chunk that may be evicted.
func (b *Budget) enqueue(m *Mapping, c int) {
	if b.limit > 0 && m.chunks[c].phase == resident && !m.chunks[c].queued && !m.isFirm(c) && !m.isClosed() {
		m.chunks[c].queued = true
		b.clock.push(entry{m, c})
	}
}

// welcome gives a chunk that was evicted not long ago, and is wanted again, its
// second chance at once.
func (m *Mapping) welcome(c int) {
	b := m.budget
	if b.limit > 0 && m.evicted[c] != 0 && int64(b.turns-m.evicted[c]) < b.limit/int64(m.chunkSize) {
		m.access(c)
	}
}
