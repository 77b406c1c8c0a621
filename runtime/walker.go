package userfaultfd

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

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
func (w *Walker) Reset(s Scan) { *w = Walker{p: w.p, scan: s, end: s.Range.End(), buf: w.buf} }

// Next goes to the next region. It returns false at the end, or where
// [Walker.Err] tells of an error; what was found before an error comes first.
// The walk ends after s.MaxPages pages that match, if that is not 0.
func (w *Walker) Next() bool {
	for w.i == w.n {
		if w.done || w.err != nil {
			return false
		}
		w.fill()
	}
	w.i++
	return true
}

// fill scans once.
func (w *Walker) fill() {
	start := w.scan.Range.Start
	if len(w.buf) == 0 {
		// The scan would only protect, and nobody learn what.
		w.err = &Error{Op: "PAGEMAP_SCAN", Range: w.scan.Range, Err: fmt.Errorf("%w: no room for a region", unix.EINVAL)}
		return
	}
	var next uint64
	w.n, next, w.err = w.p.Scan(&w.scan, w.buf)
	w.i = 0
	w.done = next >= w.end
	w.scan.Range = Range{next, w.end - next}
	if w.scan.MaxPages > 0 {
		found := uint64(0)
		for _, r := range w.buf[:w.n] {
			found += r.Range().Len / uint64(os.Getpagesize())
		}
		w.done = w.done || found >= w.scan.MaxPages
		w.scan.MaxPages -= min(found, w.scan.MaxPages)
	}
	if w.err == nil && !w.done && next == start {
		w.err = &Error{Op: "PAGEMAP_SCAN", Range: w.scan.Range, Err: io.ErrNoProgress}
	}
}

// Region returns the current region.
func (w *Walker) Region() PageRegion { return w.buf[w.i-1] }

// Err returns the error that ended the walk, or nil, once Next has returned
// false: that of [Pagemap.Scan], or [io.ErrNoProgress] where the kernel cannot
// go on: a huge page does not fit into what MaxPages leaves.
func (w *Walker) Err() error { return w.err }
