package demand

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

// ReadAt copies the mapping's bytes from off on into p, as [io.ReaderAt] has
// it. What is not in memory is read from the source; nothing is run again. With
// an error it returns how many bytes were copied before.
func (m *Mapping) ReadAt(p []byte, off int64) (n int, err error) {
	if err := m.enter("read"); err != nil {
		return 0, err
	}
	defer m.leave()
	size := int64(len(m.bytes))
	switch {
	case off < 0:
		return 0, &Error{Op: "read", Off: off, Err: unix.EINVAL}
	case off >= size && len(p) > 0:
		return 0, io.EOF
	case int64(len(p)) > size-off && len(p) > 0:
		n, err = m.copyAll(p[:size-off], off, false)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return m.copyAll(p, off, false)
}

// copyAll copies the memory from off on into p, or p into the memory.
func (m *Mapping) copyAll(p []byte, off int64, in bool) (n int, err error) {
	for n < len(p) && err == nil {
		at := off + int64(n)
		k := min(int64(len(p)-n), m.endOf(m.chunkOf(at))-at)
		var copied int
		copied, err = m.copyChunk(p[n:][:k], at, off+int64(len(p)), in)
		n += copied
	}
	return n, err
}

// copyChunk is copyAll for bytes of one chunk; it knows up to where more will
// be wanted.
func (m *Mapping) copyChunk(p []byte, off, more int64, in bool) (n int, err error) {
	missed := m.tryCopy(p, off, in)
	if missed < 0 {
		m.access(m.chunkOf(off))
		return len(p), nil
	}
	v := viewer{m: m, claim: claim{m: m}, op: "read", more: more}
	if in {
		v.op = "write"
	}
	defer v.claim.release()
	var failed error
	for missed >= 0 {
		if err := v.miss(missed); err != nil {
			if missed <= off {
				return 0, err
			}
			p, failed = p[:missed-off], err // up to there it may be had
		}
		missed = m.tryCopy(p, off, in)
	}
	return len(p), failed
}

// tryCopy copies, and returns the offset of the page that it has met missing,
// or -1.
func (m *Mapping) tryCopy(p []byte, off int64, in bool) (missed int64) {
	missed, _ = m.guard(func(b []byte) error {
		if in {
			copy(b[off:], p)
		} else {
			copy(p, b[off:])
		}
		return nil
	})
	return missed
}

// WriteTo writes all of the mapping to w. Writes get memory that is in place,
// or, with a budget, a copy of it, a window at most, so w may be a file or a
// connection, and slow.
func (m *Mapping) WriteTo(w io.Writer) (n int64, err error) {
	return m.writeRange(w, 0, m.Size())
}

func (m *Mapping) writeRange(w io.Writer, off, end int64) (n int64, err error) {
	if err := m.enter("write"); err != nil {
		return 0, err
	}
	defer m.leave()
	write := m.writePiece
	if m.budget.limit > 0 {
		write = m.writeCopy // what is slow to write must not fill the budget
	}
	piece := int64(m.window) * int64(m.chunkSize)
	for off < end && err == nil {
		// Pieces end where chunks end.
		k := min(end, (off+piece)&^int64(m.chunkSize-1)) - off
		var wrote int64
		wrote, err = write(w, off, k)
		n += wrote
		off += wrote
	}
	return n, err
}

// writePiece writes memory that is held in place.
func (m *Mapping) writePiece(w io.Writer, off, n int64) (int64, error) {
	s, err := m.Slice(off, n)
	if e := (*Error)(nil); errors.As(err, &e) && e.Op == "read" && e.Off > off {
		wrote, failed := m.writePiece(w, off, e.Off-off) // what comes before
		if failed != nil {
			err = failed
		}
		return wrote, err
	}
	if err != nil {
		return 0, err
	}
	defer s.Release()
	return writeAll(w, s.Bytes())
}

// writeCopy writes a copy.
func (m *Mapping) writeCopy(w io.Writer, off, n int64) (int64, error) {
	buf := m.buffer(n)
	defer m.putBuffer(buf)
	got, err := m.copyAll((*buf)[:n], off, false)
	wrote, failed := writeAll(w, (*buf)[:got])
	if failed != nil {
		err = failed
	}
	return wrote, err
}

func writeAll(w io.Writer, p []byte) (int64, error) {
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return int64(n), err
}

// A Section reads a part of a mapping. Its methods are those of
// [io.SectionReader], and WriteTo.
type Section struct {
	*io.SectionReader
	m *Mapping
}

// Section returns a reader of n bytes of the mapping, from off on; of none if n
// is below zero.
func (m *Mapping) Section(off, n int64) *Section {
	return &Section{io.NewSectionReader(m, off, max(n, 0)), m}
}

// WriteTo writes what was not read yet to w; as [Mapping.WriteTo] does it.
func (s *Section) WriteTo(w io.Writer) (int64, error) {
	_, start, size := s.Outer()
	at, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	end := s.m.Size()
	if start < 0 || start > end || at >= end-start {
		return 0, nil
	}
	end = start + min(size, end-start)
	if start+at >= end {
		return 0, nil
	}
	n, err := s.m.writeRange(w, start+at, end)
	s.Seek(n, io.SeekCurrent)
	return n, err
}

var (
	_ io.ReaderAt = (*Mapping)(nil)
	_ io.WriterTo = (*Mapping)(nil)
)
