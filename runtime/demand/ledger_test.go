package demand_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"

	"github.com/zuffd/uffd/runtime/demand"
)

// A ledger knows what memory has to hold that is written, flushed, evicted and
// read again. The memory is in cells, of a size that puts several in a page and
// some across pages and chunks. All bytes of a cell are written with one value.
// A write that has failed may have been done or not, byte by byte.
type ledger struct {
	size  int64
	cells []cellOfLedger
}

const cellSize = 700

type cellOfLedger struct {
	sync.RWMutex           // held while the cell's memory is used, and longer than any view
	may          [4]uint64 // has a bit for each value that its bytes may have
}

func (c *cellOfLedger) allow(v byte)        { c.may[v/64] |= 1 << (v % 64) }
func (c *cellOfLedger) only(v byte)         { c.may = [4]uint64{}; c.allow(v) }
func (c *cellOfLedger) allows(v byte) bool  { return c.may[v/64]&(1<<(v%64)) != 0 }
func firstValue(cell int64) byte            { return byte(1 + cell%255) } // never zero
func (l *ledger) cellAt(off int64) int64    { return off / cellSize }
func (l *ledger) offsetOf(cell int64) int64 { return min(cell*cellSize, l.size) }

func newLedger(size int64) *ledger {
	l := &ledger{size: size, cells: make([]cellOfLedger, (size+cellSize-1)/cellSize)}
	for i := range l.cells {
		l.cells[i].only(firstValue(int64(i)))
	}
	return l
}

// reading calls f while nobody writes to the n bytes from off on, and checks
// the p that it returns, which begins there.
func (l *ledger) reading(off, n int64, f func() (p []byte, err error)) error {
	first, end := l.cellAt(off), l.cellAt(off+n-1)+1
	for c := first; c < end; c++ {
		l.cells[c].RLock()
		defer l.cells[c].RUnlock()
	}
	p, err := f()
	return errors.Join(err, l.check(p, off))
}

// check fails where p, from off on, has a byte that nobody has written.
func (l *ledger) check(p []byte, off int64) error {
	for i, v := range p {
		if c := l.cellAt(off + int64(i)); !l.cells[c].allows(v) {
			return fmt.Errorf("%w: the byte at %d is %#x, which is none of %x", errWrong, off+int64(i), v, l.cells[c].may)
		}
	}
	return nil
}

// writing calls f while nobody else uses some cells, which it fills with v.
func (l *ledger) writing(first, end int64, v byte, f func(off, n int64) error) error {
	for c := first; c < end; c++ {
		l.cells[c].Lock()
		defer l.cells[c].Unlock()
		l.cells[c].allow(v)
	}
	off := l.offsetOf(first)
	if err := f(off, l.offsetOf(end)-off); err != nil {
		return err
	}
	for c := first; c < end; c++ {
		l.cells[c].only(v)
	}
	return nil
}

// A written mapping is one with a ledger. Its source fails, stalls and returns
// short, and so does what it is flushed to.
type written struct {
	*ledger
	using sync.RWMutex // held for writing while nobody uses the mapping
	m     *demand.Mapping

	mu   sync.RWMutex
	disk []byte
}

func newWritten(size int64, c demand.Config) (*written, error) {
	w := &written{ledger: newLedger(size), disk: make([]byte, size)}
	for i := range w.disk {
		w.disk[i] = firstValue(int64(i) / cellSize)
	}
	c.Writable = true
	var err error
	w.m, err = demand.Map(w, size, c)
	return w, err
}

func (w *written) ReadAt(p []byte, off int64) (int, error) {
	n, err := mood(len(p))
	w.mu.RLock()
	defer w.mu.RUnlock()
	return copy(p[:n], w.disk[off:]), err
}

func (w *written) WriteAt(p []byte, off int64) (int, error) {
	n, err := mood(len(p))
	w.mu.Lock()
	defer w.mu.Unlock()
	return copy(w.disk[off:], p[:n]), err
}

// step does one thing at random.
func (w *written) step(r *rand.Rand) error {
	w.using.RLock()
	defer w.using.RUnlock()
	first := r.Int64N(int64(len(w.cells)))
	if r.IntN(2) == 0 {
		first = r.Int64N(64) * int64(len(w.cells)) / 64 // some are used more than others
	}
	end := first + 1
	if r.IntN(8) == 0 {
		end = min(first+r.Int64N(2*chunk/cellSize), int64(len(w.cells)-1)) + 1
	}
	off := w.offsetOf(first) + r.Int64N(9)
	n := max(1, w.offsetOf(end)-off-r.Int64N(9))
	v := byte(1 + r.IntN(255))
	switch k := r.IntN(100); {
	case k < 10:
		return w.m.Retry(0, w.size)
	case k < 20:
		return w.m.Prefetch(off, n)
	case k < 26:
		return w.m.Flush(w)
	case k < 28:
		for _, err := range w.m.Dirty() {
			if err != nil {
				return err
			}
		}
		return nil
	case k < 38:
		return w.writing(first, end, v, func(off, n int64) error {
			_, err := w.m.WriteAt(sameBytes(v, n), off)
			return err
		})
	case k < 48:
		return w.writing(first, end, v, func(off, n int64) error {
			return w.m.View(func(b []byte) error {
				copy(b[off:], sameBytes(v, n/2))
				if r.IntN(8) == 0 {
					runtime.Gosched()
				}
				for i := range b[off : off+n] {
					b[off+int64(i)] = v
				}
				return nil
			})
		})
	case k < 54:
		return w.writing(first, end, v, func(off, n int64) error {
			s, err := w.m.Slice(off, n)
			if err != nil {
				return err
			}
			defer s.Release()
			copy(s.Bytes(), sameBytes(v, n))
			runtime.Gosched()
			return w.check(s.Bytes(), off)
		})
	case k < 60:
		return w.reading(off, n, func() ([]byte, error) {
			s, err := w.m.Slice(off, n)
			if err != nil {
				return nil, err
			}
			defer s.Release()
			return append([]byte(nil), s.Bytes()...), nil
		})
	case k < 80:
		return w.reading(off, n, func() ([]byte, error) {
			p := make([]byte, n)
			n, err := w.m.ReadAt(p, off)
			return p[:n], err
		})
	default:
		return w.reading(off, n, func() (p []byte, err error) {
			err = w.m.View(func(b []byte) error { p = append(p[:0], b[off:off+n]...); return nil })
			if err != nil {
				return nil, err
			}
			return p, nil
		})
	}
}

func sameBytes(v byte, n int64) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = v
	}
	return p
}

// settle flushes all and closes the mapping while nobody uses it, checks what
// has come to the disk, and maps that.
func (w *written) settle(c demand.Config) error {
	w.using.Lock()
	defer w.using.Unlock()
	for err := errSource; err != nil; {
		err = w.m.Flush(w)
		if errors.Is(err, os.ErrClosed) {
			return err // it has been given up
		}
		if err != nil && !errors.Is(err, errSource) && !errors.Is(err, io.ErrShortWrite) && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: Flush: %w", errWrong, err)
		}
	}
	for r, err := range w.m.Dirty() {
		return fmt.Errorf("%w: dirty after Flush: %v, %w", errWrong, r, err)
	}
	if err := w.m.Close(); err != nil {
		return err
	}
	if err := w.check(w.disk, 0); err != nil {
		return fmt.Errorf("flushed: %w", err)
	}
	c.Writable = true
	m, err := demand.Map(w, w.size, c)
	if err == nil {
		w.m = m
	}
	return err
}
