package demand

import (
	"io"
	"iter"
	"slices"

	"github.com/zuffd/uffd/runtime/pagemap"
	"golang.org/x/sys/unix"
)

// WriteAt copies p into the memory of a writable mapping, from off on. As
// ReadAt, it runs nothing again. The rest of the pages that p begins and ends
// in is read from the source first; so are the chunks that it covers.
//
// Errors: those of ReadAt; [io.ErrShortWrite] where p goes beyond the end;
// unix.EACCES if the mapping is not writable.
func (m *Mapping) WriteAt(p []byte, off int64) (n int, err error) {
	if err := m.enter("write"); err != nil {
		return 0, err
	}
	defer m.leave()
	size := int64(len(m.bytes))
	switch {
	case !m.writable:
		return 0, &Error{Op: "write", Off: off, Err: unix.EACCES}
	case off < 0:
		return 0, &Error{Op: "write", Off: off, Err: unix.EINVAL}
	case int64(len(p)) > max(size-off, 0):
		n, err = m.copyAll(p[:max(size-off, 0)], off, true)
		if err == nil {
			err = &Error{Op: "write", Off: size, Err: io.ErrShortWrite}
		}
		return n, err
	}
	return m.copyAll(p, off, true)
}

// A Region is a part of a mapping.
type Region struct {
	Off, Len int64 // in bytes
}

// Dirty goes through what was written and not flushed, in whole pages, from the
// beginning to the end; the last region ends where the mapping does. Pages that
// are written meanwhile may be missed or not. An error ends it, and comes with
// the zero Region. A mapping that is not writable has nothing dirty.
func (m *Mapping) Dirty() iter.Seq2[Region, error] {
	return func(yield func(Region, error) bool) {
		if err := m.enter("dirty"); err != nil {
			yield(Region{}, err)
			return
		}
		defer m.leave()
		for first, n := range m.spans() {
			regions, err := m.scan(first, n, false)
			m.letGo(first, n)
			for _, r := range regions {
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(Region{}, &Error{Op: "dirty", Off: int64(first) * int64(m.chunkSize), Err: err})
				return
			}
		}
	}
}

// Flush writes what was written to w, in runs of as many pages as possible, and
// forgets that it was: from then on it may be evicted, and is read from the
// source again when it is wanted. So w is to be where the source reads from;
// for a copy of what has changed there is [Mapping.Dirty].
//
// What is written while Flush goes on is written out by it or by the next one.
// With an error of w, what was not written out stays dirty; the error of the
// others is [os.ErrClosed]. Several calls run one after the other.
func (m *Mapping) Flush(w io.WriterAt) error {
	if err := m.enter("flush"); err != nil {
		return err
	}
	defer m.leave()
	m.tracker.flushing.Lock()
	defer m.tracker.flushing.Unlock()
	for first, n := range m.spans() {
		if err := m.flush(w, first, n); err != nil {
			return err
		}
	}
	return nil
}

// flush writes a span out. Its chunks stay where they are meanwhile: a page that
// the scan has made clean could else be evicted before it is written out.
func (m *Mapping) flush(w io.WriterAt, first, n int) (err error) {
	defer m.letGo(first, n)
	regions, err := m.scan(first, n, true)
	if err != nil {
		m.owe(regions)
		return &Error{Op: "flush", Off: int64(first) * int64(m.chunkSize), Err: err}
	}
	saved := false
	defer func() {
		if !saved { // or w has panicked
			m.owe(regions)
		}
	}()
	for len(regions) > 0 {
		r := regions[0]
		if m.isClosed() {
			return m.closedError("flush")
		}
		done, err := w.WriteAt(m.bytes[r.Off:r.Off+r.Len], r.Off)
		if err == nil && int64(done) < r.Len {
			err = io.ErrShortWrite
		}
		if err != nil {
			return &Error{Op: "flush", Off: r.Off, Err: err}
		}
		regions = regions[1:]
	}
	saved = true
	m.clean(first, n)
	return nil
}

// spanBytes is how much is scanned, and kept in place, at once.
const spanBytes = 16 << 20

