package pager

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
)

// A Replay says how to bring in what a trace tells.
type Replay struct {
	Trace  *Trace
	Source io.ReaderAt // of the regions that it is about: the same value, which can be compared
	Digest []byte      // of the source's content now; a trace of another is refused

	// WarmOnly reads the source and installs nothing: what is read is then in
	// a cache of the source's.
	WarmOnly bool

	// Sample leaves one page in so many to be asked for, and by how many of
	// them are, [Replayed] tells what the rest was worth. 0 leaves none, and
	// Hits and Waste are not known then. 100 costs one hit in a hundred.
	Sample int
}

// Replayed is what a replay was worth, in bytes.
type Replayed struct {
	Recorded uint64 // of the trace, in these regions
	Already  uint64 // of these, were in place before, or discarded
	Late     uint64 // of these, were asked for before they were brought in
	Failed   uint64 // of these, could not be had
	Early    uint64 // of these, were brought in before anybody asked
	Hits     uint64 // of Early, how much is asked for, by the sample
	Waste    uint64 // of Early, the rest
}

// Replay brings in what a trace tells, while Serve serves faults, which go first:
// what was asked for earlier in the recorded run comes earlier, and within a tenth
// of it what comes first in the source, in runs as long as may be.
//
// It returns when all is in, with a function that tells what that was worth, at
// any time later: Hits and Waste become known as the process goes on. Errors are
// those of [Pager.Populate], and a trace of other content.
func (p *Pager) Replay(ctx context.Context, r Replay) (worth func() Replayed, err error) {
	if r.Trace == nil {
		return func() Replayed { return Replayed{} }, errors.New("pager: Replay.Trace is nil")
	}
	if !bytes.Equal(r.Trace.Digest, r.Digest) {
		return func() Replayed { return Replayed{} }, errOtherContent
	}
	if !slices.ContainsFunc(p.cfg.Regions, func(of Region) bool { return sameSource(of.Source, r.Source) }) {
		return func() Replayed { return Replayed{} }, errNoSuchSource
	}
	p.beginPopulating()
	w := &replaying{p: p, sample: r.Sample}
	pieces := w.plan(r)
	if r.WarmOnly {
		return w.worth, p.bring(ctx, pieces, bringer{warms: true})
	}
	err = p.bring(ctx, pieces, bringer{})
	w.finish()
	return w.worth, err
}

var errNoSuchSource = errors.New("pager: Replay.Source is no region's source: it is the same value, and can be compared")

// replaying is one replay: which pages it is about, and what became of them.
type replaying struct {
	p      *Pager
	sample int
	told   Replayed
	parts  []replayedPart
}

// A replayedPart is what a trace tells of one backing.
type replayedPart struct {
	b       *backing
	planned bitmap // to be brought in
	held    bitmap // the sample
	asked   bitmap // before
}

// plan returns the pieces to bring in, in order.
func (w *replaying) plan(r Replay) (pieces []piece) {
	parts := make(map[*backing]*replayedPart)
	for _, s := range w.segments(r.Source) {
		part := parts[s.b]
		if part == nil {
			n := s.b.states.n
			part = &replayedPart{s.b, newBitmap(n), newBitmap(n), s.b.asked.clone()}
			parts[s.b] = part
		}
		from, to := s.pages()
		for _, e := range r.Trace.between(s.b.offset(from), s.b.offset(to)).byRank() {
			pieces = append(pieces, w.pieces(s, e, part)...)
		}
	}
	for _, part := range parts {
		w.parts = append(w.parts, *part)
	}
	slices.SortStableFunc(pieces, piece.before)
	return pieces
}

// segments returns those that map a source, and sees to it that what is asked for
// of them is noted. All else of a plan is made without the order's lock: the trace
// may be long.
func (w *replaying) segments(source io.ReaderAt) (all []segment) {
	p := w.p
	p.order.beginRead()
	defer p.order.endRead()
	for _, s := range p.space.segments {
		if s.b.vacant || !sameSource(p.cfg.Regions[s.b.region].Source, source) {
			continue
		}
		if s.b.asked == nil {
			s.b.asked = newBitmap(s.b.states.n)
		}
		all = append(all, s)
	}
	return all
}

// pieces returns those of an extent in a segment.
func (w *replaying) pieces(s segment, e Extent, part *replayedPart) (pieces []piece) {
	b := s.b
	size := int64(b.pageSize)
	from, to := s.pages()
	// Pages that the extent has any byte of.
	from = int(max(int64(from), (e.Offset-b.base)/size))
	to = int(min(int64(to), (e.end()-b.base+size-1)/size))
	for page := from; page < to; {
		w.told.Recorded += b.pageSize
		switch {
		case b.states.get(page) != Untouched:
			w.told.Already += b.pageSize
			page++
			continue
		case part.planned.get(page) || part.held.get(page):
			page++ // another extent has a part of it
			w.told.Recorded -= b.pageSize
			continue
		case w.sample > 0 && int(mix(uint64(b.offset(page)))%uint64(w.sample)) == 0:
			part.held.set(page, page+1, true)
			page++
			continue
		}
		part.planned.set(page, page+1, true)
		n := len(pieces)
		if n > 0 && pieces[n-1].seg.end == s.addrOf(page) && pieces[n-1].seg.end-pieces[n-1].seg.start < pieceSize {
			pieces[n-1].seg.end += b.pageSize
		} else {
			pieces = append(pieces, piece{segment{s.addrOf(page), s.addrOf(page) + b.pageSize, b, page}, e.Rank})
		}
		page++
	}
	return pieces
}

// finish counts what was late, failed and early.
func (w *replaying) finish() {
	for _, part := range w.parts {
		for page := part.planned.next(0, part.b.states.n); page < part.b.states.n; page = part.planned.next(page+1, part.b.states.n) {
			switch size := part.b.pageSize; {
			case part.b.asked.get(page) && !part.asked.get(page):
				w.told.Late += size
			case part.b.states.get(page) == Untouched:
				w.told.Failed += size
			default:
				w.told.Early += size
			}
		}
	}
}

// worth tells what the replay was worth, by what became of the sample until now.
func (w *replaying) worth() Replayed {
	r := w.told
	var held, asked uint64
	for _, part := range w.parts {
		for page := part.held.next(0, part.b.states.n); page < part.b.states.n; page = part.held.next(page+1, part.b.states.n) {
			held++
			if part.b.asked.get(page) {
				asked++
			}
		}
	}
	if held > 0 {
		r.Hits = r.Early / held * asked
		r.Waste = r.Early - r.Hits
	}
	return r
}

// ask notes that a page was asked for: for the recorder, and for replays.
func (p *Pager) ask(s *segment, page int) {
	if s.b.asked != nil {
		p.noteAsked(s.b, page)
	}
}

func (p *Pager) noteAsked(b *backing, page int) {
	if b.asked.get(page) {
		return
	}
	b.asked.set(page, page+1, true)
	if b.recorder != nil {
		b.recorder.touched(b.offset(page), int64(b.pageSize))
	}
}

func sameSource(a, b io.ReaderAt) bool {
	defer func() { recover() }() // sources that cannot be compared are not the same
	return a == b
}

// mix spreads numbers that are close.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
