package userfaultfd

// A Walker goes through the regions that a [Scan] finds, scanning again as
// often as its buffer is full. It does not allocate after it was made.
//
//	w := userfaultfd.NewWalker(p, userfaultfd.ScanWritten(r, true), make([]userfaultfd.PageRegion, 512))
//	for w.Next() {
//		save(w.Region().Range())
//	}
//	if err := w.Err(); err != nil { ... }
type Walker struct {
	p    *Pagemap
	scan Scan
	end  uint64
	buf  []PageRegion
	n    int // regions in buf
	i    int // the current one, counted from 1
	done bool
	err  error
}

// NewWalker returns a Walker that has scanned nothing yet. buf needs room for
// one region; a few hundred are a page of memory and keep system calls few. It
// is the Walker's until the walk is over.
func NewWalker(p *Pagemap, s Scan, buf []PageRegion) *Walker {
	return &Walker{p: p, scan: s, end: s.Range.End(), buf: buf}
}

// Reset begins a new walk with another scan.
func (w *Walker) Reset(s Scan) {
	*w = Walker{p: w.p, scan: s, end: s.Range.End(), buf: w.buf}
}

// Next goes to the next region. It returns false at the end, or where
// [Walker.Err] tells of an error.
func (w *Walker) Next() bool {
	for w.i == w.n {
		if w.done || w.err != nil {
			return false
		}
		n, next, err := w.p.Scan(&w.scan, w.buf)
		w.n, w.i, w.err = n, 0, err // what was found before an error counts
		w.done = next >= w.end || next == w.scan.Range.Start
		w.scan.Range = Range{next, w.end - next}
	}
	w.i++
	return true
}

// Region returns the current region.
func (w *Walker) Region() PageRegion { return w.buf[w.i-1] }

// Err returns the error that ended the walk, or nil, once Next has returned
// false.
func (w *Walker) Err() error { return w.err }
