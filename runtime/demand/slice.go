package demand

import "golang.org/x/sys/unix"

// A Slice is memory of a mapping that is in place, and stays there until it is
// released. Any code may touch it, and system calls may be given it. If the
// mapping is not writable, a write to it is a fault that ends the program.
type Slice struct {
	m        *Mapping
	bytes    []byte
	first, n int // the chunks
}

// Slice puts n bytes from off on in place, and holds them there until
// [Slice.Release]. They are counted as what must stay in memory, in whole
// chunks, and survive [Mapping.Close].
//
// Errors: that of the source; [ErrBudget] if the budget has no room for them
// beside other slices and what was written; unix.EINVAL if they are not within
// the mapping; [os.ErrClosed].
func (m *Mapping) Slice(off, n int64) (*Slice, error) {
	if err := m.enter("slice"); err != nil {
		return nil, err
	}
	if err := m.within("slice", off, n); err != nil {
		m.leave()
		return nil, err
	}
	s := &Slice{m: m, bytes: m.bytes[off : off+n : off+n], first: m.chunkOf(off)}
	if n > 0 {
		s.n = m.chunkOf(off+n-1) - s.first + 1
	}
	if !m.pin(s.first, s.n) {
		m.leave()
		return nil, &Error{Op: "slice", Off: off, Err: ErrBudget}
	}
	if err := m.fillAll("slice", off, off+n); err != nil {
		s.Release()
		return nil, err
	}
	return s, nil
}

// Bytes returns the memory, or nil after Release.
func (s *Slice) Bytes() []byte { return s.bytes }

// Release ends the hold on the memory. What Bytes returned must not be used any
// more. A second Release does nothing.
func (s *Slice) Release() {
	if s.m == nil {
		return
	}
	s.m.unpin(s.first, s.n)
	s.m.leave()
	s.m, s.bytes = nil, nil
}

// Prefetch puts n bytes from off on in place, where they may be evicted again,
// and returns when they are there. A view over much memory that is prefetched
// before it, or within it piece by piece, does not start again.
//
// Errors: that of the source; [ErrBudget] if the bytes are more than the budget
// has room for; unix.EINVAL if they are not within the mapping; [os.ErrClosed].
func (m *Mapping) Prefetch(off, n int64) error {
	if err := m.enter("prefetch"); err != nil {
		return err
	}
	defer m.leave()
	if err := m.within("prefetch", off, n); err != nil || n == 0 {
		return err
	}
	if !m.fits(m.chunkOf(off), m.chunkOf(off+n-1)) {
		return &Error{Op: "prefetch", Off: off, Err: ErrBudget}
	}
	return m.fillAll("prefetch", off, off+n)
}

// Retry forgets that the source has failed to give bytes of the n from off on;
// they are read again when they are wanted. What the failure spared stays in
// place.
func (m *Mapping) Retry(off, n int64) error {
	if err := m.enter("retry"); err != nil {
		return err
	}
	defer m.leave()
	if err := m.within("retry", off, n); err != nil || n == 0 {
		return err
	}
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	for c, failure := range m.failures {
		if failure.Off < off+n && off < m.endOf(c) {
			delete(m.failures, c)
		}
	}
	return nil
}

func (m *Mapping) within(op string, off, n int64) error {
	if off < 0 || n < 0 || n > int64(len(m.bytes))-off {
		return &Error{Op: op, Off: off, Err: unix.EINVAL}
	}
	return nil
}

// fillAll fills chunk after chunk.
func (m *Mapping) fillAll(op string, off, end int64) error {
	cl := claim{m: m}
	defer cl.release()
	for off < end {
		next := min(end, m.endOf(m.chunkOf(off)))
		if _, err := m.fill(want{op: op, off: off, end: next, more: end, claim: &cl}); err != nil {
			return err
		}
		cl.release()
		off = next
	}
	return nil
}

// pin makes chunks firm, in place or not, if that leaves the budget kept.
func (m *Mapping) pin(c, n int) bool {
	b := m.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if !m.roomFor(c, c+n-1) {
		return false
	}
	for i := range n {
		m.setFirm(c+i, func() { m.pins[c+i]++ })
	}
	return true
}

// fits reports whether the chunks from first to last have room beside what is
// firm.
func (m *Mapping) fits(first, last int) bool {
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	return m.roomFor(first, last)
}

func (m *Mapping) roomFor(first, last int) bool {
	b := m.budget
	if b.limit == 0 {
		return true
	}
	more := b.firm
	for c := first; c <= last; c++ {
		if !m.isFirm(c) {
			more += int64(m.chunkSize)
		}
	}
	return more <= b.limit
}

func (m *Mapping) unpin(c, n int) {
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	for i := range n {
		m.setFirm(c+i, func() {
			if m.pins[c+i]--; m.pins[c+i] == 0 {
				delete(m.pins, c+i)
			}
		})
		if m.isClosed() && m.isIdle(c+i) {
			m.drop(c + i)
		}
	}
}
