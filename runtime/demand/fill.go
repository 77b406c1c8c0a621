package demand

// A want is bytes of one chunk that somebody wants in place.
type want struct {
	op       string
	off, end int64
	claim    *claim
	viewer   *viewer // nil where nothing runs again
	more     int64   // up to where bytes will be wanted next, beyond end; 0 if that is not known
	repair   bool    // the page cannot be accessed although its chunk is in place
}

// fill puts the wanted bytes in place, or sees that they are, and reads ahead.
// It returns how many bytes it has put in place itself. The budget's lock is
// held for what is decided, and never while the source is read, memory is
// filled or somebody waits.
func (m *Mapping) fill(w want) (got int, err error) {
	c := m.chunkOf(w.off)
	b := m.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold(w.claim, c)
	for {
		if m.isClosed() {
			return 0, m.closedError(w.op)
		}
		failure := m.failures[c]
		if failure != nil && w.end > failure.Off {
			return 0, failure
		}
		if m.chunks[c].phase == busy {
			m.await(m.busy[c])
			continue
		}
		if m.chunks[c].phase == resident {
			// Where the source has failed, the rest of the chunk is missing
			// until Retry.
			if !w.repair && (!m.chunks[c].partial || failure != nil) {
				m.access(c)
				return 0, nil
			}
		}
		if m.chunks[c].phase == absent {
			// Room is waited for before the chunk is busy: an older claim
			// that wants it, too, may be the one that holds what we wait for.
			counted, err := b.room(m, c, w.claim)
			if err != nil {
				return 0, &Error{Op: w.op, Off: w.off, Err: err}
			}
			if !counted {
				continue
			}
			if m.isClosed() || m.chunks[c].phase != absent || m.failures[c] != failure {
				b.uncount(m, 1)
				b.changed()
				continue
			}
		}
		return m.load(w, c)
	}
}

// await waits until a transfer is over, or the mapping is closed.
func (m *Mapping) await(t *transfer) {
	m.budget.mu.Unlock()
	defer m.budget.mu.Lock()
	select {
	case <-t.done:
	case <-m.closed:
	}
}

// load reads the wanted chunk, which is counted already, and what is likely to
// be wanted after it.
func (m *Mapping) load(w want, c int) (got int, err error) {
	t := newTransfer(c, 1)
	t.wanted = true
	t.again = m.chunks[c].phase == resident
	t.repair = t.again && w.repair
	m.begin(c, t)
	m.welcome(c)
	t.end = m.endOf(c)
	if failure := m.failures[c]; failure != nil {
		t.end = failure.Off
	}
	n := 1
	if !t.again && t.end == m.endOf(c) {
		n = m.lookAhead(w, c)
	}
	for t.n < min(n, m.window) && m.claimAhead(c+t.n, t) {
		t.n++
	}
	if t.n > 1 {
		t.end = m.endOf(c + t.n - 1)
	}
	got, err = m.carryOut(t)
	if t.failure != nil && w.end <= t.failure.Off {
		err = nil // the source gave what is wanted
	}
	for next := c + t.n; err == nil && next < c+n; next += t.n {
		t = newTransfer(next, 0)
		for t.n < min(c+n-next, m.window) && m.claimAhead(next+t.n, t) {
			t.n++
		}
		if t.n == 0 {
			break
		}
		t.end = m.endOf(next + t.n - 1)
		more, failed := m.carryOut(t)
		if got += more; failed != nil || t.have < t.end {
			break // nobody has asked for it yet
		}
	}
	return got, err
}

// claimAhead makes a chunk busy that nobody has asked for, if it is absent and
// there is room.
func (m *Mapping) claimAhead(c int, t *transfer) bool {
	if c >= len(m.chunks) || m.chunks[c].phase != absent || m.failures[c] != nil {
		return false
	}
	m.begin(c, t)
	if !m.budget.roomAhead(m) {
		m.end(c, absent)
		return false
	}
	return true
}

// carryOut does the work of a transfer without the lock, and makes its result
// known; also if the source panics, so that nobody waits for ever.
func (m *Mapping) carryOut(t *transfer) (got int, err error) {
	t.have, _ = m.extent(t.first)
	defer m.settle(t)
	m.budget.reads++
	m.budget.mu.Unlock()
	defer m.budget.mu.Lock()
	return m.read(t)
}

// settle gives the chunks of a transfer the state that came of it.
func (m *Mapping) settle(t *transfer) {
	b := m.budget
	b.reads--
	// What was to be repaired may well be in place, and the access have failed for
	// another reason.
	spoiled := t.repair && t.failure != nil
	if t.failure != nil && !spoiled {
		m.failures[t.first] = t.failure
	}
	for c := t.first; c < t.first+t.n; c++ {
		off, end := m.extent(c)
		if !spoiled {
			m.chunks[c].partial = t.have < end
		}
		switch {
		case m.isClosed() && !m.isInUse(c):
			m.setFirm(c, func() { m.chunks[c].dirty = false })
			m.discard(c, 1)
			m.end(c, absent)
		case t.have > off, t.again:
			m.end(c, resident)
		default:
			m.end(c, absent)
		}
		if m.chunks[c].phase == resident {
			b.enqueue(m, c)
		} else {
			b.uncount(m, 1)
		}
	}
	close(t.done)
	b.changed()
}