// spans goes through the runs of chunks that are in place, and keeps each there
// until letGo.
func (m *Mapping) spans() iter.Seq2[int, int] {
	return func(yield func(first, n int) bool) {
		size := int64(spanBytes)
		if limit := m.budget.limit; limit > 0 {
			size = min(size, limit/4) // the rest is for views
		}
		limit := max(1, int(size)/m.chunkSize)
		for c := 0; m.writable && c < len(m.chunks); {
			n := m.keepRun(c, limit)
			if n == 0 {
				c++
				continue
			}
			if !yield(c, n) {
				return
			}
			c += n
		}
	}
}

// keepRun keeps the chunks from c on that are in place there, and returns their
// number. It waits for one that may turn out to be dirty.
func (m *Mapping) keepRun(c, limit int) (n int) {
	b := m.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	for n < limit && c+n < len(m.chunks) {
		t := m.busy[c+n]
		if t != nil && t.taking && n == 0 && !m.isClosed() {
			m.await(t)
			continue
		}
		inPlace := m.chunks[c+n].phase == resident || t != nil && t.again && t.first == c+n
		if !inPlace {
			break
		}
		m.kept[c+n]++
		n++
	}
	return n
}

// letGo ends what keepRun began.
func (m *Mapping) letGo(first, n int) {
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	for c := first; c < first+n; c++ {
		if m.kept[c]--; m.kept[c] == 0 {
			delete(m.kept, c)
		}
		if m.isClosed() && m.isIdle(c) {
			m.drop(c)
		}
	}
	m.budget.changed()
}

// scan returns the regions of a span that were written. With reset, what is
// written from now on will be found by the next scan; with an error too, they
// are of what is not to be found again.
func (m *Mapping) scan(first, n int, reset bool) (regions []Region, err error) {
	r := m.rangeOf(first, n)
	page := int64(m.memory.PageSize())
	s := written(r, reset)
	found := make([]pagemap.Region, int64(r.Len)/page/2+1) // however they lie
	k, _, err := m.tracker.pagemap.Scan(&s, found)
	for _, f := range found[:k] {
		regions = append(regions, Region{int64(f.Range().Start - m.start), int64(f.Range().Len)})
	}
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	off := int64(r.Start - m.start)
	for number := range m.tracker.owed {
		if at := int64(number) * page; off <= at && at < off+int64(r.Len) {
			regions = append(regions, Region{at, page})
			if reset {
				delete(m.tracker.owed, number)
			}
		}
	}
	return m.merge(regions), err
}

// merge sorts regions and joins those that touch or overlap.
func (m *Mapping) merge(regions []Region) []Region {
	slices.SortFunc(regions, func(a, b Region) int { return int(a.Off - b.Off) })
	merged := regions[:0]
	for _, r := range regions {
		if n := len(merged); n > 0 && r.Off <= merged[n-1].Off+merged[n-1].Len {
			last := &merged[n-1]
			last.Len = max(last.Len, r.Off+r.Len-last.Off)
			continue
		}
		merged = append(merged, r)
	}
	if n := len(merged); n > 0 {
		merged[n-1].Len = min(merged[n-1].Len, int64(len(m.bytes))-merged[n-1].Off)
	}
	return merged
}

// owe notes pages as dirty that the kernel does not know as such any more.
func (m *Mapping) owe(regions []Region) {
	page := int64(m.memory.PageSize())
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	for _, r := range regions {
		for off := r.Off; off < r.Off+r.Len; off += page {
			m.tracker.owed[int(off/page)] = true
			c := m.chunkOf(off)
			m.setFirm(c, func() { m.chunks[c].dirty = true })
		}
	}
}

// clean lets chunks be evicted that were dirty. If they are written again, that
// will be found before they are evicted.
func (m *Mapping) clean(first, n int) {
	m.budget.mu.Lock()
	defer m.budget.mu.Unlock()
	for c := first; c < first+n; c++ {
		m.setFirm(c, func() { m.chunks[c].dirty = false })
	}
}

var _ io.WriterAt = (*Mapping)(nil)
