package pager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

// eachShared runs a test on shared memory, with memory outside read as zeros and with
// a source that lends and one that is read.
func eachShared(t *testing.T, pages int, f func(t *testing.T, s *served, cfg Config)) {
	for _, lends := range []bool{true, false} {
		name := "from a source that is read"
		if lends {
			name = "from a source that lends"
		}
		t.Run(name, func(t *testing.T) {
			s := startServed(t, "shmem", pages, allEvents, missing)
			cfg := Config{Regions: s.region(pattern{}), ZeroOutside: true}
			if lends {
				cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
			}
			f(t, s, cfg)
		})
	}
}

// mremap(2) of no bytes maps shared memory once more, and its message does not tell
// how much.
func TestSharedMemoryIsMappedOnceMore(t *testing.T) {
	eachShared(t, 8, func(t *testing.T, s *served, cfg Config) {
		size := s.memory.PageSize
		s.serve(cfg)
		s.want("ok", "punch 3 1")
		s.want("ok", "twice 2 5") // 8 to 12 are 2 to 6
		s.want(offsets(6*size), "read 12 1")
		s.want(offsets(2*size)+" zero "+offsets(4*size, 5*size), "read 8 4")
		s.want(offsets(0, size, 2*size)+" zero "+offsets(4*size, 5*size, 6*size, 7*size), "read 0 8")
	})
}

// What is discarded at one place is so at the other.
func TestMemoryThatIsMappedOnceMoreIsOne(t *testing.T) {
	eachShared(t, 8, func(t *testing.T, s *served, cfg Config) {
		size := s.memory.PageSize
		p := s.serve(cfg)
		s.want("ok", "twice 0 8") // 8 to 15
		s.want("ok", "punch 9 1")
		s.want("ok", "punch 2 1")
		s.want(offsets(0)+" zero zero", "read 0 3")
		s.want(offsets(0)+" zero zero "+offsets(3*size), "read 8 4")
		s.want("ok", "move 12 3")
		s.want("ok", "unmap 0 8")
		s.want(offsets(4*size, 5*size, 6*size, 7*size), "read 12 4")
		s.want(offsets(4*size), "fork read 12 1")
		uffdtest.Eventually(t, "the events", func() bool { return p.Stats().Unmaps >= 1 })
	})
}

// What happens to it before its length is known is not lost.
func TestMemoryThatIsMappedOnceMoreChangesAtOnce(t *testing.T) {
	needPoison(t)
	eachShared(t, 64, func(t *testing.T, s *served, cfg Config) {
		size := s.memory.PageSize
		s.serve(cfg)
		for i := range 16 {
			at := 64 + 8*i
			s.want("ok", "twice 0 8")
			switch i % 4 {
			case 0:
				s.want("ok", "punch %d 1", at+1)
				s.want("zero", "read %d 1", at+1)
				s.want("zero "+offsets(2*size), "read 1 2")
			case 1:
				s.want("ok", "move %d 2", at+4)
				s.want(offsets(0)+" zero "+offsets(2*size, 3*size, 4*size, 5*size), "read %d 6", at)
				for _, of := range []int{6, 7} { // it may be known by then
					if got := s.do("read %d 1", at+of); got != "sigbus" && got != offsets(of*size) {
						t.Errorf("page %d reads %s", of, got)
					}
				}
			case 2:
				s.want("ok", "unmap %d 3", at)
				for _, of := range []int{6, 7} {
					if got := s.do("read %d 1", at+of); got != "sigbus" && got != offsets(of*size) {
						t.Errorf("page %d reads %s", of, got)
					}
				}
			case 3:
				s.want(offsets(0)+" zero "+offsets(2*size), "fork read %d 3", at)
			}
		}
		s.want(offsets(0)+" zero "+offsets(2*size, 3*size, 4*size, 5*size, 6*size, 7*size), "read 0 8")
	})
}

// Pages of the second mapping are owed too.
func TestStoppingWithMemoryThatIsMappedOnceMore(t *testing.T) {
	needPoison(t)
	eachShared(t, 8, func(t *testing.T, s *served, cfg Config) {
		_, stop := s.serveUntil(cfg)
		s.want("0", "read 0 1")
		s.want("ok", "twice 0 8")
		stop()
		s.want("0 sigbus sigbus", "read 0 3")
		s.want("0 sigbus sigbus", "read 8 3")
		s.want("sigbus", "read 15 1")
	})
}

