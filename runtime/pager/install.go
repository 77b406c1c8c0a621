package pager

import (
	"errors"
	"os"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// An operation is a way to put pages in place.
type operation uint8

const (
	opCopy operation = iota
	opZero
	opContinue
	opPoison
	operations
)

// An outcome says what came of an operation.
type outcome uint8

const (
	done       outcome = iota // it is in place, or there is nothing to put it in
	changing                  // the address space changes: after events, or after a while
	unreadable                // the source memory, or the page cache, has not got it
	apart                     // it may do one page at a time
	gone                      // the process has ended
	failed                    // for another reason, which the error tells
)

// An install is a decision: what is to be put in place for a fault, and where.
type install struct {
	o        operation
	s        *segment
	from, to int    // pages
	data     []byte // the content for opCopy, from page from on
}

// put puts the pages from to to of s in place, all or the first of them, and
// returns the first that it did not deal with, and why. data is the content for
// opCopy, from page from on. What is there already is woken, for somebody may
// have gone to sleep after it came; so is who waits for memory that is no longer
// registered. It is called between the order's beginInstall and endInstall, or
// beginRead and endRead, with the state looked at in between too.
//
// A system call makes the processor mispredict the returns of all functions that
// it was made in, 20 ns each; so the operations are called from here.
func (p *Pager) put(o operation, s *segment, from, to int, data []byte) (next int, out outcome, err error) {
	b := s.b
	size := int(b.pageSize)
	zeros := false
	if o == opZero && (b.huge || p.cfg.TrackWrites) {
		// ZEROPAGE knows neither huge pages nor write-protection.
		o, zeros = opCopy, true
	}
	step := to - from
	for next = from; next < to; {
		n := min(to-next, step)
		var content []byte
		switch {
		case zeros:
			content = zeroPages(n, size)
			n = len(content) / size
		case o == opCopy:
			content = data[(next-from)*size : (next-from+n)*size]
		}
		at := userfaultfd.Range{Start: s.addrOf(next), Len: uint64(n) * b.pageSize}
		if p.hooks.decided != nil {
			p.hooks.decided(at)
		}
		if p.hooks.refuse != nil {
			err = p.hooks.refuse(o, at)
		}
		var count uint64
		switch {
		case err != nil:
		case o == opCopy:
			var n int
			n, err = p.file.Copy(at.Start, content, p.copyMode)
			count = uint64(n)
		case o == opZero:
			count, err = p.file.Zeropage(at, 0)
		case o == opContinue:
			count, err = p.file.Continue(at, p.continueMode)
		default:
			count, err = p.file.Poison(at, 0)
		}
		if pages := b.pagesIn(count); pages > 0 {
			p.mark(o, s, next, next+pages)
			p.stats.installed(o, zeros, count)
			next += pages
		}
		if err == nil {
			step *= 2
			if b.huge {
				p.doubts.clear(at)
			}
			continue
		}
		switch out, err = p.refused(o, s, next, n, err); out {
		case done:
			next++
		case apart:
			step = 1
		default:
			return next, out, err
		}
	}
	return next, done, nil
}

// refused says what an error of an operation on n pages means for the first page
// that it has not done.
func (p *Pager) refused(o operation, s *segment, page, n int, err error) (outcome, error) {
	b := s.b
	switch errno := cause(err); errno {
	case unix.EEXIST:
		if b.huge && o == opCopy && p.doubts.add(s.addrOf(page)) {
			return failed, errNoHugePage
		}
		if !b.vacant && !b.huge && (o != opPoison || b.states.get(page) != Poisoned) {
			b.states.set(page, page+1, Installed)
		}
		p.stats.existed.Add(1)
		p.wake(pageRange(s, page))
		return done, nil
	case unix.ENOENT:
		// The range may be in several mappings, of which the kernel
		// wants one at a time; a page is in one, or in none.
		if n > 1 {
			return apart, nil
		}
		p.wake(pageRange(s, page))
		return done, nil
	case unix.EAGAIN:
		return changing, nil
	case unix.EFAULT:
		return unreadable, err
	case unix.ESRCH:
		return gone, nil
	}
	if errors.Is(err, os.ErrClosed) {
		return gone, nil
	}
	return failed, err
}

// mark notes what an operation has put in place.
func (p *Pager) mark(o operation, s *segment, from, to int) {
	if s.b.vacant {
		return
	}
	state := Installed
	if o == opPoison {
		state = Poisoned
	}
	s.b.states.set(from, to, state)
}

// giveUp poisons a page whose content cannot be had. If the address space changes
// it is called again, with told set: the page is poisoned when the kernel has done
// it, and not before.
func (p *Pager) giveUp(s *segment, page int, why error, told bool) (outcome, error) {
	r := pageRange(s, page)
	if !told {
		p.notify(Event{Kind: EventFailed, Range: r, Err: why})
	}
	if p.file.Features()&userfaultfd.FeaturePoison == 0 {
		p.unpayable(r, why)
		return done, nil
	}
	if !told && why != errStopped {
		p.log.Error("pager: a page is poisoned", "page", r, "error", why)
	}
	_, out, err := p.put(opPoison, s, page, page+1, nil)
	return out, err
}

// unpayable does what is to be done where a page can neither be had nor
// poisoned.
func (p *Pager) unpayable(r userfaultfd.Range, why error) {
	p.stats.unpaid.Add(1)
	if p.cfg.NoPoison == KillProcess && p.process != nil {
		p.log.Error("pager: the process is killed for a page that cannot be had", "page", r, "error", why)
		if err := p.process.kill(); err != nil {
			p.log.Error("pager: the process could not be killed", "error", err)
		}
		return
	}
	p.log.Error("pager: threads are left waiting for a page that cannot be had", "page", r, "error", why)
}

// unprotect lets writers, or whoever accesses, go on.
func (p *Pager) unprotect(s *segment, addr uint64, access bool) outcome {
	r := pageRange(s, s.pageOf(addr))
	var err error
	if access {
		err = p.file.RWUnprotect(r, 0)
	} else {
		if page := s.pageOf(addr); !s.b.vacant {
			s.b.written.set(page, page+1, true)
		}
		err = p.file.WriteUnprotect(r, 0)
	}
	switch cause(err) {
	case 0:
		return done
	case unix.EAGAIN:
		return changing
	case unix.ESRCH:
		return gone
	}
	p.wake(r) // it is not registered so any more
	return done
}

// cause returns the errno of an operation, 0 if there is none.
func cause(err error) unix.Errno {
	if err == nil {
		return 0
	}
	e, ok := err.(*userfaultfd.Error)
	if !ok {
		return unix.EIO
	}
	errno, ok := e.Err.(unix.Errno)
	if !ok {
		return unix.EIO
	}
	return errno
}
