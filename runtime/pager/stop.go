package pager

import (
	"errors"
	"fmt"
	"os"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

var errStopped = errors.New("pager: the pager has stopped")

// ErrOwed is Serve's error, and Detach's, where pages are owed that can neither be had nor
// poisoned, and the process could not be killed: the userfaultfd is open, and
// the caller's ([Pager.File]), since closing it would let the threads that wait
// find zeros.
var ErrOwed = errors.New("pager: pages are owed, and the userfaultfd was left open for them")

// finish ends what the pager began, and does with the userfaultfd what is right
// for why it ends.
func (p *Pager) finish(why error) error {
	defer func() {
		p.bear(true, p.kernel < countsEvents)
		if p.events != nil {
			p.events.close()
		}
		close(p.ended)
	}()
	p.awaitBirths()
	p.family.leave(p) // nobody sets a deadline any more, when the userfaultfd may be another's
	p.fetches.close()
	var byContext *stopped
	switch {
	case why == errEnded, p.processEnded():
		p.quiesce()
		p.file.Close()
		return nil
	case why == errDetached:
		return p.letGo(nil)
	case !errors.As(why, &byContext):
		return p.keep(why)
	case p.cfg.OnStop == HandOver:
		return p.keep(byContext.cause)
	}
	return p.letGo(byContext.cause)
}

// quiesce waits until nothing works for the pager any more.
func (p *Pager) quiesce() {
	p.work.Wait()
	p.background.Lock()
	p.over = true
	p.background.Unlock()
}

// keep leaves the userfaultfd open, for the caller.
func (p *Pager) keep(why error) error {
	p.quiesce()
	p.file.SetReadDeadline(time.Time{}) // which stop has set
	p.kept = p.file
	return why
}

// letGo poisons what is not there, so that nothing is owed, unregisters the
// memory and closes the userfaultfd. It returns why, if all went well.
func (p *Pager) letGo(why error) error {
	p.poisoning = true
	out := p.poisonOwed()
	switch {
	case out == gone:
	case p.stats.unpaid.Load() > 0:
		if p.cfg.NoPoison != KillProcess || !p.awaitKilled() {
			return p.keep(owed(why))
		}
	case out != done:
		return p.keep(owed(why))
	default:
		p.unregister()
	}
	p.quiesce()
	p.file.Close()
	return why
}

// killTime is how long the end of a process that was killed is waited for.
const killTime = 10 * time.Second

// awaitKilled waits until the process has ended that was killed, and reports whether
// it has, and its memory is gone: another process may have that too.
func (p *Pager) awaitKilled() bool {
	most := killTime
	if p.hooks.killTime != 0 {
		most = p.hooks.killTime
	}
	for end := time.Now().Add(most); !p.processEnded(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

func owed(why error) error {
	if why == nil {
		return ErrOwed
	}
	return fmt.Errorf("%w: %w", ErrOwed, why)
}

// poisonOwed poisons all pages that are untouched, and pays for all others that
// somebody waits for. It goes on until nothing is owed, or the process has
// ended.
func (p *Pager) poisonOwed() outcome {
	wait, start, told := 50*time.Microsecond, time.Now(), false
	for {
		p.order.beginRead()
		p.drain()
		p.resolveAll()
		out, err := p.poisonAll()
		owed := len(p.later) > 0 || p.unread || len(p.space.shares) > 0 || p.awaitsBirths(start)
		p.order.endRead()
		switch {
		case out == failed:
			p.log.Error("pager: what is owed could not be poisoned", "error", err)
			return failed
		case out == gone || out == done && !owed:
			return out
		case p.processEnded():
			return gone
		}
		if !told && time.Since(start) > 10*time.Second {
			told = true
			p.log.Warn("pager: the served process's address space has been changing for 10 seconds; until it is done, what is owed cannot be poisoned")
		}
		time.Sleep(wait)
		wait = min(2*wait, 10*time.Millisecond)
	}
}

// poisonAll poisons all untouched pages, in long runs, and those that are poisoned
// already: the state may be shared with a process that has the poison, and this one
// not. What is InPlace has nothing to lose by being let go in [Pager.Detach].
func (p *Pager) poisonAll() (out outcome, err error) {
	canPoison := p.file.Features()&userfaultfd.FeaturePoison != 0
	for i := range p.space.segments {
		s := &p.space.segments[i]
		if s.b.vacant {
			continue
		}
		page, to := s.pages()
		for page < to {
			end := s.b.states.runEnd(page, to)
			state := s.b.states.get(page)
			if state != Poisoned && (state != Untouched || p.letsGo(s.b)) {
				page = end
				continue
			}
			if !canPoison {
				p.unpayable(userfaultfd.Range{Start: s.addrOf(page), Len: uint64(end-page) * s.b.pageSize}, errStopped)
				return done, nil
			}
			if page, out, err = p.put(opPoison, s, page, end, nil); out == unreadable {
				out = failed
			}
			if out != done {
				return out, err
			}
		}
	}
	if !canPoison {
		return done, nil
	}
	for i := range p.space.strange {
		// It may be of a region's file.
		s := &p.space.strange[i]
		from, to := s.pages()
		if _, out, err = p.put(opPoison, s, from, to, nil); out != done {
			return out, err
		}
	}
	return done, nil
}

// letsGo reports whether untouched pages of b are right as they are once the memory
// is let go: they are in the file that it maps, or are its holes.
func (p *Pager) letsGo(b *backing) bool {
	return b.content != nil && b.inPlace && p.isStopping() && *p.stopping.Load() == errDetached
}

// unregister lets the memory go: what is missing then is zeros, which is what
// pages that were discarded are.
func (p *Pager) unregister() {
	p.order.beginRead()
	defer p.order.endRead()
	for _, s := range p.space.segments {
		r := userfaultfd.Range{Start: s.start, Len: s.end - s.start}
		if err := p.file.Unregister(r); err != nil {
			p.wake(r)
		}
	}
	// Whoever has another descriptor reads no events of ours, and madvise(2)
	// waits for its own to be read.
	p.drain()
}

// awaitEnd waits, when the process has ended, for the end of its memory, which
// another process may have too (CLONE_VM).
func (p *Pager) awaitEnd() {
	for wait := time.Millisecond; p.lives() && !p.isStopping(); wait = min(2*wait, probeEvery) {
		pause(p.sources, wait)
	}
	p.stop(errEnded)
}

// processEnded reports whether the process has ended, and its memory too.
func (p *Pager) processEnded() bool { return p.process != nil && p.process.ended() && !p.lives() }

// lives asks the kernel whether the process still has its address space.
func (p *Pager) lives() bool {
	p.order.beginInstall()
	defer p.order.endInstall()
	return p.askNothing() != unix.ESRCH
}

// owesEvents asks the kernel whether there are events that were not read, or whose
// thread has not gone on yet. It is called under the order's lock.
func (p *Pager) owesEvents() bool { return p.askNothing() == unix.EAGAIN }

// nowhere is where a process has nothing. It is above vm.mmap_min_addr, since Linux
// 5.10 looks at that first.
const nowhere = 1 << 20

// askNothing asks the kernel for what is impossible, and returns why it is.
func (p *Pager) askNothing() unix.Errno {
	if p.space.find(nowhere) != nil {
		q, err := newInquiry(uint64(p.systemPage))
		if err != nil {
			return unix.EAGAIN // it cannot be told now
		}
		defer q.close()
		return q.ask(p, userfaultfd.Range{Start: nowhere, Len: uint64(p.systemPage)}, 0)
	}
	return cause(zeroNothing(p.file))
}

// zeroNothing asks for zeros where there is nothing.
func zeroNothing(f *userfaultfd.File) error {
	_, err := f.Zeropage(userfaultfd.Range{Start: nowhere, Len: uint64(os.Getpagesize())}, 0)
	return err
}
