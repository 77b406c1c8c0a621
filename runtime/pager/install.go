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
	gone                      // the process has ended
	failed                    // for another reason, which the error tells
)

// put puts the pages from to to of s in place, all or the first of them, and
// returns the first that it did not deal with, and why. data is the content for
// opCopy, from page from on. What is there already is woken, for somebody may
// have gone to sleep after it came; so is who waits for memory that is no longer
// registered. It is called between the order's beginInstall and endInstall, or
// beginRead and endRead, with the state looked at in between too.
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
		count, err := p.issue(o, at, content)
		if pages := int(count / b.pageSize); pages > 0 {
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
		switch errno := cause(err); errno {
		case unix.EEXIST:
			if b.huge && o == opCopy && p.doubts.add(s.addrOf(next)) {
				return next, failed, errNoHugePage
			}
			if !b.vacant && !b.huge && (o != opPoison || b.states.get(next) != Poisoned) {
				b.states.set(next, next+1, Installed)
			}
			p.stats.existed.Add(1)
			p.wake(pageRange(s, next))
			next++
		case unix.ENOENT:
			// The range may be in several mappings, of which the kernel
			// wants one at a time; a page is in one, or in none.
			if to-next > 1 && n > 1 {
				step = 1
				continue
			}
			p.wake(pageRange(s, next))
			next++
		case unix.EAGAIN:
			return next, changing, nil
		case unix.EFAULT:
			return next, unreadable, err
		case unix.ESRCH:
			return next, gone, nil
		default:
			if errors.Is(err, os.ErrClosed) {
				return next, gone, nil
			}
			return next, failed, err
		}
	}
	return next, done, nil
}

// issue issues one operation, and returns how many bytes it did.
func (p *Pager) issue(o operation, r userfaultfd.Range, data []byte) (n uint64, err error) {
	if p.hooks.refuse != nil {
		if err := p.hooks.refuse(o, r); err != nil {
			return 0, err
		}
	}
	switch o {
	case opCopy:
		mode := userfaultfd.CopyMode(0)
		if p.cfg.TrackWrites {
			mode = userfaultfd.CopyWP
		}
		n, err := p.file.Copy(r.Start, data, mode)
		return uint64(n), err
	case opZero:
		return p.file.Zeropage(r, 0)
	case opContinue:
		mode := userfaultfd.ContinueMode(0)
		if p.cfg.TrackWrites {
			mode = userfaultfd.ContinueWP
		}
		return p.file.Continue(r, mode)
	default:
		return p.file.Poison(r, 0)
	}
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
