package demand

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// read reads the source for a transfer and puts it in place. It returns how
// many bytes it has put in place, and why that is not what is wanted: the
// transfer's failure, which stays, or another error.
func (m *Mapping) read(t *transfer) (got int, err error) {
	off, end := t.have, t.end
	buf := m.buffer(end - off)
	defer m.putBuffer(buf)
	n, err := m.readSource(*buf, off, end)
	first := int(m.endOf(t.first) - off)
	if err != nil && n < first && t.n > 1 {
		// What was read ahead must not fail what is wanted.
		end = off + int64(first)
		n, err = m.readSource(*buf, off, end)
	}
	p := (*buf)[:n]
	switch {
	case err == nil:
		p = m.pad(*buf, n)
	case n >= first:
		p = p[:n&^(m.chunkSize-1)] // nobody has asked for the rest yet
		err = nil
	case !t.wanted:
		return 0, err
	default:
		p = p[:n&^(m.memory.PageSize()-1)]
		t.failure = &Error{Op: "read", Off: off + int64(len(p)), Err: err}
		err = t.failure
	}
	got, installed := m.install(off, p)
	if installed != nil {
		if !t.again {
			m.discard(t.first, t.n)
		}
		t.failure = nil
		return 0, &Error{Op: "read", Off: off, Err: installed}
	}
	t.have = min(off+int64(len(p)), end)
	return got, err
}

// readSource fills p from the source's bytes from off to end. With an error it
// returns how many bytes are good.
func (m *Mapping) readSource(p []byte, off, end int64) (n int, err error) {
	p = p[:end-off]
	if len(p) == 0 {
		return 0, nil
	}
	n, err = m.source.ReadAt(p, off)
	m.readBytes.Add(int64(max(n, 0)))
	m.reads.Add(1)
	switch {
	case n == len(p):
		return n, nil
	case n < 0 || n > len(p):
		return 0, fmt.Errorf("the source's ReadAt returned %d for %d bytes", n, len(p))
	case err == nil, err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// install puts p in place at an offset, around pages that are there already. It
// returns how many bytes it has put in place.
func (m *Mapping) install(off int64, p []byte) (got int, err error) {
	var mode userfaultfd.CopyMode
	if m.writable {
		mode = userfaultfd.CopyWP
	}
	for len(p) > 0 {
		n, err := m.file.Copy(m.start+uint64(off), p, mode)
		got += n
		switch {
		case err == nil:
		case errors.Is(err, unix.EEXIST):
			n += m.memory.PageSize()
		case errors.Is(err, unix.EAGAIN):
			runtime.Gosched() // asked for no events, so it will pass
		default:
			return got, err
		}
		off += int64(n)
		p = p[n:]
	}
	return got, nil
}

// pad fills the page that p[:n] ends in with zeros.
func (m *Mapping) pad(p []byte, n int) []byte {
	page := m.memory.PageSize()
	whole := (n + page - 1) &^ (page - 1)
	clear(p[n:whole])
	return p[:whole]
}

// buffer returns a buffer for n bytes.
func (m *Mapping) buffer(n int64) *[]byte {
	if n <= int64(m.chunkSize) {
		return m.small.Get().(*[]byte)
	}
	return m.large.Get().(*[]byte)
}

func (m *Mapping) putBuffer(p *[]byte) {
	if len(*p) == m.chunkSize {
		m.small.Put(p)
	} else {
		m.large.Put(p)
	}
}

func newBuffer(n int) *[]byte {
	p := make([]byte, n)
	return &p
}
