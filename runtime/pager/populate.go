package pager

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// Populate brings in every page that is untouched, in the source's order, while
// Serve serves faults, which go first: one waits for one install at most. It
// returns when nothing is untouched, or with ctx's error, or, once all else is
// in, with the error of a source, or of an install: a page that cannot be had stays as
// it is, and is poisoned when it is asked for and still cannot. Holes of the file of an
// [InPlace] source stay holes.
//
// Reads that are under way when ctx is done are waited for, unless the source is a
// [ContextReaderAt]. A fault of what is just being read waits for that read.
func (p *Pager) Populate(ctx context.Context) error { return p.populate(ctx, false) }

// Detach brings everything in, poisons what cannot be had, lets the memory go and
// ends Serve: the process needs no pager from then on. It returns the error of
// ctx, and of a source, as [Pager.Populate] does, and one if anything was poisoned.
// With the former the pager goes on, unless it was letting the memory go already.
// [ErrOwed] says that it could not let it go.
//
// Children of the process have pagers of their own, which are not detached by
// that.
func (p *Pager) Detach(ctx context.Context) error {
	poisoned := p.stats.done[opPoison].Load()
	err := p.populate(ctx, true)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err == nil && p.kept != nil {
		err = ErrOwed
	}
	if n := p.stats.done[opPoison].Load() - poisoned; err == nil && n > 0 {
		err = fmt.Errorf("pager: %d bytes could not be had, and are poisoned", n)
	}
	return err
}

// Progress is how far a pager has come.
type Progress struct {
	Done, Total uint64        // bytes that need no source any more, and all
	Rate        float64       // bytes a second since Populate or Replay was called
	Left        time.Duration // at that rate; 0 if none is known
}

// Progress returns how far the pager has come. It looks at the state of every
// page, which takes about two milliseconds for 100 GiB.
func (p *Pager) Progress() Progress {
	p.order.beginInstall()
	defer p.order.endInstall()
	var g Progress
	for i := range p.space.segments {
		s := &p.space.segments[i]
		if s.b.vacant {
			continue
		}
		from, to := s.pages()
		left := s.b.states.count(from, to, Untouched)
		if s.b.content != nil && s.b.inPlace {
			holes := s.b.untouchedHoles(from, to)
			left, to = left-holes, to-holes
		}
		g.Total += uint64(to-from) * s.b.pageSize
		g.Done += uint64(to-from-left) * s.b.pageSize
	}
	if base := p.populating.Load(); base != nil {
		if took := time.Since(base.begin).Seconds(); took > 0 && g.Done > base.done {
			g.Rate = float64(g.Done-base.done) / took
			g.Left = time.Duration(float64(g.Total-g.Done) / g.Rate * float64(time.Second))
		}
	}
	return g
}

// populating is what rates are counted from.
type populating struct {
	begin time.Time
	done  uint64
}

func (p *Pager) beginPopulating() {
	p.populating.Store(nil)
	p.populating.Store(&populating{time.Now(), p.Progress().Done})
}

// untouchedHoles returns how many pages from from to to are untouched, and zeros
// in the source.
func (b *backing) untouchedHoles(from, to int) (n int) {
	for page := b.states.next(from, to, Untouched); page < to; page = b.states.next(page, to, Untouched) {
		end := b.states.runEnd(page, to)
		for page < end {
			zeros, until := b.isZeros(page, end)
			if zeros {
				n += until - page
			}
			page = until
		}
	}
	return n
}

// populate brings in what is untouched until nothing is, or what is cannot be had.
// If it gives up what cannot be had, it stops the pager before anything else can
// happen.
func (p *Pager) populate(ctx context.Context, givesUp bool) (err error) {
	if p.isStopping() {
		return p.whyStopped()
	}
	p.beginPopulating()
	for tried := []piece(nil); ; {
		// Memory may have moved meanwhile, or was discarded and is to come again.
		pieces := untouchedPieces(p.layout())
		if slices.Equal(pieces, tried) && (!givesUp || p.detach(pieces)) {
			return err
		}
		tried = pieces
		if e := p.bring(ctx, pieces, bringer{givesUp: givesUp}); e != nil || !givesUp {
			err = e
		}
		if p.isStopping() || ctx.Err() != nil {
			return err
		}
	}
}

// layout returns what is where.
func (p *Pager) layout() []segment {
	p.order.beginInstall()
	defer p.order.endInstall()
	return slices.Clone(p.space.segments)
}

// detach stops the pager if pieces are still all that is untouched.
func (p *Pager) detach(pieces []piece) bool {
	p.order.beginInstall()
	defer p.order.endInstall()
	if !slices.Equal(untouchedPieces(p.space.segments), pieces) {
		return false
	}
	p.stop(errDetached)
	return true
}

// Sizes of what is read, and installed, at once.
const (
	pieceSize   = 2 << 20   // of a source, and installed by one call if nobody faults
	politeSize  = 128 << 10 // installed by one call while there are faults
	inPlaceSize = 8 << 20   // what is in the page cache, four times as quick to install
	longestZero = 64 << 20  // zeros, which take no time
)

