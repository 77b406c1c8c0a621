package pager

import (
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

// inheritsEach runs a test with a pager that does not serve, and memory of each kind,
// also as before Linux 5.16.
func inheritsEach(t *testing.T, f func(t *testing.T, s *served, p *Pager)) {
	for _, name := range []string{"a kernel that counts what it owes", "a kernel that forgets what it owes"} {
		t.Run(name, func(t *testing.T) {
			eachKind(t, 12, func(t *testing.T, s *served, regions []Region) {
				p, err := New(s.file, Config{Regions: regions, ZeroOutside: true, NoPoison: LeaveWaiting})
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case strings.Contains(name, "forgets"):
					p.kernel, p.space.exact, p.space.follows = forgetsEvents, false, false
				case p.kernel == forgetsEvents:
					t.Skip("the kernel forgets that it owes events (Linux 5.16)")
				}
				closeKept(t)
				f(t, s, p)
				p.family.end(context.Canceled)
				p.family.wg.Wait()
			})
		})
	}
}

// A thread moves memory over other memory, and waits until the UNMAP of that is read;
// then it tells of the move. The FORK of another one comes first, though its child has
// what was moved.
func TestAForkOvertakesAMove(t *testing.T) {
	for _, page := range []int{0, 3, 11} {
		t.Run(fmt.Sprintf("of page %d of 12", page), func(t *testing.T) {
			inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
				size := s.memory.PageSize
				move := s.begin("shrink %d 1 8", page)
				s.awaitStuck(1)
				child := s.begin("fork read 8 2")
				s.awaitStuck(2)
				s.resultBy(p, move, "the move")
				if got, want := s.resultBy(p, child, "the child"), offsets(page*size, 9*size); got != want {
					t.Errorf("the child reads %s, want %s", got, want)
				}
				if got, want := s.serveBy(p, "read 8 2"), offsets(page*size, 9*size); got != want {
					t.Errorf("the parent reads %s, want %s", got, want)
				}
			})
		})
	}
}

// A move over other memory is one of three pages to where one has room, and up to Linux
// 6.16 its REMAP tells of three. A child that is forked before the UNMAPs tell better has
// what was there behind the one.
func TestAForkInTheMidstOfAShrinkingMove(t *testing.T) {
	inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
		size := s.memory.PageSize
		move := s.begin("shrink 0 3 8")
		s.awaitStuck(1)
		s.applyOne(p, userfaultfd.EventUnmap)
		s.awaitStuck(1)
		child := s.begin("fork read 8 3")
		s.awaitStuck(2)
		s.applyOne(p, userfaultfd.EventRemap)
		told := time.Now()
		s.applyOne(p, userfaultfd.EventFork)
		s.resultBy(p, move, "the move")
		if !p.space.exact && time.Since(told) > longestDoubt {
			t.Skip("the process has told too late that its move was a shorter one")
		}
		for _, command := range []string{"the child", "read 8 3"} {
			if command != "the child" {
				child = s.begin("%s", command)
			}
			if got, want := s.resultBy(p, child, command), offsets(0, 9*size, 10*size); got != want {
				t.Errorf("%s: %s, want %s", command, got, want)
			}
		}
	})
}

// applyOne reads one message and applies it. If the pager is to know no better, a REMAP
// tells of three pages, as up to Linux 6.16.
func (s *served) applyOne(p *Pager, want userfaultfd.Event) {
	s.t.Helper()
	p.order.beginRead()
	defer p.order.endRead()
	if n, err := s.file.TryRead(p.msgs[:1]); n != 1 || err != nil || p.msgs[0].Event() != want {
		s.t.Fatalf("%d messages, %v, want one of %v: %v", n, p.msgs[0].Event(), want, err)
	}
	if want != userfaultfd.EventRemap || p.space.exact {
		p.apply(&p.msgs[0])
		return
	}
	m := p.msgs[0].Remap()
	m.Len = 3 * uint64(s.memory.PageSize)
	p.remember(change{userfaultfd.EventRemap, userfaultfd.Range{Start: m.From, Len: m.Len}, m.To})
	p.space.move(m)
}

