package pager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// A fetch is a read of a source, and the installing of what came. Faults of its
// pages join it.
type fetch struct {
	r     userfaultfd.Range // where the pages are
	b     *backing
	page  int // the first, in b
	want  int // the page that was asked for, in b
	asked time.Time
	tries int // reads that failed
}

func (f *fetch) pages() int { return int(f.r.Len / f.b.pageSize) }

// fetches are those that wait for a worker, and those that are under way.
type fetches struct {
	mu      sync.Mutex
	ready   sync.Cond
	queue   []*fetch
	flight  []*fetch     // queued ones too
	flying  atomic.Int32 // how many these are
	free    []*fetch
	over    chan struct{} // closed when a fetch is, if anybody waits for that
	workers int
	idle    int
	closed  bool
}

func (q *fetches) init() { q.ready.L = &q.mu }

// join reports whether addr is being fetched. Whoever waits for it is woken when
// that is over, whatever came of it.
func (q *fetches) join(addr uint64) bool {
	if q.flying.Load() == 0 {
		return false // as it always is where all is lent
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, f := range q.flight {
		if f.r.Contains(addr) {
			return true
		}
	}
	return false
}

// fetch has a worker fetch the pages from to to of s, because of page. What
// others fetch already it leaves out.
func (p *Pager) fetch(s *segment, page, from, to int) {
	q := &p.fetches
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	start, end := s.addrOf(from), s.addrOf(to)
	for _, f := range q.flight {
		switch at := s.addrOf(page); {
		case f.r.Contains(at):
			return
		case f.r.Start > at:
			end = min(end, f.r.Start)
		default:
			start = max(start, f.r.End())
		}
	}
	f := q.get()
	*f = fetch{r: userfaultfd.Range{Start: start, Len: end - start}, b: s.b, page: s.pageOf(start), want: page, asked: time.Now()}
	q.fly(f)
	p.enqueue(f)
}

// enqueue has a worker serve f. It is called with the fetches' lock held.
func (p *Pager) enqueue(f *fetch) {
	q := &p.fetches
	q.queue = append(q.queue, f)
	if q.idle < len(q.queue) && q.workers < p.cfg.Workers {
		q.workers++
		p.work.Go(p.worker)
	}
	q.ready.Signal()
}

func (q *fetches) fly(f *fetch) {
	q.flight = append(q.flight, f)
	q.flying.Add(1)
}

func (q *fetches) get() *fetch {
	if n := len(q.free); n > 0 {
		f := q.free[n-1]
		q.free = q.free[:n-1]
		return f
	}
	return new(fetch)
}

// next waits for a fetch, and returns nil when there will be none.
func (q *fetches) next() *fetch {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.idle++
	defer func() { q.idle-- }()
	for len(q.queue) == 0 && !q.closed {
		q.ready.Wait()
	}
	if q.closed {
		return nil
	}
	f := q.queue[0]
	q.queue = q.queue[:copy(q.queue, q.queue[1:])]
	return f
}

// end takes a fetch that is over out. It is called between beginInstall and
// endInstall, with what was installed or woken: the reader sees a fault either
// before that, and joins, or after it.
func (q *fetches) end(f *fetch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, g := range q.flight {
		if g == f {
			q.flight[i] = q.flight[len(q.flight)-1]
			q.flight = q.flight[:len(q.flight)-1]
			q.flying.Add(-1)
			break
		}
	}
	if q.over != nil {
		close(q.over)
		q.over = nil
	}
	f.b = nil
	q.free = append(q.free, f)
}

// claim begins a fetch by the caller, unless another has any of its pages: then it
// returns a channel that is closed when one is over.
func (q *fetches) claim(f *fetch) (over <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, g := range q.flight {
		if g.r.Start < f.r.End() && f.r.Start < g.r.End() {
			if q.over == nil {
				q.over = make(chan struct{})
			}
			return q.over
		}
	}
	q.fly(f)
	return nil
}

// close ends the workers.
func (q *fetches) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready.Broadcast()
}

func (p *Pager) worker() {
	defer faultsPanic()()
	var buf []byte
	for f := p.fetches.next(); f != nil; f = p.fetches.next() {
		if need := int(f.r.Len); len(buf) < need {
			buf = make([]byte, need)
		}
		p.serveFetch(f, buf)
	}
}

// serveFetch reads, installs and ends a fetch. One that fails is read again later, and
// the worker is free for others until then.
func (p *Pager) serveFetch(f *fetch, buf []byte) {
	asked := f.asked // f is another's once it has landed
	data := buf[:f.r.Len]
	err := p.read(p.sources, f.b.content, data, f.b.offset(f.page))
	if err == nil {
		p.land(f, data)
		p.clock.add(time.Since(asked))
		return
	}
	p.stats.failures.Add(1)
	if f.tries++; p.isStopping() || f.tries >= p.cfg.Retry.Times {
		p.fail(f, err)
		p.clock.add(time.Since(asked))
		return
	}
	// The fault may lie with another page than the one that is wanted.
	p.narrow(f)
	p.work.Go(func() {
		pause(p.sources, p.cfg.Retry.backoff(f.tries))
		q := &p.fetches
		q.mu.Lock()
		defer q.mu.Unlock()
		if !q.closed {
			p.enqueue(f)
		}
	})
}

// lend returns memory with the content of off, and at most n bytes more, in
// whole pages; nil if there is none.
func (p *Pager) lend(c *content, off int64, n, pageSize int) (lent []byte) {
	if c.lender == nil {
		return nil
	}
	defer p.panicked(func(error) { lent = nil })
	b := c.lender.Lend(off, n)
	return b[:min(len(b), n)&^(pageSize-1)]
}

