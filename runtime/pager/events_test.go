package pager

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

func TestMovedMemoryIsServedWhereItIs(t *testing.T) {
	eachKind(t, 8, func(t *testing.T, s *served, regions []Region) {
		size := s.memory.PageSize
		s.serve(Config{Regions: regions})
		s.want(offsets(2*size), "read 2 1")
		discard := "discard"
		if s.memory.Shared {
			discard = "punch"
		}
		s.want("ok", "%s 3 1", discard)
		s.want("ok", "move 1 4")
		s.want(offsets(0, size, 2*size)+" zero "+offsets(4*size, 5*size), "read 0 6")
	})
}

func TestMemoryIsMovedBackAndForth(t *testing.T) {
	s := startServed(t, "anonymous", 64, allEvents, missing)
	size := s.memory.PageSize
	s.serve(Config{Regions: s.region(pattern{})})
	for i := range 64 {
		s.want("ok", "move %d 1", i)
		s.want("ok", "move %d 1", i)
		s.want(offsets(i*size), "read %d 1", i)
	}
}

func TestMemoryThatWasMovedAwayFromReadsAsZeros(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	s.serve(Config{Regions: s.region(pattern{})})
	if got := s.do("move_keep 1 2"); got != "ok" {
		t.Fatal(got)
	}
	s.want(offsets(0)+" zero zero "+offsets(3*s.memory.PageSize), "read 0 4")
}

func TestMemoryThatHasGrown(t *testing.T) {
	for _, zeros := range []bool{true, false} {
		if !zeros {
			needPoison(t)
		}
		s := startServed(t, "anonymous", 4, allEvents, missing)
		size := s.memory.PageSize
		s.serve(Config{Regions: s.region(pattern{}), ZeroOutside: zeros})
		s.want("ok", "grow 0 4 2")
		s.want(offsets(0, size, 2*size, 3*size), "read 0 4")
		if zeros {
			s.want("zero zero", "read 4 2")
		} else {
			s.want("sigbus sigbus", "read 4 2")
		}
	}
}

func TestUnmappedMemoryIsForgotten(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	p := s.serve(Config{Regions: s.region(pattern{})})
	s.want("ok", "unmap 1 2")
	s.want(offsets(0), "read 0 1")
	uffdtest.Eventually(t, "the event", func() bool { return p.Stats().Unmaps == 1 })
	if got := p.Pages(); len(got) != 2 || got[0].State != Installed || got[1].State != Untouched || got[1].Offset != int64(3*s.memory.PageSize) {
		t.Errorf("the pages are %+v", got)
	}
}

func TestAThreadThatWaitsForMemoryThatIsUnmapped(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	release := make(chan struct{})
	defer close(release)
	reading := make(chan struct{}, 8)
	s.serve(Config{Regions: s.region(sourceFunc(func(p []byte, off int64) (int, error) {
		reading <- struct{}{}
		<-release
		return pattern{}.ReadAt(p, off)
	}))})
	read := s.begin("read 2 1")
	<-reading
	s.want("ok", "unmap 1 2")
	if got := s.result(read, "read"); got != "sigbus" { // SIGSEGV, in fact
		t.Errorf("the thread reads %s", got)
	}
}