// Memory in several mappings is all there.
func TestAChildInOrderIsServedAtOnce(t *testing.T) {
	inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
		if p.kernel != forgetsEvents {
			t.Skip("what a child has is known when its parent is owed nothing")
		}
		for _, command := range []string{"protect 2 1", "move 5 2", "unmap 9 1"} {
			if got := s.serveBy(p, command); got != "ok" {
				t.Fatalf("%s: %s", command, got)
			}
		}
		s.begin("linger none")
		s.awaitStuck(1)
		if p.round(); p.stats.forks.Load() != 1 || len(p.unborn) != 0 {
			t.Errorf("%d forks were read, and %d children wait", p.stats.forks.Load(), len(p.unborn))
		}
	})
}

// A process that changes its address space all the time does not make its pager forget
// what happened around a FORK.
func TestAForkOvertakesAMoveAfterManyChanges(t *testing.T) {
	inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
		if p.kernel != forgetsEvents {
			t.Skip("no more is remembered than since the kernel was owed nothing")
		}
		size := s.memory.PageSize
		p.order.beginRead()
		for range maxRecent + 1 {
			p.remember(change{kind: userfaultfd.EventUnmap, r: userfaultfd.Range{Start: simulatedStart, Len: uint64(size)}})
		}
		p.order.endRead()
		move := s.begin("shrink 3 1 8")
		s.awaitStuck(1)
		child := s.begin("fork read 8 2")
		s.awaitStuck(2)
		s.resultBy(p, move, "the move")
		if got, want := s.resultBy(p, child, "the child"), offsets(3*size, 9*size); got != want {
			t.Errorf("the child reads %s, want %s", got, want)
		}
	})
}

// What is forgotten of a process's changes, its children know that were forked before.
func TestRecentChangesOfAChildAreKept(t *testing.T) {
	for _, settled := range []bool{true, false} {
		p, noted := &Pager{kernel: forgetsEvents}, uint64(0)
		p.space.insert(segment{simulatedStart, simulatedStart + modelSize, &backing{pageSize: modelSize, states: newStates(1)}, 0})
		if p.recent = (&recent{before: p.space.layout()}); !settled {
			p.space.expectUnmap(userfaultfd.Range{Start: simulatedStart, Len: modelSize})
		}
		for range 10 {
			h := p.recent.inherit(make(heirs))
			p.unborn = []*Pager{{inheritance: h}}
			after := int(noted) * 2 / 3
			for range after + 300 {
				p.makeRoom()
				p.recent.note(change{kind: userfaultfd.EventUnmap, r: userfaultfd.Range{Start: noted * modelSize, Len: modelSize}})
				noted++
			}
			h.complete(p.recent)
			switch {
			case len(p.recent.changes) > maxRecent:
				t.Fatalf("%d changes are remembered", len(p.recent.changes))
			case !settled && noted > maxRecent:
				if !h.lost {
					t.Fatalf("of %d changes nothing is lost", noted)
				}
				p.space.unmapped = nil
				if p.makeRoom(); p.recent.inherit(make(heirs)).lost || !h.lost {
					t.Fatal("what was lost stays so, or does not for those who had lost it")
				}
				p.space.expectUnmap(userfaultfd.Range{Start: simulatedStart, Len: modelSize})
				noted = 0
				continue
			case h.lost || h.read != len(h.changes)-after-300 || h.read < min(maxRecent/4, int(noted)-after-300):
				t.Fatalf("of %d changes %d are known, %d of them before the FORK; lost %v", noted, len(h.changes), h.read, h.lost)
			}
			for i, c := range h.changes {
				if c.r.Start != (noted-uint64(len(h.changes)-i))*modelSize {
					t.Fatalf("change %d of %d is of %v", i, len(h.changes), c.r)
				}
			}
		}
	}
}

// The child has nothing of what another thread has moved after the fork, and told of
// before the FORK.
func TestAMoveOvertakesAFork(t *testing.T) {
	inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
		size := s.memory.PageSize
		child := s.begin("fork read 0 2")
		s.awaitStuck(1)
		move := s.begin("move 0 1")
		s.awaitStuck(2)
		s.forkLate(p, userfaultfd.EventRemap)
		s.resultBy(p, move, "the move")
		if got, want := s.resultBy(p, child, "the child"), offsets(0, size); got != want {
			t.Errorf("the child reads %s, want %s", got, want)
		}
		if got, want := s.serveBy(p, "read 0 2"), offsets(0, size); got != want {
			t.Errorf("the parent reads %s, want %s", got, want)
		}
	})
}

