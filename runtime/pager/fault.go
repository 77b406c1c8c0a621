package pager

import (
	"errors"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// A fault is a page that a thread waits for.
type fault struct {
	addr  uint64
	flags userfaultfd.PagefaultFlags
	tries int       // that failed, without being EAGAIN; givenUp
	after time.Time // when it is to be tried again
}

// givenUp is instead of the tries of a fault whose page is to be poisoned.
const givenUp = -1

// resolveAll looks at the faults that were set aside and at those just read, in
// the reader, after events were applied.
func (p *Pager) resolveAll() {
	p.paid = p.paid[:0]
	again := p.later
	p.later = p.spare[:0]
	for _, faults := range [...][]fault{again, p.faults} {
		for i := range faults {
			f := &faults[i]
			if s, page, data := p.plain(f); s != nil {
				_, err := p.file.Copy(s.addrOf(page), data, p.copyMode)
				p.copied(f, s, page, err)
				continue
			}
			if f.tries > 0 && !p.poisoning && time.Now().Before(f.after) {
				p.later = append(p.later, *f)
				continue
			}
			if in, ok := p.decide(f); ok {
				next, out, err := p.put(in.o, in.s, in.from, in.to, in.data)
				p.installed(f, in, next, out, err)
			}
		}
	}
	p.spare = again[:0]
	if len(p.later) == 0 {
		p.backoff = 0
	}
	p.faults = p.faults[:0]
}

// plain returns the page to install for a fault as most are, which is missing and
// whose content is lent and installed alone, and that content; or nil.
//
// Who calls it issues UFFDIO_COPY and then calls copied. It is decide, put and
// installed for that case, since each function that a system call is made in takes
// 20 ns, and calls among these take a fiftieth of a fault's time.
func (p *Pager) plain(f *fault) (s *segment, page int, data []byte) {
	s = p.space.find(f.addr)
	if s == nil || f.tries != 0 || f.flags&^userfaultfd.PagefaultWrite != 0 || p.isUnusual() {
		return nil, 0, nil
	}
	b := s.b
	if !b.lends || b.asked != nil || p.streams.max > b.pageSize || p.alreadyPaid(f.addr) {
		return nil, 0, nil
	}
	page = s.pageOf(f.addr)
	if state := b.states.get(page); state != Untouched && !(state == Installed && b.refetch) || b.isZero(page) {
		return nil, 0, nil
	}
	data = p.lend(b.content, b.offset(page), int(b.pageSize), int(b.pageSize))
	if len(data) == 0 {
		return nil, 0, nil
	}
	if p.hooks.decided != nil {
		p.hooks.decided(pageRange(s, page))
	}
	return s, page, data
}

// copied settles a fault that was plain by what came of UFFDIO_COPY.
func (p *Pager) copied(f *fault, s *segment, page int, err error) {
	if err == nil {
		s.b.states.set(page, page+1, Installed)
		p.stats.installed(opCopy, false, s.b.pageSize)
	} else if out, err := p.refused(opCopy, s, page, 1, err); out != done {
		p.settle(*f, s, out, err)
		return
	}
	p.paidFor(s, page, page+1)
}

// isUnusual reports whether faults may be other than they seem.
func (p *Pager) isUnusual() bool {
	return p.poisoning || len(p.space.moves) > 0 || p.fetches.flying.Load() > 0 || p.hooks.refuse != nil
}

// decide says what to install for a fault, or, if it is nothing, pays for it or
// sees to it that it is paid. It may be called any number of times for one.
func (p *Pager) decide(f *fault) (in install, ok bool) {
	if p.alreadyPaid(f.addr) {
		p.stats.joined.Add(1)
		return
	}
	s := p.space.find(f.addr)
	if s == nil {
		p.outside(*f)
		return
	}
	switch {
	case len(p.space.moves) > 0 && p.kernel < countsEvents && p.space.moves.doubtful(f.addr):
		p.settle(*f, s, changing, nil)
	case f.flags&userfaultfd.PagefaultWP != 0:
		p.settle(*f, s, p.unprotect(s, f.addr, false), nil)
	case f.flags&userfaultfd.PagefaultRWP != 0:
		p.settle(*f, s, p.unprotect(s, f.addr, true), nil)
	case f.flags&userfaultfd.PagefaultMinor != 0:
		return p.minor(f, s), true
	default:
		return p.missing(f, s)
	}
	return
}

// missing decides for a page that is not there.
func (p *Pager) missing(f *fault, s *segment) (in install, ok bool) {
	b, page := s.b, s.pageOf(f.addr)
	if b.huge {
		p.doubts.miss(s.addrOf(page))
	}
	state := Removed
	if !b.vacant {
		state = b.states.get(page)
	}
	if state == Installed && b.refetch {
		b.states.set(page, page+1, Untouched)
		state = Untouched
	}
	switch state {
	case Untouched:
		return p.untouched(f, s, page)
	case Removed:
		from, to := page, page+1
		if !b.huge && !b.shared && !p.cfg.TrackWrites {
			from, to = p.around(f.addr, s, page) // zeros that take no memory
		}
		return install{opZero, s, from, to, nil}, true
	case Poisoned:
		return install{opPoison, s, page, page + 1, nil}, true
	default:
		return install{opZero, s, page, page + 1, nil}, true
	}
}

// untouched decides for a page whose content is in the source.
func (p *Pager) untouched(f *fault, s *segment, page int) (in install, ok bool) {
	b := s.b
	if f.tries == givenUp || p.poisoning && !p.letsGo(b) {
		p.cannot(*f, s, page, errStopped)
		return
	}
	p.ask(s, page)
	if p.fetches.join(f.addr) {
		p.stats.joined.Add(1)
		return
	}
	from, to := p.around(f.addr, s, page)
	if b.isZero(page) || b.inPlace {
		return install{opZero, s, from, to, nil}, true
	}
	if data := p.lend(b.content, b.offset(from), (to-from)*int(b.pageSize), int(b.pageSize)); len(data) > (page-from)*int(b.pageSize) {
		return install{opCopy, s, from, from + b.pagesIn(uint64(len(data))), data}, true
	}
	p.fetch(s, page, from, to)
	return
}

// minor decides for a page that is in the page cache, and so has its content.
func (p *Pager) minor(f *fault, s *segment) install {
	page := s.pageOf(f.addr)
	from, to := page, page+1
	if !s.b.vacant {
		if s.b.states.get(page) == Untouched {
			p.ask(s, page)
		}
		from, to = p.around(f.addr, s, page)
	}
	return install{opContinue, s, from, to, nil}
}

// installed settles a fault by what came of an install for it: the first page that
// it did not deal with, and why.
func (p *Pager) installed(f *fault, in install, next int, out outcome, err error) {
	s, page := in.s, in.s.pageOf(f.addr)
	if page < next {
		p.paidFor(s, in.from, next)
		p.stats.ahead.Add(uint64(next-in.from-1) * s.b.pageSize)
		return
	}
	if in.to-in.from > 1 {
		// It was another page that failed.
		data := in.data
		if data != nil {
			data = data[(page-in.from)*int(s.b.pageSize):]
		}
		if _, out, err = p.put(in.o, s, page, page+1, data); out == done {
			p.paidFor(s, page, page+1)
		}
	}
	p.settle(*f, s, out, err)
}

// settle deals with what came of a fault's own page.
func (p *Pager) settle(f fault, s *segment, out outcome, err error) {
	switch out {
	case done:
	case changing:
		p.stats.deferred.Add(1)
		p.later = append(p.later, f)
	case gone:
		p.stop(errEnded)
	case unreadable:
		page := s.pageOf(f.addr)
		if f.flags&userfaultfd.PagefaultMinor != 0 {
			// It has left the page cache. The thread finds it missing.
			p.wake(pageRange(s, page))
			return
		}
		// What was lent cannot be read: a mapped file that was cut short.
		// Reading it tells what is the matter.
		p.fetch(s, page, page, page+1)
	case failed:
		if f.tries = max(f.tries, 0) + 1; f.tries < p.cfg.Retry.Times {
			f.after = time.Now().Add(p.cfg.Retry.backoff(f.tries))
			p.later = append(p.later, f)
			return
		}
		p.cannot(f, s, s.pageOf(f.addr), err)
	}
}

// cannot gives a page up.
func (p *Pager) cannot(f fault, s *segment, page int, cause error) {
	out, err := p.giveUp(s, page, cause, f.tries == givenUp)
	f.tries = givenUp
	if out == failed || out == unreadable {
		p.unpayable(pageRange(s, page), err)
		return
	}
	p.settle(f, s, out, err)
}

// outside deals with a fault of memory that is registered and in no region. It
// may be that a mapping was moved and the message of it has not come; nothing can
// be installed until then.
func (p *Pager) outside(f fault) {
	if len(p.space.shares) > 0 || p.mayBeMoving(f.addr) || p.isMore(f.addr) {
		p.settle(f, nil, changing, nil)
		return
	}
	p.stats.outside.Add(1)
	var out outcome
	var err error
	// What its page size is nobody has told.
	for _, size := range p.pageSizes {
		addr := f.addr &^ (size - 1)
		s := &segment{addr, addr + size, &backing{region: -1, pageSize: size, huge: size != uint64(p.systemPage), vacant: true}, 0}
		switch out, err = p.payOutside(f, s); out {
		case failed:
			continue
		case changing:
			p.stats.deferred.Add(1)
			p.later = append(p.later, f)
		case unreadable:
			p.wake(pageRange(s, 0)) // it has left the page cache
		case gone:
			p.stop(errEnded)
		}
		return
	}
	if f.tries = max(f.tries, 0) + 1; f.tries < p.cfg.Retry.Times {
		f.after = time.Now().Add(p.cfg.Retry.backoff(f.tries))
		p.later = append(p.later, f)
		return
	}
	p.unpayable(userfaultfd.Range{Start: f.addr, Len: uint64(p.systemPage)}, err)
}

func (p *Pager) payOutside(f fault, s *segment) (out outcome, err error) {
	switch {
	case f.flags&userfaultfd.PagefaultWP != 0:
		return p.unprotect(s, f.addr, false), nil
	case f.flags&userfaultfd.PagefaultRWP != 0:
		return p.unprotect(s, f.addr, true), nil
	case f.flags&userfaultfd.PagefaultMinor != 0:
		_, out, err = p.put(opContinue, s, 0, 1, nil)
		return out, err
	case p.cfg.ZeroOutside && !p.space.isStrange(f.addr):
		_, out, err = p.put(opZero, s, 0, 1, nil)
		return out, err
	}
	if _, out, err = p.put(opPoison, s, 0, 1, nil); out == done {
		why := errOutside
		if p.space.isStrange(f.addr) {
			why = errStrange
		}
		p.log.Error("pager: a page is poisoned", "page", pageRange(s, 0), "error", why)
		p.notify(Event{Kind: EventFailed, Range: pageRange(s, 0), Err: why})
	}
	return out, err
}

var (
	errOutside = errors.New("pager: memory is registered, and in no region; set Config.ZeroOutside if it is memory that has grown")
	errStrange = errors.New("pager: nobody knows what is there: too much has moved at once")
)

// paidFor remembers pages that this round has installed, and whose waiters it
// has woken.
func (p *Pager) paidFor(s *segment, from, to int) {
	if len(p.paid) < cap(p.paid) {
		p.paid = append(p.paid, userfaultfd.Range{Start: s.addrOf(from), Len: uint64(to-from) * s.b.pageSize})
	}
}

// alreadyPaid reports whether this round has installed the page. All its faults
// were read before it installed anything, so who waits was woken.
func (p *Pager) alreadyPaid(addr uint64) bool {
	for _, r := range p.paid {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}

// pageRange returns where a page is.
func pageRange(s *segment, page int) userfaultfd.Range {
	return userfaultfd.Range{Start: s.addrOf(page), Len: s.b.pageSize}
}
