package pager

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
)

// workingSetMagic begins a working-set file; the length of its trace follows, the
// trace, and, from the next multiple of 4096 on, the extents by rank.
const workingSetMagic = "uffdpages\x01"

// WriteWorkingSet writes what a trace tells of a source to w: the pages
// themselves, in the order in which they are asked for.
func WriteWorkingSet(w io.Writer, t *Trace, source io.ReaderAt) error {
	var trace bytes.Buffer
	if _, err := t.WriteTo(&trace); err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint64([]byte(workingSetMagic), uint64(trace.Len()))
	head = append(head, trace.Bytes()...)
	head = append(head, make([]byte, packedFrom(len(head))-len(head))...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, e := range t.byRank() {
		n, err := io.Copy(w, io.NewSectionReader(source, e.Offset, e.Len))
		if err == nil && n < e.Len {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("pager: writing a working set, at %d of the source: %w", e.Offset+n, err)
		}
	}
	return nil
}

func packedFrom(head int) int { return (head + 4095) &^ 4095 }

// A WorkingSet is a source: what its file has comes from there, and all else from
// another source. [Pager.Replay] of its Trace reads the file from front to back. What
// both can do, and where the source has holes, it passes on: see [Lender],
// [ContextReaderAt] and [Sparse].
type WorkingSet struct {
	trace  *Trace
	file   io.ReaderAt
	source io.ReaderAt
	packed []int64 // where each extent is in the file
}

// OpenWorkingSet opens a file that [WriteWorkingSet] has written, of a source whose
// content has that digest, and which has all the rest.
func OpenWorkingSet(file, source io.ReaderAt, digest []byte) (*WorkingSet, error) {
	head := make([]byte, len(workingSetMagic)+8)
	if n, err := file.ReadAt(head, 0); n < len(head) {
		return nil, fmt.Errorf("pager: reading a working set: %w", unexpected(err))
	}
	if string(head[:len(workingSetMagic)]) != workingSetMagic {
		return nil, errors.New("pager: the file is no working set: it begins with something else")
	}
	n := binary.LittleEndian.Uint64(head[len(workingSetMagic):])
	if n > maxOffset {
		return nil, fmt.Errorf("pager: the working set's trace is said to have %d bytes", n)
	}
	t, err := ReadTrace(io.NewSectionReader(file, int64(len(head)), int64(n)), digest)
	if err != nil {
		return nil, err
	}
	// Nothing else says where the pages begin.
	if size, err := t.WriteTo(io.Discard); err != nil || uint64(size) != n {
		return nil, fmt.Errorf("pager: the working set is damaged: its trace is said to have %d bytes, and has %d", n, size)
	}
	w := &WorkingSet{t, file, source, make([]int64, len(t.Extents))}
	at := int64(packedFrom(len(head) + int(n)))
	for _, e := range t.byRank() {
		i := sort.Search(len(t.Extents), func(i int) bool { return t.Extents[i].Offset >= e.Offset })
		w.packed[i] = at
		at += e.Len
	}
	return w, nil
}

func unexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Trace returns what the file has.
func (w *WorkingSet) Trace() *Trace { return w.trace }

// ReadAt reads from the file what it has, and all else from the source.
func (w *WorkingSet) ReadAt(p []byte, off int64) (int, error) {
	return w.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext is ReadAt that ends when ctx is done, if reads of the file and of the
// source can be ended.
func (w *WorkingSet) ReadAtContext(ctx context.Context, p []byte, off int64) (n int, err error) {
	for n < len(p) {
		from, where, most, packed := w.at(off + int64(n))
		part := p[n:]
		part = part[:min(int64(len(part)), most)]
		var m int
		m, err = readAt(ctx, from, part, where)
		n += m
		if m < len(part) {
			if err == nil || packed {
				err = unexpected(err)
			}
			return n, err
		}
	}
	return n, nil
}

// Lend lends what the file, or the source, does.
func (w *WorkingSet) Lend(off int64, n int) []byte {
	from, where, most, _ := w.at(off)
	if l, ok := from.(Lender); ok {
		return l.Lend(where, int(min(int64(n), most)))
	}
	return nil
}

// NextData asks the source where it has data, if it knows.
func (w *WorkingSet) NextData(off int64) (start, end int64, err error) {
	return nextData(w.source, off)
}

// at returns where the content of off is, for how many bytes, and whether that is the
// file.
func (w *WorkingSet) at(off int64) (from io.ReaderAt, where, most int64, packed bool) {
	all := w.trace.Extents
	i := sort.Search(len(all), func(i int) bool { return all[i].end() > off })
	switch {
	case i < len(all) && all[i].Offset <= off:
		return w.file, w.packed[i] + off - all[i].Offset, all[i].end() - off, true
	case i < len(all):
		return w.source, off, all[i].Offset - off, false
	}
	return w.source, off, math.MaxInt64, false
}