// The child has what another thread has moved memory over after the fork, and told of
// before the FORK, though not yet of the move. It does not read zeros there: where the
// kernel counts what it owes, what comes later tells that there was nothing else.
func TestAMoveOverMemoryOvertakesAFork(t *testing.T) {
	inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
		size, pages, want := s.memory.PageSize, 1, offsets(0)
		switch all := offsets(0, size, 2*size, 3*size, 4*size, 5*size, 6*size, 7*size); {
		case p.kernel >= countsEvents:
			pages, want = 9, all+" "+offsets(8*size)
		case s.file.Features()&userfaultfd.FeaturePoison != 0:
			pages, want = 9, all+" sigbus"
		}
		over := s.address(8)
		child := s.begin("fork read 0 %d", pages)
		s.awaitStuck(1)
		move := s.begin("shrink 0 1 8")
		s.awaitStuck(2)
		heir := s.forkLate(p, userfaultfd.EventUnmap)
		s.resultBy(p, move, "the move")
		if got := s.resultBy(p, child, "the child"); got != want {
			t.Errorf("the child reads %s, want %s", got, want)
		}
		heir.order.beginRead()
		defer heir.order.endRead()
		if heir.space.isStrange(over) == (p.kernel >= countsEvents) {
			t.Errorf("the child's memory is %+v", heir.space)
		}
	})
}

// What a child has of its parent's shared memory is unmapped in its parent when the FORK
// is read.
func TestAChildThatSharesMemoryGoesByItsParentsOrder(t *testing.T) {
	s := startServed(t, "anonymous", 12, allEvents, missing)
	size := uint64(s.memory.PageSize)
	regions := append(s.region(pattern{}), s.region(pattern{})...)
	regions[0].Range.Len = 8 * size
	regions[1].Range = userfaultfd.Range{Start: regions[0].Range.End(), Len: size}
	regions[1].Shared = true // so the pager believes
	p, err := New(s.file, Config{Regions: regions, NoPoison: LeaveWaiting})
	if err != nil {
		t.Fatal(err)
	}
	if p.kernel == forgetsEvents {
		t.Skip("the kernel forgets that it owes events (Linux 5.16)")
	}
	closeKept(t)
	child := s.begin("fork read 0 1")
	s.awaitStuck(1)
	move := s.begin("shrink 0 1 8")
	s.awaitStuck(2)
	heir := s.forkLate(p, userfaultfd.EventUnmap)
	s.resultBy(p, move, "the move")
	if got := s.resultBy(p, child, "the child"); got != offsets(0) {
		t.Errorf("the child reads %s", got)
	}
	p.order.beginRead()
	if x := heir.space.find(regions[1].Range.Start); x == nil || !x.b.shared || heir.order != p.order {
		t.Errorf("the child's memory is %+v, its order its parent's: %v", heir.space, heir.order == p.order)
	}
	p.order.endRead()
	p.family.end(context.Canceled)
	p.family.wg.Wait()
}

// Memory that children do not get (MADV_DONTFORK) has moved to where other memory was,
// which has moved on.
func TestAChildDoesNotGetSomeOfWhatHasMoved(t *testing.T) {
	inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
		size := s.memory.PageSize
		if got := s.do("dontfork 0 1"); got != "ok" {
			t.Fatal(got)
		}
		for _, command := range []string{"shrink 8 1 9", "shrink 0 1 8"} {
			if got := s.serveBy(p, command); got != "ok" {
				t.Fatalf("%s: %s", command, got)
			}
		}
		for p.kernel >= countsEvents && p.recent != nil {
			p.round() // elsewhere it is known what comes before the FORK
		}
		if got, want := s.serveBy(p, "fork read 9 2"), offsets(8*size, 10*size); got != want {
			t.Errorf("the child reads %s, want %s", got, want)
		}
		if got, want := s.serveBy(p, "read 8 3"), offsets(0, 8*size, 10*size); got != want {
			t.Errorf("the parent reads %s, want %s", got, want)
		}
	})
}

// Much has happened within a moment before a fork, all of the same memory, and the kernel
// was owing events whenever it was asked.
func TestAForkAfterManyMoves(t *testing.T) {
	inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
		const moves = 11
		size := s.memory.PageSize
		var holds [12]int
		for i := range holds {
			holds[i] = i * size
		}
		for i := range moves {
			from, to := i, (i+11)%12
			if got := s.applyBy(p, s.begin("shrink %d 1 %d", from, to)); got != "ok" {
				t.Fatalf("move %d: %s", i, got)
			}
			holds[to] = holds[from]
		}
		free := moves - 1
		want := offsets(holds[:free]...)
		child := s.begin("fork read 0 %d", free)
		s.applyBy(p, child)
		if got := s.resultBy(p, child, "the child"); got != want {
			t.Errorf("the child reads %s, want %s", got, want)
		}
		if got := s.serveBy(p, fmt.Sprintf("read 0 %d", free)); got != want {
			t.Errorf("the parent reads %s, want %s", got, want)
		}
	})
}

