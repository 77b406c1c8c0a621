package pager

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"sort"
)

// A Trace is what processes asked of a source: which bytes first, and in how many
// runs. It is bound to the content by a digest, and knows no page size.
type Trace struct {
	Digest  []byte   // of the source's content, of the caller's choice; 1024 bytes at most
	Runs    int      // runs that it was recorded in
	Extents []Extent // ascending and apart
}

// An Extent is a run of bytes of a source that was asked for.
type Extent struct {
	Offset, Len int64
	Rank        int // the tenth of the run in which it was first asked for: 0 to 9
	Count       int // the runs that asked for it
}

func (e Extent) end() int64 { return e.Offset + e.Len }

// Bytes returns the number of bytes that were asked for.
func (t *Trace) Bytes() (n int64) {
	for _, e := range t.Extents {
		n += e.Len
	}
	return n
}

// Union returns what was asked for in either trace. Counts and runs add up, and
// the earlier rank holds. Both must be of the same content.
func Union(a, b *Trace) (*Trace, error) {
	return combine(a, b, func(inA, inB bool) bool { return inA || inB })
}

// Intersect returns what was asked for in both traces, as Union does.
func Intersect(a, b *Trace) (*Trace, error) {
	return combine(a, b, func(inA, inB bool) bool { return inA && inB })
}

// Age halves the counts, rounding down, and forgets what was asked for once. A
// trace that is aged before every union with a new one forgets what is no longer
// asked for.
func (t *Trace) Age() *Trace {
	aged := &Trace{Digest: t.Digest, Runs: t.Runs / 2}
	for _, e := range t.Extents {
		if e.Count /= 2; e.Count > 0 {
			aged.add(e)
		}
	}
	return aged
}

// AtLeast returns what at least so many runs asked for.
func (t *Trace) AtLeast(count int) *Trace {
	kept := &Trace{Digest: t.Digest, Runs: t.Runs}
	for _, e := range t.Extents {
		if e.Count >= count {
			kept.add(e)
		}
	}
	return kept
}

// add appends an extent, as one with the last if it goes on like that.
func (t *Trace) add(e Extent) {
	if n := len(t.Extents); n > 0 {
		last := &t.Extents[n-1]
		if last.end() == e.Offset && last.Rank == e.Rank && last.Count == e.Count {
			last.Len += e.Len
			return
		}
	}
	t.Extents = append(t.Extents, e)
}

// combine goes through two traces where either begins or ends.
func combine(a, b *Trace, keep func(inA, inB bool) bool) (*Trace, error) {
	if !bytes.Equal(a.Digest, b.Digest) {
		return nil, errOtherContent
	}
	c := &Trace{Digest: a.Digest, Runs: a.Runs + b.Runs}
	i, k, at := 0, 0, int64(0)
	for i < len(a.Extents) || k < len(b.Extents) {
		next := int64(1<<63 - 1)
		inA, inB := false, false
		if i < len(a.Extents) {
			inA, next = within(a.Extents[i], at, next)
		}
		if k < len(b.Extents) {
			inB, next = within(b.Extents[k], at, next)
		}
		if (inA || inB) && keep(inA, inB) {
			e := Extent{Offset: at, Len: next - at, Rank: 9}
			if inA {
				e.Rank, e.Count = min(e.Rank, a.Extents[i].Rank), e.Count+a.Extents[i].Count
			}
			if inB {
				e.Rank, e.Count = min(e.Rank, b.Extents[k].Rank), e.Count+b.Extents[k].Count
			}
			c.add(e)
		}
		at = next
		if i < len(a.Extents) && a.Extents[i].end() == at {
			i++
		}
		if k < len(b.Extents) && b.Extents[k].end() == at {
			k++
		}
	}
	return c, nil
}

// within reports whether at is in e, and where that changes, before next.
func within(e Extent, at, next int64) (bool, int64) {
	if at < e.Offset {
		return false, min(next, e.Offset)
	}
	return true, min(next, e.end())
}

var errOtherContent = errors.New("pager: the trace is of other content: the digests differ")

// traceMagic begins a trace. Numbers are varints; a checksum ends it.
const traceMagic = "uffdtrace\x01"

