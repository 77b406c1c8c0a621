package pager

import (
	"context"
	"errors"
	"os"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// Serve serves faults until the process ends, [Pager.Detach] is done, or ctx is. It
// returns nil in the first two cases and ctx's cause in the third, once nothing is
// owed any more (see [Config.OnStop]), nothing of the pager runs, and those of the
// process's children have ended too; a read of a source that does not end keeps it
// from returning. Any other error is a failure
// to read messages, or to pay what is owed; the userfaultfd is open then, and
// the caller's ([Pager.File]).
//
// Where threads wait already, for a handler that is gone perhaps, they are woken
// first. A pager serves once.
func (p *Pager) Serve(ctx context.Context) error {
	if !p.serving.CompareAndSwap(false, true) {
		return errors.New("pager: Serve was called before")
	}
	p.family.join(p)
	stop := context.AfterFunc(ctx, func() { p.family.end(context.Cause(ctx)) })
	defer stop()
	go p.log.run()
	err := p.serve()
	if err != nil && ctx.Err() == nil {
		p.log.Error("pager: serving has failed; children of the process are served on", "error", err)
	}
	p.family.wg.Wait()
	p.log.end()
	p.closeOwned() // the children used it too
	return err
}

// join adds a pager, which is told to end if the others were.
func (f *family) join(p *Pager) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pagers = append(f.pagers, p)
	if f.ending != nil {
		p.stop(&stopped{f.ending})
	}
}

// end ends all pagers of the family.
func (f *family) end(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ending = cause
	for _, p := range f.pagers {
		p.stop(&stopped{cause})
	}
}

// leave takes a pager out, which none is told to end by the family any more.
func (f *family) leave(p *Pager) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, q := range f.pagers {
		if q == p {
			f.pagers = append(f.pagers[:i], f.pagers[i+1:]...)
			return
		}
	}
}

// Why a pager stops.
var (
	errEnded    = errors.New("pager: the served process has ended")
	errDetached = errors.New("pager: detached")
)

// stopped is the end of Serve's context.
type stopped struct{ cause error }

func (s *stopped) Error() string { return s.cause.Error() }
func (s *stopped) Unwrap() error { return s.cause }