// Memory of which nobody has heard has moved to where other memory was, and that to where
// more was.
func TestAForkAfterMovesOfMemoryOfWhichNobodyHasHeard(t *testing.T) {
	s := startServed(t, "anonymous", 12, allEvents, missing)
	size := s.memory.PageSize
	p, err := New(s.file, Config{Regions: s.region(pattern{}), ZeroOutside: true, NoPoison: LeaveWaiting})
	if err != nil {
		t.Fatal(err)
	}
	closeKept(t)
	for _, command := range []string{"unmap 7 2", "fresh 8 1"} {
		if got := s.serveBy(p, command); got != "ok" {
			t.Fatalf("%s: %s", command, got)
		}
	}
	if _, err := s.file.Register(userfaultfd.Range{Start: s.address(8), Len: uint64(size)}, missing); err != nil {
		t.Fatal(err)
	}
	for p.kernel >= countsEvents && p.recent != nil {
		p.round()
	}
	for _, command := range []string{"shrink 0 1 7", "shrink 1 1 0", "shrink 8 1 1"} {
		if got := s.applyBy(p, s.begin("%s", command)); got != "ok" {
			t.Fatalf("%s: %s", command, got)
		}
	}
	child := s.begin("fork read 0 7")
	s.applyBy(p, child)
	want := offsets(size) + " zero " + offsets(2*size, 3*size, 4*size, 5*size, 6*size)
	if got := s.resultBy(p, child, "the child"); got != want {
		t.Errorf("the child reads %s, want %s", got, want)
	}
	if got, want := s.serveBy(p, "read 7 1"), offsets(0); got != want {
		t.Errorf("the parent reads %s, want %s", got, want)
	}
	p.family.end(context.Canceled)
	p.family.wg.Wait()
}

// A parent is owed events whenever the kernel is asked. Its child is served nevertheless,
// but for what may have changed.
func TestAChildDoesNotWaitForEver(t *testing.T) {
	s := startServed(t, "anonymous", 12, allEvents, missing)
	p, err := New(s.file, Config{Regions: s.region(pattern{}), NoPoison: LeaveWaiting})
	if err != nil {
		t.Fatal(err)
	}
	if p.kernel < countsEvents {
		t.Skip("a child is served after a moment before Linux 5.16")
	}
	closeKept(t)
	if got := s.applyBy(p, s.begin("shrink 0 1 8")); got != "ok" {
		t.Fatal(got)
	}
	size, pages := s.memory.PageSize, 7
	want := offsets(size, 2*size, 3*size, 4*size, 5*size, 6*size, 7*size)
	if s.file.Features()&userfaultfd.FeaturePoison != 0 {
		pages, want = 8, want+" sigbus"
	}
	child := s.begin("fork read 1 %d", pages)
	s.applyBy(p, child)
	p.order.beginRead()
	p.taken(0, 1, nil)
	if len(p.unborn) != 1 {
		t.Fatal("the child is served at once")
	}
	p.unborn[0].inheritance.forked = time.Now().Add(-longestChildhood)
	p.taken(0, 1, nil)
	p.order.endRead()
	if got := s.resultBy(p, child, "the child"); got != want {
		t.Errorf("the child reads %s, want %s", got, want)
	}
	p.family.end(context.Canceled)
	p.family.wg.Wait()
}

// applyBy applies the events of a command until it is done, or has forked, by a pager that
// asks the kernel nothing.
func (s *served) applyBy(p *Pager, done <-chan string) (result string) {
	s.t.Helper()
	for end := time.Now().Add(deadline); len(p.unborn) == 0; {
		p.order.beginRead()
		n, err := s.file.TryRead(p.msgs)
		for i := range p.msgs[:n] {
			p.apply(&p.msgs[i])
		}
		p.order.endRead()
		if err != nil || time.Now().After(end) {
			s.t.Fatal("no answer", err)
		}
		select {
		case result := <-done:
			return result
		case <-time.After(100 * time.Microsecond):
		}
	}
	return ""
}