// Limits on what a file may say.
const (
	maxDigest = 1024
	maxOffset = 1 << 62
	maxCount  = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WriteTo writes t in the form that ReadTrace reads. It writes nothing if ReadTrace
// would refuse it.
func (t *Trace) WriteTo(w io.Writer) (int64, error) {
	if err := t.check(); err != nil {
		return 0, fmt.Errorf("pager: writing a trace: %w", err)
	}
	b := append([]byte(traceMagic), binary.AppendUvarint(nil, uint64(len(t.Digest)))...)
	b = append(b, t.Digest...)
	b = binary.AppendUvarint(b, uint64(t.Runs))
	b = binary.AppendUvarint(b, uint64(len(t.Extents)))
	at := int64(0)
	for _, e := range t.Extents {
		b = binary.AppendUvarint(b, uint64(e.Offset-at))
		b = binary.AppendUvarint(b, uint64(e.Len))
		b = append(b, byte(e.Rank))
		b = binary.AppendUvarint(b, uint64(e.Count))
		at = e.end()
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	n, err := w.Write(b)
	return int64(n), err
}

// check returns what is wrong with t.
func (t *Trace) check() error {
	switch {
	case len(t.Digest) > maxDigest:
		return fmt.Errorf("its digest has %d bytes, where %d are the most", len(t.Digest), maxDigest)
	case t.Runs < 0 || t.Runs > maxCount:
		return fmt.Errorf("it is of %d runs", t.Runs)
	}
	at := int64(0)
	for i, e := range t.Extents {
		if e.Offset < at {
			return fmt.Errorf("extent %d is %+v, and the one before ends at %d", i, e, at)
		}
		if err := e.check(); err != nil {
			return fmt.Errorf("extent %d is %w", i, err)
		}
		at = e.end()
	}
	return nil
}

// check returns what is wrong with an extent that begins where it may.
func (e Extent) check() error {
	if e.Offset > maxOffset || e.Len <= 0 || e.Len > maxOffset-e.Offset || e.Rank < 0 || e.Rank > 9 || e.Count <= 0 || e.Count > maxCount {
		return fmt.Errorf("%+v", e)
	}
	return nil
}

// ReadTrace reads a trace. It is an error if the trace is damaged, or its digest is
// not the given one.
func ReadTrace(r io.Reader, digest []byte) (*Trace, error) {
	t, err := readTrace(r)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("pager: reading a trace: %w", err)
	}
	if !bytes.Equal(t.Digest, digest) {
		return nil, errOtherContent
	}
	return t, nil
}

func readTrace(from io.Reader) (*Trace, error) {
	r := &sumReader{r: bufio.NewReader(from)}
	magic := make([]byte, len(traceMagic))
	if _, err := io.ReadFull(r, magic); err != nil {
		return nil, err
	}
	if string(magic) != traceMagic {
		return nil, errors.New("it begins with something else")
	}
	t := new(Trace)
	t.Digest = make([]byte, r.number(maxDigest))
	if r.err == nil {
		_, r.err = io.ReadFull(r, t.Digest)
	}
	t.Runs = int(r.number(maxCount))
	n := r.number(maxOffset)
	at := int64(0)
	for i := int64(0); i < n && r.err == nil; i++ {
		e := Extent{Offset: at + r.number(maxOffset-at), Len: r.number(maxOffset)}
		rank, err := r.ReadByte()
		if r.err == nil {
			r.err = err
		}
		e.Rank, e.Count = int(rank), int(r.number(maxCount))
		if r.err != nil {
			break
		}
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("extent %d is %w", i, err)
		}
		t.Extents = append(t.Extents, e)
		at = e.end()
	}
	if r.err != nil {
		return nil, r.err
	}
	want := r.sum
	var sum [4]byte
	if _, err := io.ReadFull(r.r, sum[:]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(sum[:]) != want {
		return nil, errors.New("its checksum is wrong")
	}
	return t, nil
}

// A sumReader sums up what it reads, and remembers its first error.
type sumReader struct {
	r   *bufio.Reader
	sum uint32
	err error
}

func (s *sumReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.sum = crc32.Update(s.sum, castagnoli, p[:n])
	return n, err
}

func (s *sumReader) ReadByte() (byte, error) {
	c, err := s.r.ReadByte()
	if err == nil {
		s.sum = crc32.Update(s.sum, castagnoli, []byte{c})
	}
	return c, err
}

// number reads one that is most at most.
func (s *sumReader) number(most int64) int64 {
	if s.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(s)
	if err == nil && n > uint64(most) {
		err = fmt.Errorf("a number of %d, where %d is the most", n, most)
	}
	if s.err = err; err != nil {
		return 0
	}
	return int64(n)
}

// byRank returns the extents as they are brought in: by rank, and within one by
// offset.
func (t *Trace) byRank() []Extent {
	all := slices.Clone(t.Extents)
	slices.SortStableFunc(all, func(a, b Extent) int { return a.Rank - b.Rank })
	return all
}

// between returns the extents that have any byte from start to end.
func (t *Trace) between(start, end int64) *Trace {
	first := sort.Search(len(t.Extents), func(i int) bool { return t.Extents[i].end() > start })
	last := sort.Search(len(t.Extents), func(i int) bool { return t.Extents[i].Offset >= end })
	return &Trace{Digest: t.Digest, Runs: t.Runs, Extents: t.Extents[first:max(first, last)]}
}