// stop makes the reader end. The first reason counts.
func (p *Pager) stop(why error) {
	if p.stopping.CompareAndSwap(nil, &why) {
		if p.hooks.stopping != nil {
			p.hooks.stopping()
		}
		p.cancel()
		p.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// isStopping reports whether the pager is to end.
func (p *Pager) isStopping() bool { return p.stopping.Load() != nil }

// serve serves one pager to its end.
func (p *Pager) serve() error {
	if p.process != nil {
		p.work.Go(func() { p.process.wait(p.sources, p.awaitEnd) })
	}
	if p.events != nil {
		go p.events.run()
	}
	p.checkThrottling()
	p.wakeAll()
	defer faultsPanic()() // of sources that lend
	p.loop()
	return p.finish(*p.stopping.Load())
}

// wakeAll wakes whoever waits for a handler that was there before, in no region
// too. Where the address space begins and ends nobody tells, and a range is to be
// within; it ends with a page less than a power of two at most.
func (p *Pager) wakeAll() {
	for start := uint64(p.systemPage); start < 1<<63; start *= 2 {
		if p.file.Wake(userfaultfd.Range{Start: start, Len: start}) != nil {
			p.file.Wake(userfaultfd.Range{Start: start, Len: start - uint64(p.systemPage)})
		}
	}
	p.stats.wakes.Add(1)
}

// probeEvery is how often the kernel is asked whether the process still lives,
// where no pidfd tells.
const probeEvery = time.Second

// loop reads messages and resolves faults until the pager is to end.
func (p *Pager) loop() {
	look := p.looker() // made once: a wait does not allocate
	for {
		var deadline time.Time
		p.timed = p.isPending()
		switch {
		case p.timed:
			p.backoff = min(max(2*p.backoff, time.Millisecond), 10*time.Millisecond)
			deadline = time.Now().Add(p.backoff)
		case p.process == nil:
			deadline = time.Now().Add(probeEvery)
		}
		p.file.SetReadDeadline(deadline)
		if p.isStopping() {
			return
		}
		err := p.file.Wait(look)
		if p.isStopping() {
			return
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			p.tick()
		default:
			p.stop(err)
		}
	}
}

// tick does what is due without a message.
func (p *Pager) tick() {
	if p.round(); !p.timed && p.process == nil && !p.lives() {
		p.stop(errEnded)
	}
}

// isPending reports whether there is something to look at again without a message.
func (p *Pager) isPending() bool {
	return len(p.later) > 0 || p.unread || len(p.space.shares) > 0 || len(p.unborn) > 0 ||
		p.isOwed()
}

// looker returns what is called when there may be messages. It returns true for the
// loop to set a deadline or to end. It is a function, and no method, whose value would
// be two, and each that a system call is made in costs 20 ns.
func (p *Pager) looker() func(uintptr) bool {
	return func(uintptr) bool {
		naps := 0
		for {
			n := p.round()
			switch {
			case p.isStopping():
				return true
			case p.unread:
				return !p.timed
			case p.isPending():
				// The thread whose event was read needs a moment to run.
				if naps++; naps > 4 {
					return !p.timed
				}
				nap := unix.Timespec{Nsec: 20_000}
				unix.Nanosleep(&nap, nil)
			case n > 0:
				// Who was woken has often run already, on this very CPU, and waits
				// for its next page; looking costs less than sleeping.
			case p.spin.most == 0 || !p.spin.again(time.Since(p.began)):
				p.polled = false
				return false
			}
		}
	}
}

// round reads messages, applies the events, and then looks at the faults, and at
// those that were set aside. It returns the number of messages.
func (p *Pager) round() int {
	p.beginRead()
	p.beforeRead()
	room := p.room()
	n, err := p.file.TryRead(p.msgs[:room])
	n = p.taken(n, room, err)
	if n > 0 {
		p.spin.message()
	}
	start := p.clock.start(len(p.faults))
	p.paid = p.paid[:0]
	if len(p.faults) == 1 && len(p.later) == 0 {
		// resolveAll would do, but is one function more.
		f := &p.faults[0]
		if s, page, data := p.plain(f); s != nil {
			_, err := p.file.Copy(s.addrOf(page), data, p.copyMode)
			p.copied(f, s, page, err)
			p.faults = p.faults[:0]
		}
	}
	if len(p.faults)+len(p.later) > 0 {
		p.resolveAll()
	}
	if p.clock.stop(start) > longRound {
		p.checkThrottling()
	}
	if room < len(p.msgs) && len(p.later) > 0 {
		// What it waits for may be an event that was left unread.
		n += p.drain()
		p.resolveAll()
	}
	p.endRead()
	return n
}

// loneReads is how many reads on end that had room for more bring one message each
// before that is taken for a habit.
const loneReads = 256

// room returns how many messages to read at once. Having the kernel look for a second
// one in vain takes a fortieth of a fault's time; not to look, where threads fault
// together, a tenth. So one is read where the pager polls and the last look found
// none, for then more are not to be expected, and the next look takes all; and where
// each read brings one, as from a single thread, but for one time in sixteen.
//
// What is left unread may be an event. The kernel refuses installs until it was read,
// and counts events, so that no other one hides it, since Linux 5.16.
func (p *Pager) room() int {
	switch {
	case p.kernel < countsEvents || p.isPending():
		return len(p.msgs)
	case p.hooks.alone || p.polled || p.alone%(16*loneReads) >= loneReads:
		return 1
	}
	return len(p.msgs)
}

func (p *Pager) beginRead() {
	if !p.hooks.unsafe {
		p.order.beginRead()
	}
}

func (p *Pager) endRead() {
	if !p.hooks.unsafe {
		p.order.endRead()
	}
}

// drain reads until there is no message. It is what a round does first.
func (p *Pager) drain() (n int) {
	p.beforeRead()
	n, err := p.file.TryRead(p.msgs)
	return p.taken(n, len(p.msgs), err)
}

// mostReads is how many reads in a row there are at most, so that faults get their
// turn.
const mostReads = 64

// beforeRead settles what waits until the kernel owes no event.
func (p *Pager) beforeRead() {
	p.unread = false
	if p.isOwed() && !p.owesEvents() {
		p.space.settle()
		p.bear(true, true)
	}
}

// taken takes what a read has brought, and what more there is unless it had room
// for one message: it applies events, and puts faults aside. It returns how many
// messages there were in all.
func (p *Pager) taken(got, room int, err error) (n int) {
	// Of a fork, what the read has not got may still be there: it takes a
	// descriptor that was not to be had.
	forks := p.file.Features()&userfaultfd.FeatureEventFork != 0
	for reads := 1; ; reads++ {
		for i := range p.msgs[:got] {
			m := &p.msgs[i]
			if m.Event() == userfaultfd.EventPagefault {
				f := m.Pagefault()
				p.stats.count(f.Flags)
				p.faults = append(p.faults, fault{addr: f.Address, flags: f.Flags})
			} else {
				p.apply(m)
			}
		}
		n += got
		if err != nil {
			p.readFailed(err)
			break
		}
		if got == 0 || room == 1 || got < room && !forks || reads == mostReads {
			break
		}
		got, err = p.file.TryRead(p.msgs[:room])
	}
	switch {
	case n > 1:
		p.alone = 0
	case n == 1 && !p.polled:
		p.alone++
	}
	p.polled = n == 0
	if len(p.space.shares) > 0 {
		p.lengthen()
	}
	if len(p.unborn) > 0 {
		p.bear(false, p.kernel < countsEvents)
	}
	return n
}

// readFailed sorts failures to read: a FORK message takes a descriptor, and
// stays where it is if there is none.
func (p *Pager) readFailed(err error) {
	for _, e := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		if errors.Is(err, e) {
			if !p.told {
				p.told = true
				p.log.Error("pager: the child of a fork cannot be served yet, and until then nothing can", "error", err)
			}
			p.unread = true
			return
		}
	}
	p.stop(err)
}