// forkLate reads a FORK, and after it a message of another thread, and applies them as
// if the one who forks had been slower. It returns the child's pager.
func (s *served) forkLate(p *Pager, overtakes userfaultfd.Event) (heir *Pager) {
	s.t.Helper()
	p.order.beginRead()
	defer p.order.endRead()
	n, err := s.file.TryRead(p.msgs)
	if err != nil || n < 2 || p.msgs[0].Event() != userfaultfd.EventFork || p.msgs[1].Event() != overtakes {
		s.t.Fatalf("%d messages, %v, %v: %v", n, p.msgs[0].Event(), p.msgs[1].Event(), err)
	}
	p.apply(&p.msgs[1])
	p.apply(&p.msgs[0])
	heir = p.unborn[0]
	// What its thread tells of the rest, where it was awake before the read was over.
	for i := 2; i < n; i++ {
		p.apply(&p.msgs[i])
	}
	return heir
}

// A child that changes its memory before its parent's is known.
func TestAChildThatChangesItsMemoryAtOnce(t *testing.T) {
	inheritsEach(t, func(t *testing.T, s *served, p *Pager) {
		move := s.begin("shrink 0 1 8")
		s.awaitStuck(1)
		child := s.begin("fork moved 8 1")
		s.awaitStuck(2)
		s.resultBy(p, move, "the move")
		if got, want := s.resultBy(p, child, "the child"), offsets(0); got != want {
			t.Errorf("the child reads %s, want %s", got, want)
		}
	})
}

// A child that discards shared memory before its parent's is known. Its parent finds it
// discarded.
func TestAChildDiscardsSharedMemoryAtOnce(t *testing.T) {
	s := startServed(t, "shmem", 12, allEvents, missing)
	p, err := New(s.file, Config{Regions: s.region(pattern{}), NoPoison: LeaveWaiting})
	if err != nil {
		t.Fatal(err)
	}
	if p.kernel == forgetsEvents {
		t.Skip("the kernel forgets that it owes events (Linux 5.16)")
	}
	closeKept(t)
	if got := s.applyBy(p, s.begin("shrink 3 1 8")); got != "ok" {
		t.Fatal(got)
	}
	child := s.begin("fork punch 1 1")
	s.applyBy(p, child)
	heir := p.unborn[0]
	heir.hooks.childhood = 300 * time.Millisecond
	uffdtest.Eventually(t, "the child's message", func() bool {
		p.order.beginRead()
		defer p.order.endRead()
		return heir.owesEvents()
	})
	for len(p.unborn) > 0 {
		p.round()
	}
	if got := s.result(child, "the child"); got != "ok" {
		t.Fatal(got)
	}
	if got := s.serveBy(p, "read 1 1"); got != "zero" {
		t.Errorf("the parent reads %s, want zeros", got)
	}
	p.family.end(context.Canceled)
	p.family.wg.Wait()
}

// A simulatedChild is the truth of one, and what its pager knows.
type simulatedChild struct {
	at map[uint64]modelPage
	h  *inheritance
}

func TestChildrenOfThreadsThatOvertakeEachOther(t *testing.T) {
	known, strange, most := make([]int, 10), make([]int, 10), 0
	for seed := range simulations(3000) {
		p, s := newSimulatedProcess(seed, 3)
		p.haste = int(seed % 10)
		var now *recent
		var unread, read []*simulatedChild
		for range 50 {
			if p.random.IntN(12) == 0 {
				unread = append(unread, &simulatedChild{at: maps.Clone(p.at)})
			}
			if n := len(unread); n > 0 && p.random.IntN(3) == 0 {
				c := unread[0]
				unread = unread[1:]
				if now == nil {
					now = &recent{before: s.layout()}
				}
				c.h = &inheritance{before: now.before.clone(make(heirs)), read: len(now.changes)}
				read = append(read, c)
			}
			p.forking = true // what MREMAP_DONTUNMAP leaves is not told from what was there
			if c, ok := p.step(); ok {
				if now == nil {
					now = &recent{before: s.layout()}
				}
				now.note(c)
				c.apply(s)
			}
			if p.owesEvents() || len(unread) > 0 || seed/10%4 == 1 && p.random.IntN(4) > 0 {
				continue // or the pager asks late
			}
			s.settle()
			for _, c := range read {
				c.h.changes = now.changes
				most = max(most, len(c.h.changes))
				c.changeItself(p)
				layout := c.h.layout(func(addr uint64) bool { _, there := c.at[addr]; return there })
				for _, own := range c.h.own {
					own.apply(&layout)
				}
				// What was unmapped it has no right to.
				for addr, page := range c.at {
					if layout.find(addr) == nil && c.h.wasUnmapped(addr) && !p.has(page.b) {
						delete(c.at, addr)
					}
				}
				k, n, err := p.check(&layout, c.at)
				if err != nil {
					for i, c := range c.h.changes {
						t.Logf("%d: %v %#x-%#x to %#x", i, c.kind, c.r.Start, c.r.End(), c.to)
					}
					t.Logf("%+v", c.h.own)
					t.Fatalf("seed %d: a child whose FORK came after %d changes: %v", seed, c.h.read, err)
				}
				known[p.haste] += k
				strange[p.haste] += n
			}
			now, read = nil, nil
		}
	}
	t.Logf("%v pages are known, and %v not, by how soon threads tell; of %d changes at most", known, strange, most)
	if known[9] < 30*strange[9] || known[0] < 6*strange[0] {
		t.Error("that is too little")
	}
}