func TestAChildInheritsTheState(t *testing.T) {
	for _, kind := range []string{"anonymous", "shmem"} {
		for _, lends := range []bool{true, false} {
			t.Run(kind, func(t *testing.T) {
				s := startServed(t, kind, 8, allEvents, missing)
				size := s.memory.PageSize
				var child atomic.Pointer[Pager]
				cfg := Config{Regions: s.region(pattern{}), Process: s.pidfd, Forked: func(c *Pager) { child.Store(c) }}
				if lends {
					cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
				}
				p, stop := s.serveUntil(cfg)
				s.want(offsets(0), "read 0 1")
				discard := "discard"
				if kind == "shmem" {
					discard = "punch"
				}
				s.want("ok", "%s 1 2", discard)
				s.want("ok", "move 3 2")
				s.want(offsets(0)+" zero zero "+offsets(3*size, 4*size, 5*size), "fork read 0 6")
				// What the child touched is untouched here.
				s.want(offsets(0)+" zero zero "+offsets(3*size, 4*size, 5*size, 6*size), "read 0 7")
				uffdtest.Eventually(t, "news of the child", func() bool { return child.Load() != nil })
				c := child.Load()
				defer func() {
					for _, c := range []*Pager{c, child.Load()} {
						if c.File() != nil { // nothing could be poisoned
							c.File().Close()
						}
					}
				}()
				wantStats(t, c, func(got Stats) bool { return got.Missing != 0 })
				uffdtest.Eventually(t, "the end of the child's pager", c.hasEnded)
				// It finds what is in place here, and poison where nothing is.
				n, want := 8, offsets(0)+" zero zero "+offsets(3*size, 4*size, 5*size, 6*size)+" sigbus"
				if s.file.Features()&userfaultfd.FeaturePoison == 0 {
					n, want = 7, strings.TrimSuffix(want, " sigbus") // it would wait
				}
				stays := s.begin("linger held read 0 %d", n)
				uffdtest.Eventually(t, "the fork", func() bool { return p.Stats().Forks == 2 })
				done := make(chan error, 1)
				go func() { done <- stop() }()
				select {
				case <-done:
				case <-time.After(deadline):
					t.Error("Serve does not return while a child is there")
				}
				s.want("ok", "release")
				if got := s.result(stays, "the child that stays"); got != want {
					t.Errorf("the child that stays reads %s, want %s", got, want)
				}
			})
		}
	}
}

// Shared memory is one: what the parent discards, the child finds discarded.
func TestAChildSharesSharedMemory(t *testing.T) {
	s := startServed(t, "shmem", 4, allEvents, missing)
	size := s.memory.PageSize
	s.serve(Config{Regions: s.region(pattern{})})
	s.do("linger none")
	s.want("ok", "punch 1 1")
	s.want(offsets(0)+" zero "+offsets(2*size), "fork read 0 3")
	s.want("ok", "fork punch 2 1")
	s.want("zero", "read 2 1")
}

// The message of a fork takes a descriptor. Without one nothing can be installed,
// and the pager has to come back to it.
func TestAForkWithoutADescriptor(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	p := s.serve(Config{Regions: s.region(pattern{})})
	s.want("0", "read 0 1")
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	forked := s.begin("fork read 1 1")
	time.Sleep(100 * time.Millisecond)
	read := s.begin("read 2 1")
	time.Sleep(50 * time.Millisecond)
	unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	if got := s.result(forked, "fork"); got != offsets(s.memory.PageSize) {
		t.Errorf("the child reads %s", got)
	}
	if got := s.result(read, "read"); got != offsets(2*s.memory.PageSize) {
		t.Errorf("the parent reads %s", got)
	}
	wantStats(t, p, func(got Stats) bool { return got.Forks == 1 })
}

func TestDiscardedMemoryIsFetchedAgainIfThatIsWanted(t *testing.T) {
	s := startServed(t, "anonymous", 2, allEvents, missing)
	regions := s.region(pattern{})
	regions[0].Refetch = true
	s.serve(Config{Regions: regions})
	for range 3 {
		s.want(offsets(0, s.memory.PageSize), "read 0 2")
		s.want("ok", "discard 0 2")
	}
}

// Without events a discarded page that was in place is zeros all the same.
func TestDiscardingWithoutEvents(t *testing.T) {
	s := startServed(t, "anonymous", 2, userfaultfd.FeaturePoison, missing)
	s.serve(Config{Regions: s.region(pattern{})})
	s.want(offsets(0, s.memory.PageSize), "read 0 2")
	s.want("ok", "discard 0 2")
	s.want("zero zero", "read 0 2")
}
