package pager

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// forked makes a pager for a child that the process has forked, and serves it.
// It is called under the order's lock, with the events before the fork applied
// and none after it.
func (p *Pager) forked(f userfaultfd.Fork) {
	file, err := f.File()
	if err != nil {
		// It is closed, and the child goes on with zeros.
		p.log.Error("pager: the child of a fork cannot be served", "error", err)
		return
	}
	heirs := make(heirs)
	c := &Pager{
		file: file, cfg: p.cfg, log: p.log, systemPage: p.systemPage, pageSizes: p.pageSizes,
		order: new(order), family: p.family, kernel: p.kernel,
		space: p.space.clone(heirs),
		msgs:  make([]userfaultfd.Msg, len(p.msgs)),
	}
	c.cfg.Process = nil
	c.init()
	c.hooks = p.hooks
	c.serving.Store(true)
	p.notify(Event{Kind: EventFork})
	if p.recent != nil && (p.kernel >= countsEvents || p.space.moves.mayBeShorter() || p.hasVacated(c) || !c.isInOrder()) {
		c.inheritance = p.recent.inherit(heirs)
		c.inheritance.ordered = p.kernel < countsEvents
	}
	c.shareOrder(p)
	p.unborn = append(p.unborn, c)
}

// shareOrder has a child go by its parent's order if it may have any of its memory.
func (c *Pager) shareOrder(p *Pager) {
	all := slices.Concat(c.space.segments, c.space.strange)
	if h := c.inheritance; h != nil {
		all = slices.Concat(all, h.before.segments, h.before.strange)
	}
	if slices.ContainsFunc(all, func(s segment) bool { return s.b.shared || s.b.of != nil }) {
		c.order = p.order
	}
}

// isBearable reports whether what a child has is known as far as it ever is, or it has
// waited for that long enough.
func (p *Pager) isBearable(c *Pager) bool {
	return c.inheritance == nil || time.Since(c.inheritance.forked) > p.longestBirth()
}

// longestBirth bounds how long a child waits until it is known what it has. Where the
// kernel counts what it owes, that is when it owes the parent nothing.
func (p *Pager) longestBirth() time.Duration {
	if p.kernel >= countsEvents {
		return longestChildhood
	}
	return longestDoubt
}

// bear has the children served that are bearable, or all. What they have is known if the
// kernel owes nothing, or does not count.
func (p *Pager) bear(all, known bool) {
	p.unborn = slices.DeleteFunc(p.unborn, func(c *Pager) bool {
		if !all && !p.isBearable(c) {
			return false
		}
		if h := c.inheritance; h != nil {
			h.lost = h.lost || !known
			if h.complete(p.recent); len(h.changes) == 0 && !h.lost {
				c.inheritance = nil
			}
		}
		// Not from here: the family's lock is not to be waited for under the
		// order's, and the child may be in the midst of changes of its own.
		p.family.wg.Go(func() {
			c.inherit()
			if p.cfg.Forked != nil {
				p.family.wg.Go(func() { p.cfg.Forked(c) })
			}
			p.family.join(c)
			if err := c.serve(); err != nil {
				p.log.Error("pager: serving the child of a fork", "error", err)
				if c.File() != nil {
					keepOpen(c.File(), p.cfg.Forked == nil)
				}
			}
		})
		return true
	})
	if len(p.unborn) == 0 && p.kernel >= countsEvents && known {
		p.recent = nil
	}
}

// awaitBirths waits, for a moment, until it is known what the children have.
func (p *Pager) awaitBirths() {
	for end := time.Now().Add(longestDoubt); len(p.unborn) > 0 && time.Now().Before(end) && !p.processEnded(); time.Sleep(50 * time.Microsecond) {
		p.order.beginRead()
		p.drain()
		p.order.endRead()
	}
}

// awaitsBirths reports whether a pager that ends has to wait on, which it does since
// start. There may always be one that waits: those forked meanwhile are served as far as
// they are known.
func (p *Pager) awaitsBirths(start time.Time) bool {
	return len(p.unborn) > 0 && time.Since(start) < p.longestBirth()
}

// kept are userfaultfds of children that nobody may know of and that are owed
// pages. The collector must not close them before the children have ended: their
// threads would find zeros.
var kept struct {
	mu    sync.Mutex
	files []keptFile
}

type keptFile struct {
	*userfaultfd.File
	ours bool // nobody else knows of it
}

func keepOpen(f *userfaultfd.File, ours bool) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if kept.files = append(kept.files, keptFile{f, ours}); len(kept.files) == 1 {
		time.AfterFunc(probeEvery, watchKept)
	}
}

// watchKept lets go what it can, and comes again while there is more.
func watchKept() {
	if letKeptGo() > 0 {
		time.AfterFunc(probeEvery, watchKept)
	}
}

// letKeptGo lets those go whose process has ended, or that were closed, and returns how
// many are left.
func letKeptGo() int {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.files = slices.DeleteFunc(kept.files, func(f keptFile) bool {
		err := zeroNothing(f.File)
		ended := errors.Is(err, unix.ESRCH)
		if ended && f.ours {
			f.Close()
		}
		return ended || errors.Is(err, os.ErrClosed)
	})
	return len(kept.files)
}