// Before Linux 5.16 all that was read within a moment before a FORK could be in doubt.
// It is not, and memory of which nobody has heard makes no difference.
func TestChildrenOfAKernelThatForgetsEvents(t *testing.T) {
	all := 0
	for seed := range simulations(1000) {
		p, s := newSimulatedProcess(seed, 3)
		p.haste, s.exact, s.follows = 10, false, false
		now := &recent{before: s.layout()}
		var children []*simulatedChild
		for range 200 {
			if c, ok := p.step(); ok {
				now.note(c)
				c.apply(s)
			}
			if !p.owesEvents() && p.random.IntN(10) == 0 {
				h := &inheritance{before: now.before.clone(make(heirs)), read: len(now.changes), ordered: true}
				children = append(children, &simulatedChild{maps.Clone(p.at), h})
			}
		}
		for _, c := range children {
			c.h.changes = now.changes
			unheard := make(map[uint64]bool)
			for _, gone := range now.changes[:c.h.read] {
				_, used := c.at[gone.r.Start]
				unheard[gone.r.Start] = gone.kind == userfaultfd.EventUnmap && !used && p.random.IntN(3) == 0
			}
			layout := c.h.layout(func(addr uint64) bool {
				_, there := c.at[addr]
				return there || unheard[addr&^(modelSize-1)]
			})
			known, strange, err := p.check(&layout, c.at)
			if err != nil || strange > 0 {
				t.Fatalf("seed %d: a child whose FORK came after %d changes: %d pages are known, and %d not: %v", seed, c.h.read, known, strange, err)
			}
			all += known
		}
	}
	if all == 0 {
		t.Error("no page was looked at")
	}
}

// has reports whether the process has any memory of b.
func (p *simulatedProcess) has(b *backing) bool {
	for _, page := range p.at {
		if page.b == b {
			return true
		}
	}
	return false
}

// wasUnmapped reports whether something was unmapped at addr, which was read before the
// FORK, and nothing has moved there since.
func (h *inheritance) wasUnmapped(addr uint64) (was bool) {
	for i, c := range h.changes {
		if c.kind == userfaultfd.EventUnmap {
			was = was || i < h.read && c.r.Contains(addr)
		} else {
			was = was && !userfaultfd.Range{Start: c.to, Len: c.r.Len}.Contains(addr)
		}
	}
	return was
}

// changeItself has a child move some of its memory before it is known what it has.
func (c *simulatedChild) changeItself(p *simulatedProcess) {
	if p.random.IntN(3) > 0 || len(c.at) == 0 {
		return
	}
	all := slices.Sorted(maps.Keys(c.at))
	from := userfaultfd.Range{Start: all[p.random.IntN(len(all))], Len: modelSize}
	to := simulatedStart + p.random.Uint64N(p.slots)*modelSize
	if _, used := c.at[to]; used || c.h.wasUnmapped(from.Start) || c.h.wasUnmapped(to) {
		return
	}
	c.at[to] = c.at[from.Start]
	delete(c.at, from.Start)
	c.h.own = []change{{userfaultfd.EventRemap, from, to}, {kind: userfaultfd.EventUnmap, r: from}}
}