// A piece is a run of addresses that a background worker brings in.
type piece struct {
	seg  segment // where it is, when it was looked at
	rank int
}

func (a piece) before(b piece) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.seg.b.region, b.seg.b.region), cmp.Compare(a.seg.page, b.seg.page))
}

// untouchedPieces returns pieces of segments in which there are untouched pages, in the
// order of the source. That takes a third of a second for 100 GiB of which pages here and
// there are in place, and faults do not wait for it; whoever brings a piece in looks at its
// pages again.
func untouchedPieces(segments []segment) (all []piece) {
	for _, s := range segments {
		if s.b.vacant {
			continue
		}
		page, to := s.pages()
		for page < to {
			if page = s.b.states.next(page, to, Untouched); page == to {
				break
			}
			zeros, end := s.b.isZeros(page, to)
			if zeros && s.b.content != nil && s.b.inPlace {
				page = s.b.states.runEnd(page, end) // a hole in the memory itself
				continue
			}
			size := uint64(pieceSize)
			switch {
			case zeros:
				size = longestZero
			case s.b.inPlace:
				size = inPlaceSize
			}
			// Cut where the source's pieces begin.
			n := max(int((size-uint64(s.b.offset(page))%size)/s.b.pageSize), 1)
			end = s.b.states.runEnd(page, min(end, page+n))
			all = append(all, piece{seg: segment{s.addrOf(page), s.addrOf(end), s.b, page}})
			page = end
		}
	}
	slices.SortStableFunc(all, piece.before)
	return all
}