// A mapping that was split before the kernel could be asked may be longer than what is
// known of it: what follows is not made zeros, which would be in the file.
func TestAMappingThatIsSplitBeforeItsLengthIsKnown(t *testing.T) {
	needPoison(t)
	s := startServed(t, "shmem", 8, allEvents, missing)
	size := s.memory.PageSize
	p, err := New(s.file, Config{Regions: s.region(newLending(int(s.memory.Range.Len))), ZeroOutside: true})
	if err != nil {
		t.Fatal(err)
	}
	want := func(want, command string) {
		t.Helper()
		if got := s.serveBy(p, command); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
	want("ok", "twice 0 8")
	want("0", "read 8 1")
	want("ok", "protect 8 4")
	p.forgetLength(s.address(8))
	want(offsets(3*size), "read 11 1")
	want("sigbus", "read 13 1")
	want(offsets(5*size), "read 5 1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Serve(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	s.want("sigbus", "read 14 1")
	s.want("sigbus", "read 6 1")
}

// A mapping that is split for a moment only, when it is asked how long it is, is known
// when it is whole again.
func TestAMappingThatIsSplitWhileItsLengthIsAsked(t *testing.T) {
	needPoison(t)
	s := startServed(t, "shmem", 8, allEvents, missing)
	size := s.memory.PageSize
	p, err := New(s.file, Config{Regions: s.region(newLending(int(s.memory.Range.Len))), ZeroOutside: true})
	if err != nil {
		t.Fatal(err)
	}
	want := func(want, command string) {
		t.Helper()
		if got := s.serveBy(p, command); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
	want("ok", "twice 0 8") // 8 to 15
	want("ok", "protect 8 3")
	p.forgetLength(s.address(8))
	want("ok", "punch 3 1")
	want(offsets(0, size, 2*size), "read 8 3")
	if at := s.address(11); p.space.find(at) != nil || !p.space.isStrange(at) {
		t.Fatal("a mapping that is split is known")
	}
	want("ok", "punch 13 2")
	want("sigbus", "read 5 1") // nobody knows whether it was discarded
	want("ok", "twice 15 1")   // 16
	want("sigbus", "read 16 1")
	want("ok", "join 8 3")
	want("zero "+offsets(4*size), "read 11 2")
	want("zero zero "+offsets(7*size), "read 13 3")
	want("zero "+offsets(7*size), "read 6 2")
	if len(p.space.strange) != 1 { // 16
		t.Errorf("strange is still %+v", p.space.strange)
	}
}

// What is discarded in a mapping that is whole again is so at the other place, whether
// or not anything was missed there.
func TestADiscardWhereAMappingWasSplit(t *testing.T) {
	needPoison(t)
	s := startServed(t, "shmem", 8, allEvents, missing)
	size := s.memory.PageSize
	p, err := New(s.file, Config{Regions: s.region(newLending(int(s.memory.Range.Len))), ZeroOutside: true})
	if err != nil {
		t.Fatal(err)
	}
	want := func(want, command string) {
		t.Helper()
		if got := s.serveBy(p, command); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
	want("ok", "twice 0 8") // 8 to 15
	want("ok", "protect 8 3")
	p.forgetLength(s.address(8))
	want(offsets(0), "read 8 1")
	want("ok", "join 8 3")
	want("ok", "punch 13 1")
	want(offsets(4*size)+" zero "+offsets(6*size), "read 4 3")
	want(offsets(3*size, 4*size)+" zero", "read 11 3")
}

// forgetLength has it be as if the kernel were asked now how long the memory is that is
// mapped once more at at.
func (p *Pager) forgetLength(at uint64) {
	p.order.beginRead()
	defer p.order.endRead()
	seg := p.space.find(at)
	seg.end = at + seg.b.pageSize
	p.space.shares = append(p.space.shares, share{at: at})
}

// Memory is mapped once more and unmapped, before it is known how much it is. Nothing is
// there any more, and what comes there is new.
func TestMemoryThatComesWhereAMappingWasOfUnknownLength(t *testing.T) {
	needPoison(t)
	s := startServed(t, "shmem", 8, allEvents, missing)
	size := s.memory.PageSize
	p, err := New(s.file, Config{Regions: s.region(newLending(int(s.memory.Range.Len))), ZeroOutside: true})
	if err != nil {
		t.Fatal(err)
	}
	want := func(want, command string) {
		t.Helper()
		if got := s.serveBy(p, command); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
	want("ok", "twice 0 8") // 8 to 15
	want("ok", "unmap 14 2")
	at, free := s.address(8), s.address(14)
	unmapped := s.begin("unmap 8 4")
	s.awaitStuck(1)
	p.forgetLength(at)
	if got := s.resultBy(p, unmapped, "unmap"); got != "ok" {
		t.Fatal(got)
	}
	want("sigbus sigbus", "read 12 2") // of the file, or not
	want("ok", "fresh 14 2")
	if _, err := p.file.Register(userfaultfd.Range{Start: free, Len: 2 * uint64(size)}, userfaultfd.RegisterMissing); err != nil {
		t.Fatal(err)
	}
	want("zero zero", "read 14 2")
	want(offsets(4*size), "read 4 1")
	if len(p.space.shares) > 0 {
		t.Errorf("still to be asked: %+v", p.space.shares)
	}
}

// A message that comes behind memory that is mapped once more, before it is known how
// much it is, may be of other memory that is there.
func TestOtherMemoryBehindAMappingOfUnknownLength(t *testing.T) {
	needPoison(t)
	s := startServed(t, "shmem", 8, allEvents, missing)
	size := s.memory.PageSize
	p, err := New(s.file, Config{Regions: s.region(newLending(int(s.memory.Range.Len))), ZeroOutside: true})
	if err != nil {
		t.Fatal(err)
	}
	want := func(want, command string) {
		t.Helper()
		if got := s.serveBy(p, command); got != want {
			t.Errorf("%s: %s, want %s", command, got, want)
		}
	}
	want("ok", "twice 0 8") // 8 to 15
	want("ok", "unmap 10 6")
	want("ok", "fresh 12 2")
	at := s.address(8)
	if _, err := p.file.Register(userfaultfd.Range{Start: s.address(12), Len: 2 * uint64(size)}, userfaultfd.RegisterMissing); err != nil {
		t.Fatal(err)
	}
	discarded := s.begin("discard 12 1")
	s.awaitStuck(1)
	p.forgetLength(at)
	if got := s.resultBy(p, discarded, "discard"); got != "ok" {
		t.Fatal(got)
	}
	want("zero zero", "read 12 2")
	want(offsets(0, size), "read 8 2")
}

// serveBy gives a command, and serves until it is done, by a pager that does not serve.
func (s *served) serveBy(p *Pager, command string) string {
	s.t.Helper()
	return s.resultBy(p, s.begin("%s", command), command)
}

// resultBy serves until a command is done, by a pager that does not serve.
func (s *served) resultBy(p *Pager, done <-chan string, what string) string {
	s.t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); {
		p.round()
		select {
		case result := <-done:
			return result
		case <-time.After(100 * time.Microsecond):
		}
	}
	s.t.Fatalf("%s: no answer", what)
	return ""
}

// Of shared memory MREMAP_DONTUNMAP leaves behind what was there.
func TestSharedMemoryThatWasMovedAwayFromIsStillThere(t *testing.T) {
	eachShared(t, 8, func(t *testing.T, s *served, cfg Config) {
		size := s.memory.PageSize
		p := s.serve(cfg)
		if got := s.do("move_keep 1 4"); got != "ok" {
			t.Skip(got)
		}
		s.want("ok", "punch 2 1")
		s.want(offsets(0, size)+" zero "+offsets(3*size), "read 0 4")
		s.want(offsets(size)+" zero "+offsets(3*size, 4*size), "read 8 4")
		s.want("ok", "unmap 1 4")
		uffdtest.Eventually(t, "the event", func() bool { return p.Stats().Unmaps == 1 })
		s.want(offsets(size)+" zero "+offsets(3*size, 4*size), "read 8 4")
		for _, run := range p.Pages() {
			if run.Range.Contains(s.address(1)) {
				t.Errorf("what was unmapped is still there: %+v", run)
			}
		}
	})
}

// Where memory was that was mapped once more, the same is mapped once more again, before
// the kernel could be asked of either: it is one place then, and not two.
func TestADiscardWhereTwoMappingsOfUnknownLengthMeet(t *testing.T) {
	b := &backing{pageSize: modelSize, shared: true, states: newStates(16)}
	var s space
	at := func(page uint64) uint64 { return 1<<30 + page*modelSize }
	s.insert(segment{1 << 20, 1<<20 + 16*modelSize, b, 0})
	s.move(userfaultfd.Remap{From: 1 << 20, To: at(0)})
	s.unmap(userfaultfd.Range{Start: at(0), Len: 4 * modelSize})
	s.move(userfaultfd.Remap{From: 1 << 20, To: at(4)})
	s.remove(userfaultfd.Range{Start: at(7), Len: modelSize})
	for page := range b.states.n {
		want := Untouched
		if page == 3 {
			want = Removed
		}
		if got := b.states.get(page); got != want {
			t.Errorf("page %d is %v, want %v", page, got, want)
		}
	}
	if len(s.shares) != 3 {
		t.Errorf("to be asked: %+v", s.shares)
	}
}

func TestAShareOfMemoryThatIsUnknownOrEndsBeyondTheAddresses(t *testing.T) {
	p := &Pager{systemPage: os.Getpagesize(), file: new(userfaultfd.File)}
	b := &backing{pageSize: modelSize, shared: true, states: newStates(4)}
	p.space.insert(segment{1 << 20, 1<<20 + 4*modelSize, b, 0})
	p.space.move(userfaultfd.Remap{From: 2 << 20, To: 3 << 20})
	p.space.move(userfaultfd.Remap{From: 1 << 20, To: ^uint64(0) &^ (modelSize - 1)})
	if len(p.space.segments) != 1 || len(p.space.shares) != 0 {
		t.Errorf("the space is %+v", p.space)
	}
	// A closed userfaultfd tells nothing, and that ends it.
	p.space.move(userfaultfd.Remap{From: 1 << 20, To: 3 << 20})
	p.lengthen()
	if len(p.space.shares) != 0 || p.space.find(3<<20) == nil {
		t.Errorf("the space is %+v", p.space)
	}
}

// Huge pages of a file are one wherever they are mapped. The kernel maps them once more
// for a child of fork(2) only: a mremap(2) of no bytes would have them grow, and that
// it refuses, as it does MREMAP_DONTUNMAP. If a kernel does not, they are served there.
func TestSharedHugePages(t *testing.T) {
	for _, lends := range []bool{true, false} {
		t.Run(fmt.Sprintf("lent %v", lends), func(t *testing.T) {
			const refused = "Invalid argument"
			needMovableHugePages(t)
			needHugePages(t, 8)
			s := startServed(t, "hugetlb-shared", 8, allEvents, missing)
			size := s.memory.PageSize
			cfg := Config{Regions: s.region(pattern{}), ZeroOutside: true}
			if lends {
				cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
			}
			p := s.serve(cfg)
			s.want(offsets(2*size), "read 2 1")
			s.want("ok", "punch 3 1")
			s.want("ok", "move 4 2")
			s.want("zero "+offsets(4*size, 5*size), "read 3 3")
			s.want("zero "+offsets(4*size)+" "+offsets(5*size, 6*size), "fork read 3 4")
			s.want("ok", "fork punch 1 1")
			s.want("zero "+offsets(2*size), "read 1 2")

			remaps := p.Stats().Remaps
			switch got := s.do("twice 4 2"); got {
			case "ok":
				s.want(offsets(4*size, 5*size), "read 8 2")
				s.want("ok", "punch 5 1")
				s.want(offsets(4*size)+" zero", "read 8 2")
			case refused:
				t.Log("huge pages are not mapped once more by this kernel")
				if n := p.Stats().Remaps; n != remaps {
					t.Errorf("%d messages tell that they were", n-remaps)
				}
			default:
				t.Error(got)
			}
			if got := s.do("move_keep 4 1"); got != "ok" && got != refused {
				t.Error(got)
			} else if got == "ok" {
				s.want(offsets(4*size), "read 8 1")
			}
			s.want(offsets(4*size), "read 4 1")
			s.want(offsets(0)+" zero "+offsets(2*size)+" zero", "read 0 4")
			s.want(offsets(7*size), "read 7 1")
		})
	}
}