// Memory of which nobody has heard moves to where some was that has moved on. There was
// none there before, since nothing tells that it has gone.
func TestAChildHasAChainOfMoves(t *testing.T) {
	b := &backing{pageSize: modelSize, states: newStates(2)}
	before := space{exact: true, follows: true}
	before.insert(segment{simulatedStart, simulatedStart + modelSize, b, 0})
	before.insert(segment{simulatedStart + 2*modelSize, simulatedStart + 3*modelSize, b, 1})
	h := &inheritance{before: before}
	chain := []uint64{6, 0, 2, 4}
	for i := range len(chain) - 1 {
		from := userfaultfd.Range{Start: simulatedStart + chain[i+1]*modelSize, Len: modelSize}
		h.changes = append(h.changes, change{userfaultfd.EventRemap, from, simulatedStart + chain[i]*modelSize}, change{kind: userfaultfd.EventUnmap, r: from})
	}
	h.read = len(h.changes)
	s := h.layout(func(addr uint64) bool { return addr != simulatedStart+4*modelSize })
	for slot, page := range map[uint64]int{6: 0, 0: 1} {
		if seg := s.find(simulatedStart + slot*modelSize); seg == nil || seg.b != b || seg.page != page {
			t.Errorf("in slot %d is %+v, want page %d", slot, seg, page)
		}
	}
	if addr := uint64(simulatedStart + 2*modelSize); s.find(addr) != nil || s.isStrange(addr) {
		t.Errorf("it is not known that the memory is that of which nobody has heard: %+v", s)
	}
}

// Where nobody knows whether memory was mapped once more, nobody knows what follows.
func TestAChildMayHaveMemoryMappedOnceMore(t *testing.T) {
	b := &backing{pageSize: modelSize, shared: true, states: newStates(4)}
	before := space{exact: true, follows: true}
	before.insert(segment{simulatedStart, simulatedStart + 4*modelSize, b, 0})
	const at = simulatedStart + 16*modelSize
	h := &inheritance{before: before, changes: []change{{userfaultfd.EventRemap, userfaultfd.Range{Start: simulatedStart}, at}}, read: 1}
	registered := func(addr uint64) bool {
		return addr < simulatedStart+4*modelSize || at <= addr && addr < at+4*modelSize
	}
	if s := h.layout(registered); s.find(at) == nil || !slices.Contains(s.shares, share{at: at}) {
		t.Errorf("it is not asked how much there is: %+v", s)
	}
	// Each of so many may be or not.
	h.changes = append(h.changes, slices.Repeat([]change{{kind: userfaultfd.EventUnmap, r: userfaultfd.Range{Start: at, Len: modelSize}}}, maxChoices)...)
	s := h.layout(registered)
	for page := range uint64(4) {
		if addr := at + page*modelSize; s.find(addr) != nil || !s.isStrange(addr) {
			t.Errorf("page %d: %+v", page, s)
		}
	}
	if !slices.ContainsFunc(s.shares, func(x share) bool { return x.rest == s.strangeAt(at+modelSize).b }) {
		t.Errorf("it is not asked what there is: %+v", s)
	}
}

// fourPages are those from a page of a simulated process on.
func fourPages(page uint64) userfaultfd.Range {
	return userfaultfd.Range{Start: simulatedStart + page*modelSize, Len: 4 * modelSize}
}

// inheritFour returns what was inherited of four pages each, which were at these pages. The
// changes are moves from page to page, and UNMAPs of what is at a page, if there is no other.
func inheritFour(read int, at []uint64, changes [][]uint64) *inheritance {
	h := &inheritance{before: space{exact: true, follows: true}, read: read}
	for i, page := range at {
		r := fourPages(page)
		h.before.insert(segment{r.Start, r.End(), &backing{pageSize: modelSize, region: i, states: newStates(4)}, 0})
	}
	for _, c := range changes {
		x := change{kind: userfaultfd.EventUnmap, r: fourPages(c[0])}
		if len(c) > 1 {
			x = change{userfaultfd.EventRemap, x.r, fourPages(c[1]).Start}
		}
		h.changes = append(h.changes, x)
	}
	return h
}

// among returns what tells that all of these four pages are registered, and nothing else.
func among(pages ...uint64) func(addr uint64) bool {
	return func(addr uint64) bool {
		return slices.ContainsFunc(pages, func(page uint64) bool { return fourPages(page).Contains(addr) })
	}
}

