package pager

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// Somebody else installs the page, without waking, between the decision and the
// install: EEXIST, and the thread sleeps on unless it is woken.
func TestAThreadIsWokenAfterEEXIST(t *testing.T) {
	for _, source := range []string{"lent", "read"} {
		t.Run("when the content is "+source, func(t *testing.T) {
			s := startServed(t, "anonymous", 2, allEvents, missing)
			page := make([]byte, s.memory.PageSize)
			pattern{}.ReadAt(page, 0)
			var once sync.Once
			s.hooks.decided = func(r userfaultfd.Range) {
				once.Do(func() {
					if _, err := s.file.Copy(r.Start, page, userfaultfd.CopyDontWake); err != nil {
						t.Error(err)
					}
				})
			}
			cfg := Config{Regions: s.region(pattern{})}
			if source == "lent" {
				cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
			}
			p := s.serve(cfg)
			s.want("0", "read 0 1")
			wantStats(t, p, func(got Stats) bool { return got.Existed == 1 && got.Woken >= 2 })
		})
	}
}

// The kernel says EAGAIN although no message is there to be read, and none comes:
// that is so while the thread whose event was read has not run yet.
func TestAFaultThatMetEAGAINIsTriedAgainByATimer(t *testing.T) {
	for _, lends := range []bool{true, false} {
		s := startServed(t, "anonymous", 2, allEvents, missing)
		var refused atomic.Int32
		s.hooks.refuse = func(o operation, r userfaultfd.Range) error {
			if refused.Add(1) <= 12 {
				return &userfaultfd.Error{Op: "UFFDIO_COPY", Range: r, Err: unix.EAGAIN}
			}
			return nil
		}
		cfg := Config{Regions: s.region(pattern{}), Process: s.pidfd} // no other timer
		if lends {
			cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
		}
		p := s.serve(cfg)
		s.want(offsets(s.memory.PageSize), "read 1 1")
		wantStats(t, p, func(got Stats) bool { return got.Deferred == 12 && got.Missing == 1 })
	}
}

// A read hands out faults before events: this REMOVE comes after the fault of its page,
// in one read or in the next, and is heeded first.
func TestARemoveThatIsReadAfterItsFault(t *testing.T) {
	for _, kind := range []string{"anonymous", "shmem"} {
		for i := range 4 {
			lends, alone := i%2 == 0, i >= 2
			s := startServed(t, kind, 2, allEvents, missing)
			discard := "discard"
			if s.memory.Shared {
				discard = "punch"
			}
			read := s.begin("read 0 1")
			time.Sleep(20 * time.Millisecond)
			discarded := s.begin("%s 0 1", discard)
			time.Sleep(20 * time.Millisecond)
			var once sync.Once
			s.hooks.alone = alone
			s.hooks.decided = func(userfaultfd.Range) {
				once.Do(func() { time.Sleep(100 * time.Millisecond) }) // it goes on, and discards
			}
			cfg := Config{Regions: s.region(pattern{})}
			if lends {
				cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
			}
			s.serve(cfg)
			if got := s.result(discarded, "discard"); got != "ok" {
				t.Error(got)
			}
			if got := s.result(read, "read"); got != "zero" {
				t.Errorf("%s: who waited for a page that was discarded meanwhile reads %s", kind, got)
			}
			s.want("zero", "read 0 1")
		}
	}
}

func TestFaultsOfOnePageAreOneRead(t *testing.T) {
	s := startServed(t, "anonymous", 64, allEvents, missing)
	var reads atomic.Int32
	release := make(chan struct{})
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		reads.Add(1)
		<-release
		return pattern{}.ReadAt(p, off)
	})
	p := s.serve(Config{Regions: s.region(source), Readahead: Readahead{16 * s.memory.PageSize, 16 * s.memory.PageSize}})
	var all []<-chan string
	for i := range 16 {
		all = append(all, s.begin("read %d 1", i))
	}
	uffdtest.Eventually(t, "16 faults", func() bool { return p.Stats().Missing == 16 })
	close(release)
	for i, c := range all {
		if got, want := s.result(c, "read"), offsets(i*s.memory.PageSize); got != want {
			t.Errorf("page %d holds %s, want %s", i, got, want)
		}
	}
	if n := reads.Load(); n != 1 {
		t.Errorf("%d reads, want 1", n)
	}
	wantStats(t, p, func(got Stats) bool { return got.Joined == 15 })
}

func TestTheSameFaultManyTimesIsHarmless(t *testing.T) {
	s := startServed(t, "anonymous", 8, allEvents, missing)
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		time.Sleep(time.Millisecond)
		return pattern{}.ReadAt(p, off)
	})
	s.serve(Config{Regions: s.region(source)})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.cmd.Process.Signal(unix.SIGURG) // is ignored, and makes threads fault again
				s.file.Wake(s.memory.Range)
			}
		}
	})
	for i := range 8 {
		s.want(offsets(i*s.memory.PageSize), "read %d 1", i)
	}
	close(stop)
	wg.Wait()
}

// The kernel installs into one mapping at a time.
func TestReadaheadOverSeveralMappings(t *testing.T) {
	s := startServed(t, "anonymous", 16, allEvents, missing)
	s.want("ok", "protect 4 2")
	unmapped := s.begin("unmap 10 1")
	size := s.memory.PageSize
	s.serve(Config{Regions: s.region(newLending(int(s.memory.Range.Len))), Readahead: Readahead{16 * size, 16 * size}})
	s.result(unmapped, "unmap")
	s.want(offsets(3*size), "read 3 1")
	s.want(offsets(5*size, 6*size), "read 5 2")
	s.want(offsets(11*size, 12*size), "read 11 2")
}

func TestReadaheadIsInstalledOnce(t *testing.T) {
	size := os.Getpagesize()
	for _, test := range []struct {
		name   string
		ahead  Readahead
		faults uint64
	}{
		{"none", Readahead{}, 64},
		{"fixed", Readahead{16 * size, 16 * size}, 4},
		{"adaptive", Readahead{size, 64 * size}, 7},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServed(t, "anonymous", 64, allEvents, missing)
			p := s.serve(Config{Regions: s.region(newLending(int(s.memory.Range.Len))), Readahead: test.ahead})
			var want []int
			for i := range 64 {
				want = append(want, i*size)
			}
			s.want(offsets(want...), "read 0 64")
			wantStats(t, p, func(got Stats) bool { return got.Missing == test.faults && got.Copied == uint64(64*size) })
		})
	}
}

// A page outside all regions leaves the page cache between its fault and the
// install: who waits is to find it missing.
func TestAMinorFaultOutsideWhosePageIsGone(t *testing.T) {
	s := startServed(t, "shmem", 8, allEvents|userfaultfd.FeatureMinorShmem, missing|userfaultfd.RegisterMinor)
	size := s.memory.PageSize
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/%d", s.cmd.Process.Pid, s.memfd), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteAt([]byte{1}, int64(5*size)); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	s.hooks.decided = func(userfaultfd.Range) {
		once.Do(func() {
			if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(5*size), int64(size)); err != nil {
				t.Error(err)
			}
		})
	}
	regions := s.region(nil)
	regions[0].Range.Len = uint64(4 * size)
	s.serve(Config{Regions: regions, ZeroOutside: true})
	s.want("zero", "read 5 1")
}