// faultsPanic has memory that cannot be read panic in this goroutine until what it
// returns is called: a source may have mapped a file that is cut short, or whose disk
// fails, and else that would end the program.
func faultsPanic() (undo func()) {
	before := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(before) }
}

// panicked is deferred where a source is called.
func (p *Pager) panicked(then func(err error)) {
	if v := recover(); v != nil {
		p.log.Error("pager: the source panicked", "panic", v, "stack", string(debug.Stack()))
		then(fmt.Errorf("pager: the source panicked: %v", v))
	}
}

// read reads content whole.
func (p *Pager) read(ctx context.Context, c *content, data []byte, off int64) (err error) {
	defer p.panicked(func(e error) { err = e })
	p.stats.reads.Add(1)
	began := sourceReads.begin()
	defer sourceReads.end(began, p.wantedReads)
	n, err := readAt(ctx, c.ReaderAt, data, off)
	switch {
	case n == len(data) && (err == nil || errors.Is(err, io.EOF)):
		return nil
	case n < 0 || n > len(data):
		return fmt.Errorf("pager: the source says that it read %d of %d bytes at %d", n, len(data), off)
	case err == nil || errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("pager: %d of %d bytes at %d of the source: %w", n, len(data), off, err)
}

// land installs what was fetched, where it still belongs, and ends f.
func (p *Pager) land(f *fetch, data []byte) {
	for tries := 1; ; tries++ {
		err := p.repeat(p.sources, func() (outcome, error) {
			whole, out, err := p.landOnce(f, data)
			if out == done || out == gone {
				if !whole {
					p.wake(f.r)
				}
				p.fetches.end(f)
			}
			return out, err
		})
		switch {
		case err == nil:
			return
		case tries >= p.cfg.Retry.Times || p.isStopping():
			p.fail(f, err)
			return
		}
		// As with a read, it may be another page that failed.
		data = data[f.b.offset(f.want)-f.b.offset(f.page):][:f.b.pageSize]
		p.narrow(f)
		pause(p.sources, p.cfg.Retry.backoff(tries))
	}
}

// landOnce installs what of f is untouched yet, and reports whether that was all
// of it.
func (p *Pager) landOnce(f *fetch, data []byte) (whole bool, out outcome, err error) {
	var landed uint64
	p.space.within(f.r, func(s segment) {
		page, to := s.pages()
		if s.b != f.b || page-f.page != int((s.start-f.r.Start)/f.b.pageSize) {
			return // it has moved
		}
		for page < to && out == done {
			end := f.b.states.runEnd(page, to)
			if f.b.states.get(page) == Untouched {
				next := page
				next, out, err = p.put(opCopy, &s, page, end, data[(page-f.page)*int(f.b.pageSize):(end-f.page)*int(f.b.pageSize)])
				landed += uint64(next-page) * f.b.pageSize
			}
			page = end
		}
	})
	if landed > 0 {
		p.stats.ahead.Add(landed - f.b.pageSize)
	}
	return landed == f.r.Len, out, err
}

// narrow leaves of f the wanted page. Who waits for others faults again.
func (p *Pager) narrow(f *fetch) {
	if f.pages() == 1 {
		return
	}
	p.order.beginInstall()
	defer p.order.endInstall()
	all := f.r
	p.fetches.mu.Lock()
	f.r = userfaultfd.Range{Start: all.Start + uint64(f.want-f.page)*f.b.pageSize, Len: f.b.pageSize}
	f.page = f.want
	p.fetches.mu.Unlock()
	if f.r.Start > all.Start {
		p.wake(userfaultfd.Range{Start: all.Start, Len: f.r.Start - all.Start})
	}
	if f.r.End() < all.End() {
		p.wake(userfaultfd.Range{Start: f.r.End(), Len: all.End() - f.r.End()})
	}
}

// fail gives the wanted page up, if it is still wanted, and ends f.
func (p *Pager) fail(f *fetch, why error) {
	if p.isStopping() {
		// What is owed is settled at the end.
		p.order.beginInstall()
		p.fetches.end(f)
		p.order.endInstall()
		return
	}
	p.narrow(f)
	r := f.r // f is another's as soon as it has ended
	told := false
	err := p.repeat(p.sources, func() (out outcome, err error) {
		s := p.space.find(f.r.Start)
		if s == nil || s.b != f.b || s.pageOf(f.r.Start) != f.page || f.b.states.get(f.page) != Untouched {
			p.wake(f.r) // it has moved, or was discarded
		} else {
			out, err = p.giveUp(s, f.page, why, told)
			told = true
		}
		if out != changing {
			p.fetches.end(f)
		}
		return out, err
	})
	if err != nil {
		p.unpayable(r, err)
	}
}

// repeat calls install under the order's lock until the address space no longer
// changes, or ctx is done. It returns the error of an install that failed.
func (p *Pager) repeat(ctx context.Context, install func() (outcome, error)) error {
	for wait := 50 * time.Microsecond; ; wait = min(2*wait, 10*time.Millisecond) {
		p.beginInstall()
		out, err := install()
		p.endInstall()
		switch out {
		case changing:
			p.stats.deferred.Add(1)
			if ctx.Err() != nil {
				return nil
			}
			pause(ctx, wait)
			continue
		case gone:
			p.stop(errEnded)
		case failed, unreadable:
			return err
		}
		return nil
	}
}

func (p *Pager) beginInstall() {
	if !p.hooks.unsafe {
		p.order.beginInstall()
	}
}

func (p *Pager) endInstall() {
	if !p.hooks.unsafe {
		p.order.endInstall()
	}
}

// pause waits, unless ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