// The parent moves memory on, moves other memory to where a part of that was, and unmaps
// it; all is told before the FORK, and the child was copied before.
func TestAnUnmapIsOfWhatHasComeSince(t *testing.T) {
	h := inheritFour(7, []uint64{0, 8}, [][]uint64{{0, 16}, {0}, {16, 24}, {16}, {8, 19}, {8}, {19}})
	s := h.layout(among(8, 16))
	if seg := s.find(fourPages(16).Start); seg == nil || seg.b.region != 0 || seg.page != 0 {
		t.Errorf("what has moved is %+v", seg)
	}
	if last := fourPages(19).Start; s.find(last) == nil && !s.isStrange(last) {
		t.Errorf("its last page is zeros: %+v", s)
	}
}

// Memory of which nobody has heard is in the child, and moves in its parent after the FORK,
// to be followed by what is in doubt.
func TestMemoryOfWhichNobodyHasHeardMovesAfterAFork(t *testing.T) {
	h := inheritFour(8, []uint64{0, 4, 8, 12}, [][]uint64{
		{12}, {8, 12}, {8}, {0}, {4, 0}, {4}, {12, 5}, {12},
		{18, 14}, {18}, {0, 18}, {0},
	})
	s := h.layout(among(0, 5, 10, 18)) // of those at 10 nobody has heard either
	if at := fourPages(0).Start; s.find(at) == nil && !s.isStrange(at) {
		t.Errorf("what has moved reads as zeros: %+v", s)
	}
	if seg := s.find(fourPages(5).Start); seg == nil || seg.b.region != 2 || seg.page != 0 {
		t.Errorf("what has moved elsewhere is %+v", seg)
	}
}

func TestAChildOfWhichTooMuchIsToBeKnown(t *testing.T) {
	r := &recent{before: space{exact: true}}
	r.before.insert(segment{simulatedStart, simulatedStart + 4*modelSize, &backing{pageSize: modelSize, states: newStates(4)}, 0})
	for i := range uint64(maxRecent + 1) {
		r.note(change{kind: userfaultfd.EventUnmap, r: userfaultfd.Range{Start: simulatedStart + i*modelSize, Len: modelSize}})
	}
	far := fourPages(1 << 20)
	r.before.insert(segment{far.Start, far.End(), r.before.segments[0].b, 0})
	r.note(change{kind: userfaultfd.EventUnmap, r: fourPages(1<<20 + 3)})
	h := &inheritance{before: r.before.clone(make(heirs))}
	h.complete(r)
	for _, lost := range []bool{true, false} {
		h.lost = lost
		if !lost {
			// Each of so many may be or not.
			h.changes = slices.Repeat([]change{{userfaultfd.EventUnmap, userfaultfd.Range{Start: simulatedStart, Len: 4 * modelSize}, 0}}, bits.Len(maxSets))
		}
		s := h.layout(func(uint64) bool { return true })
		if s.find(simulatedStart) != nil || !s.isStrange(simulatedStart) {
			t.Errorf("lost %v: %s", lost, fmt.Sprintf("%+v", s))
		}
		if last := far.End() - modelSize; s.find(far.Start) == nil || lost && (s.find(last) != nil || !s.isStrange(last)) {
			t.Errorf("lost %v, of memory that little has changed about: %s", lost, fmt.Sprintf("%+v", s))
		}
	}
}

// A page that moves on and on, as often as is remembered.
func BenchmarkInherit(b *testing.B) {
	before := space{}
	before.insert(segment{simulatedStart, simulatedStart + 4*modelSize, &backing{pageSize: modelSize, states: newStates(4)}, 0})
	h, now := &inheritance{before: before, ordered: true}, before.layout()
	for at := uint64(simulatedStart); len(h.changes) < maxRecent; at += 8 * modelSize {
		from := userfaultfd.Range{Start: at, Len: modelSize}
		h.changes = append(h.changes, change{userfaultfd.EventRemap, from, at + 8*modelSize}, change{kind: userfaultfd.EventUnmap, r: from})
	}
	h.read = len(h.changes)
	for _, c := range h.changes {
		c.apply(&now)
	}
	b.ReportAllocs()
	for b.Loop() {
		s := h.layout(func(addr uint64) bool { return now.find(addr) != nil })
		if seg := s.find(simulatedStart + maxRecent/2*8*modelSize); seg == nil || seg.b != before.segments[0].b {
			b.Fatalf("the page is in %+v", seg)
		}
	}
}