// bring has workers, which are like the given one, bring in pieces, and returns the first
// error.
func (p *Pager) bring(ctx context.Context, pieces []piece, worker bringer) error {
	p.background.RLock()
	defer p.background.RUnlock()
	if p.over || p.isStopping() {
		return p.whyStopped()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.sources, cancel)()
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	// Reading is mostly waiting; installing is the kernel's work, which takes a
	// CPU, and one is to be left for faults.
	installs := make(chan struct{}, max(1, min(runtime.GOMAXPROCS(0)-1, 4)))
	for range min(p.cfg.Workers, len(pieces)) {
		wg.Go(func() {
			p.bringers.Add(1)
			defer p.bringers.Add(-1)
			defer faultsPanic()()
			w := worker
			w.p, w.ctx, w.installs, w.faults = p, ctx, installs, p.stats.faults()
			installs <- struct{}{}
			defer func() { <-installs }()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(pieces) {
					return
				}
				if err := w.bring(pieces[i]); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if p.isStopping() {
		return p.whyStopped()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return first
}

// whyStopped returns the error of what was cut short by the pager's end: none, if
// the process is gone, or has everything.
func (p *Pager) whyStopped() error {
	why := *p.stopping.Load()
	if why == errEnded || why == errDetached {
		return nil
	}
	return fmt.Errorf("pager: stopped: %w", why)
}

// A bringer is a worker that brings pieces in.
type bringer struct {
	p       *Pager
	ctx     context.Context
	givesUp bool // poisons what cannot be had
	warms   bool // reads, and installs nothing

	installs chan struct{} // who works, and does not wait for a source, has put one in
	buf      []byte
	faults   uint64 // seen at the last install
	polite   int    // how many installs are to be short yet
}

// size returns how many bytes to install by one call: at most so many, and few
// while there are faults.
func (w *bringer) size(most uint64) uint64 {
	if n := w.p.stats.faults(); n != w.faults {
		w.faults, w.polite = n, 16
	}
	if w.polite > 0 {
		w.polite--
		return politeSize
	}
	return most
}

// bring brings in what of a piece is untouched, and still where it was.
func (w *bringer) bring(x piece) error {
	b := x.seg.b
	page, to := x.seg.pages()
	var first error
	for page < to && w.ctx.Err() == nil {
		if page = b.states.next(page, to, Untouched); page == to {
			break
		}
		end := b.states.runEnd(page, to)
		next, err := w.run(x.seg, page, end)
		if err != nil && first == nil {
			first = err
		}
		if errors.Is(err, unix.ENOMEM) {
			break // there is none for what follows either, and the kernel searches long
		}
		page = max(next, page+1)
	}
	return first
}

// run brings in the beginning of a run of untouched pages of s, and returns the
// first page that it did not deal with.
func (w *bringer) run(s segment, page, end int) (next int, err error) {
	b := s.b
	zeros, until := b.isZeros(page, end)
	switch {
	case w.warms && !zeros && !b.inPlace:
		return until, w.warm(s, page, until)
	case w.warms:
		return until, nil // it is in memory
	case zeros:
		return w.install(s, page, until, opZero, nil)
	case b.inPlace:
		n := max(int(w.size(inPlaceSize)/b.pageSize), 1)
		return w.install(s, page, min(until, page+n), opContinue, nil)
	}
	n := max(int(w.size(pieceSize)/b.pageSize), 1)
	if b.lender != nil {
		to := min(until, page+n)
		if data := w.p.lend(b.content, b.offset(page), (to-page)*int(b.pageSize), int(b.pageSize)); len(data) > 0 {
			next, err := w.install(s, page, page+len(data)/int(b.pageSize), opCopy, data)
			if !errors.Is(err, errUnreadable) {
				return next, err
			}
		}
	}
	return w.read(s, page, min(until, page+max(pieceSize/int(b.pageSize), 1)))
}

var errUnreadable = errors.New("pager: the memory that the source lent cannot be read")

// install installs pages of s that are untouched yet and where they were, and
// returns the first page that it did not deal with.
func (w *bringer) install(s segment, page, end int, o operation, data []byte) (next int, err error) {
	p, b := w.p, s.b
	next = page
	err = p.repeat(w.ctx, func() (outcome, error) {
		for next < end {
			at := p.space.find(s.addrOf(next))
			if at == nil || at.b != b || at.pageOf(s.addrOf(next)) != next || b.states.get(next) != Untouched {
				next++
				continue
			}
			_, last := at.pages()
			run := b.states.runEnd(next, min(end, last))
			var part []byte
			if data != nil {
				part = data[(next-page)*int(b.pageSize) : (run-page)*int(b.pageSize)]
			}
			var out outcome
			next, out, err = p.put(o, at, next, run, part)
			if out == unreadable && o == opContinue {
				next++ // not in the page cache: a hole, or discarded just now
				continue
			}
			if out == unreadable {
				return unreadable, errUnreadable
			}
			if out != done {
				return out, err
			}
		}
		return done, nil
	})
	return next, err
}

// wait calls what waits. Meanwhile another installs.
func (w *bringer) wait(f func()) {
	<-w.installs
	defer func() { w.installs <- struct{}{} }()
	f()
}

// read reads pages and installs them. Faults of them join it, but do not wait for it to
// try again.
func (w *bringer) read(s segment, page, end int) (next int, err error) {
	p, b := w.p, s.b
	for tries := 1; ; tries++ {
		f := &fetch{r: userfaultfd.Range{Start: s.addrOf(page), Len: uint64(end-page) * b.pageSize}, b: b, page: page, want: page}
		for over := p.fetches.claim(f); over != nil; over = p.fetches.claim(f) {
			// Somebody has faulted on one of them: leave it to its worker.
			if end-page > 1 {
				return w.halves(s, page, end)
			}
			w.wait(func() {
				select {
				case <-over:
				case <-w.ctx.Done():
				}
			})
			if w.ctx.Err() != nil || b.states.get(page) != Untouched {
				return end, err
			}
		}
		data := w.buffer(int(f.r.Len))
		if w.wait(func() { err = p.read(w.ctx, b.content, data, b.offset(page)) }); err == nil {
			return end, w.land(f, s, data)
		}
		p.stats.failures.Add(1)
		switch {
		case w.ctx.Err() != nil:
			w.end(f)
			return end, err
		case end-page > 1:
			w.end(f)
			return w.halves(s, page, end)
		case tries >= p.cfg.Retry.Times && w.givesUp:
			p.fail(f, err)
			return end, err
		}
		w.end(f)
		if tries >= p.cfg.Retry.Times {
			return end, err
		}
		if w.wait(func() { pause(w.ctx, p.cfg.Retry.backoff(tries)) }); w.ctx.Err() != nil {
			return end, err
		}
	}
}

// warm reads pages and forgets them: they are in a cache of the source's then.
func (w *bringer) warm(s segment, page, end int) (err error) {
	b := s.b
	w.wait(func() { err = w.p.read(w.ctx, b.content, w.buffer((end-page)*int(b.pageSize)), b.offset(page)) })
	return err
}

func (w *bringer) buffer(n int) []byte {
	if len(w.buf) < n {
		w.buf = make([]byte, n)
	}
	return w.buf[:n]
}

// land installs what was read of s, in short parts while there are faults, and ends f.
func (w *bringer) land(f *fetch, s segment, data []byte) (err error) {
	defer w.end(f)
	size := int(f.b.pageSize)
	end := f.page + f.pages()
	for page := f.page; page < end && err == nil && w.ctx.Err() == nil; {
		to := min(end, page+max(int(w.size(pieceSize))/size, 1))
		page, err = w.install(s, page, to, opCopy, data[(page-f.page)*size:(to-f.page)*size])
	}
	return err
}

// end ends a fetch. Who has joined it and still misses a page faults again, and tells
// which one it wants.
func (w *bringer) end(f *fetch) {
	w.p.order.beginInstall()
	defer w.p.order.endInstall()
	w.p.wake(f.r)
	w.p.fetches.end(f)
}

// halves reads pages in two parts, to find which of them cannot be had.
func (w *bringer) halves(s segment, page, end int) (int, error) {
	middle := page + (end-page)/2
	_, err1 := w.read(s, page, middle)
	_, err2 := w.read(s, middle, end)
	if err1 == nil {
		err1 = err2
	}
	return end, err1
}
