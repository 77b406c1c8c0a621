package pager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// A page that cannot be had is poisoned, and it alone.
func TestAPageThatCannotBeHadIsPoisoned(t *testing.T) {
	needPoison(t)
	sad := errors.New("the disk is sad")
	for _, test := range []struct {
		name string
		read func(p []byte, off int64) (int, error)
	}{
		{"because the source fails", func([]byte, int64) (int, error) { return 0, sad }},
		{"because it says less than it was asked for", func(p []byte, off int64) (int, error) { return len(p) - 8, nil }},
		{"because it ends early", func(p []byte, off int64) (int, error) { return len(p) / 2, io.EOF }},
		{"because it says more than it was asked for", func(p []byte, off int64) (int, error) { return len(p) + 1, nil }},
		{"because it says less than nothing", func(p []byte, off int64) (int, error) { return -1, nil }},
		{"because it panics", func(p []byte, off int64) (int, error) { panic("a panic that a test wants") }},
	} {
		for _, pages := range []int{1, 8} {
			t.Run(fmt.Sprintf("%s, read-ahead %d", test.name, pages), func(t *testing.T) {
				s := startServed(t, "anonymous", 8, allEvents, missing)
				size := s.memory.PageSize
				var tries atomic.Int32
				source := sourceFunc(func(p []byte, off int64) (int, error) {
					if off <= int64(3*size) && int64(3*size) < off+int64(len(p)) {
						if off == int64(3*size) {
							tries.Add(1)
						}
						return test.read(p, off)
					}
					return pattern{}.ReadAt(p, off)
				})
				var mu sync.Mutex
				var failed []Event
				p := s.serve(Config{
					Regions: s.region(source), Retry: Retry{Times: 4, Backoff: time.Microsecond},
					Readahead: Readahead{pages * size, pages * size},
					Events: func(e Event) {
						mu.Lock()
						defer mu.Unlock()
						failed = append(failed, e)
					},
				})
				s.want("sigbus", "read 3 1")
				s.want(offsets(0, size, 2*size), "read 0 3")
				s.want(offsets(4*size, 5*size, 6*size, 7*size), "read 4 4")
				s.want("sigbus", "read 3 1")
				if want := int32(4 - min(pages-1, 1)); tries.Load() < want {
					t.Errorf("the page was tried %d times, want %d at least", tries.Load(), want)
				}
				uffdtest.Eventually(t, "one page's poison", func() bool { return p.Stats().Poisoned == uint64(size) })
				uffdtest.Eventually(t, "the event", func() bool {
					mu.Lock()
					defer mu.Unlock()
					return len(failed) == 1 && failed[0].Kind == EventFailed && failed[0].Err != nil &&
						failed[0].Range == userfaultfd.Range{Start: s.memory.Range.Start + uint64(3*size), Len: uint64(size)}
				})
				// Discarding takes the poison away.
				s.want("ok", "discard 3 1")
				s.want("zero", "read 3 1")
			})
		}
	}
}

func TestASourceThatFailsForAWhileIsAskedAgain(t *testing.T) {
	s := startServed(t, "anonymous", 2, allEvents, missing)
	var reads atomic.Int32
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		if reads.Add(1) <= 2 {
			return 0, io.ErrClosedPipe
		}
		return pattern{}.ReadAt(p, off)
	})
	p := s.serve(Config{Regions: s.region(source)})
	s.want("0", "read 0 1")
	wantStats(t, p, func(got Stats) bool { return reads.Load() == 3 && got.Failures == 2 && got.Poisoned == 0 })
}

// A page that fails may be tried for minutes, and others have to be served meanwhile.
func TestASourceThatFailsLeavesItsWorkerToOthers(t *testing.T) {
	needPoison(t)
	s := startServed(t, "anonymous", 2, allEvents, missing)
	size := s.memory.PageSize
	failed, now := make(chan struct{}, 8), make(chan struct{})
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		if off == 0 {
			failed <- struct{}{}
			return 0, errors.New("the disk is sad")
		}
		close(now)
		return pattern{}.ReadAt(p, off)
	})
	p, stop := s.serveUntil(Config{Regions: s.region(source), Workers: 1, Retry: Retry{Backoff: time.Hour}})
	read := s.begin("read 0 1")
	<-failed
	s.want(offsets(size), "read 1 1")
	<-now
	if got := p.Pages()[0].State; got != Untouched {
		t.Errorf("the page that fails is %v", got)
	}
	// It is owed when the pager stops, and an hour is not waited for.
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	if got := s.result(read, "read"); got != "sigbus" {
		t.Errorf("the page holds %s", got)
	}
}

// mapped is a source of mapped memory, which it copies, and lends.
type mapped struct {
	bytes []byte
	first *atomic.Uint32 // its sum, which a lender looks at
}

func (m mapped) ReadAt(p []byte, off int64) (int, error) { return copy(p, m.bytes[off:]), nil }

// A mappedLender looks at what it lends.
type mappedLender struct{ mapped }

func (m mappedLender) Lend(off int64, n int) []byte {
	b := m.bytes[off:min(off+int64(n), int64(len(m.bytes)))]
	m.first.Store(uint32(b[0]))
	return b
}

// Who reads memory that a file is mapped to gets SIGBUS where the file ends, or the disk
// fails, and that ends a program which has no other handler.
func TestASourceWhoseMemoryCannotBeRead(t *testing.T) {
	needPoison(t)
	for name, of := range map[string]func(mapped) io.ReaderAt{
		"which is read": func(m mapped) io.ReaderAt { return m },
		"which is lent": func(m mapped) io.ReaderAt { return mappedLender{m} },
	} {
		t.Run(name, func(t *testing.T) {
			f := tempFile(t, 4)
			size := os.Getpagesize()
			b, err := unix.Mmap(int(f.Fd()), 0, 4*size, unix.PROT_READ, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Munmap(b) })
			s := startServed(t, "anonymous", 4, allEvents, missing)
			p := s.serve(Config{Regions: s.region(of(mapped{b, new(atomic.Uint32)})), Retry: Retry{Backoff: time.Microsecond}})
			s.want("0", "read 0 1")
			if err := f.Truncate(int64(2 * size)); err != nil {
				t.Fatal(err)
			}
			s.want("sigbus", "read 2 1")
			if err := p.Populate(t.Context()); err == nil {
				t.Error("Populate says nothing of what cannot be read")
			}
			s.want(offsets(0, size)+" sigbus sigbus", "read 0 4")
		})
	}
}

// What was lent cannot be read: it is read instead, and that fails too.
func TestAMappedFileThatIsCutShort(t *testing.T) {
	needPoison(t)
	f := tempFile(t, 8)
	s := startServed(t, "anonymous", 8, allEvents, missing)
	size := s.memory.PageSize
	p := s.serve(Config{Regions: s.region(f), Retry: Retry{Backoff: time.Microsecond}})
	s.want("0", "read 0 1")
	if err := f.Truncate(int64(4 * size)); err != nil {
		t.Fatal(err)
	}
	s.want(offsets(3*size)+" sigbus", "read 3 2")
	uffdtest.Eventually(t, "a page's poison", func() bool { return p.Stats().Poisoned == uint64(size) })
}

// UFFDIO_COPY of a huge page says EEXIST when the pool is empty.
func TestAnEmptyPoolOfHugePages(t *testing.T) {
	for _, test := range []struct {
		name    string
		refused int32
		want    string
	}{
		{"for a moment", 2, "content"},
		{"for good", 1 << 30, "sigbus"},
	} {
		for _, lends := range []bool{true, false} {
			t.Run(test.name, func(t *testing.T) {
				if test.want == "sigbus" {
					needPoison(t)
				}
				needHugePages(t, 4)
				s := startServed(t, "hugetlb", 2, allEvents, missing)
				var refused atomic.Int32
				s.hooks.refuse = func(o operation, r userfaultfd.Range) error {
					if o == opCopy && refused.Add(1) <= test.refused {
						return &userfaultfd.Error{Op: "UFFDIO_COPY", Range: r, Err: unix.EEXIST}
					}
					return nil
				}
				cfg := Config{Regions: s.region(pattern{}), Retry: Retry{Backoff: time.Microsecond}}
				if lends {
					cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
				}
				s.serve(cfg)
				want := test.want
				if want == "content" {
					want = offsets(s.memory.PageSize)
				}
				s.want(want, "read 1 1")
			})
		}
	}
}

// The kernel says that the pages are there, and only poisoning them finds out.
func TestDetachTellsOfAnEmptyPoolOfHugePages(t *testing.T) {
	needPoison(t)
	needHugePages(t, 4)
	s := startServed(t, "hugetlb", 2, allEvents, missing)
	s.hooks.refuse = func(o operation, r userfaultfd.Range) error {
		if o == opCopy && r.Start != s.memory.Range.Start {
			return &userfaultfd.Error{Op: "UFFDIO_COPY", Range: r, Err: unix.EEXIST}
		}
		return nil
	}
	p := s.serve(Config{Regions: s.region(pattern{})})
	if err := p.Detach(t.Context()); err == nil {
		t.Error("Detach says nothing of the page that it has poisoned")
	}
	s.want("0 sigbus", "read 0 2")
}

// A pager was there before that told nobody: EEXIST is the truth then.
func TestHugePagesThatAreThere(t *testing.T) {
	for _, lends := range []bool{true, false} {
		uffdtest.MoreHugePages(t, 8)
		s := startServed(t, "hugetlb", 4, allEvents, missing)
		size := s.memory.PageSize
		page := make([]byte, size)
		pattern{}.ReadAt(page, 0)
		if _, err := s.file.Copy(s.memory.Range.Start, page, 0); err != nil {
			t.Fatal(err)
		}
		cfg := Config{Regions: s.region(pattern{}), Retry: Retry{Backoff: time.Millisecond}}
		if lends {
			cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
		}
		p := s.serve(cfg)
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		if err := p.Populate(ctx); err != nil {
			t.Errorf("Populate: %v", err)
		}
		for _, run := range p.Pages() {
			if run.State == Poisoned {
				t.Errorf("%v is said to be poisoned", run.Range)
			}
		}
		s.want(offsets(0, size, 2*size, 3*size), "read 0 4")
	}
}

// Memory may be short for a moment: that is no reason to poison, at once or a page
// that could be had.
func TestAnInstallThatFailsForAWhile(t *testing.T) {
	for _, lends := range []bool{true, false} {
		s := startServed(t, "anonymous", 2, allEvents, missing)
		var first atomic.Int64
		s.hooks.refuse = func(o operation, r userfaultfd.Range) error {
			now := time.Now().UnixNano()
			first.CompareAndSwap(0, now)
			if o == opCopy && now-first.Load() < int64(20*time.Millisecond) {
				return &userfaultfd.Error{Op: "UFFDIO_COPY", Range: r, Err: unix.ENOMEM}
			}
			return nil
		}
		cfg := Config{Regions: s.region(pattern{}), Retry: Retry{Backoff: 20 * time.Millisecond}}
		if lends {
			cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
		}
		s.serve(cfg)
		s.want("0", "read 0 1")
	}
}

func TestAnInstallThatFailsForAnotherPage(t *testing.T) {
	needPoison(t)
	for _, lends := range []bool{true, false} {
		s := startServed(t, "anonymous", 4, allEvents, missing)
		size := s.memory.PageSize
		s.hooks.refuse = func(o operation, r userfaultfd.Range) error {
			if o == opCopy && r.Contains(s.memory.Range.Start+uint64(size)) {
				return &userfaultfd.Error{Op: "UFFDIO_COPY", Range: r, Err: unix.ENOMEM}
			}
			return nil
		}
		cfg := Config{Regions: s.region(pattern{}), Readahead: Readahead{4 * size, 4 * size}, Retry: Retry{Backoff: time.Millisecond}}
		if lends {
			cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
		}
		s.serve(cfg)
		s.want(offsets(2*size, 3*size), "read 2 2")
		s.want(offsets(0)+" sigbus", "read 0 2")
	}
}

func TestNewWantsToKnowWhatIsDoneWithoutPoison(t *testing.T) {
	s := startServed(t, "anonymous", 1, allEvents&^userfaultfd.FeaturePoison, missing)
	_, err := New(s.file, Config{Regions: s.region(pattern{})})
	if err == nil || !strings.Contains(err.Error(), "NoPoison") {
		t.Errorf("New: %v", err)
	}
	if _, err = New(s.file, Config{Regions: s.region(pattern{}), NoPoison: KillProcess}); err == nil || !strings.Contains(err.Error(), "Process") {
		t.Errorf("New: %v", err)
	}
	// A child cannot be killed.
	if _, err = New(s.file, Config{Regions: s.region(pattern{}), NoPoison: KillProcess, Process: s.pidfd}); err == nil || !strings.Contains(err.Error(), "fork") {
		t.Errorf("New: %v", err)
	}
}

// noChildren are the features with which a process can be killed for what is owed.
const noChildren = allEvents &^ userfaultfd.FeaturePoison &^ userfaultfd.FeatureEventFork

func TestWithoutPoisonTheProcessIsKilled(t *testing.T) {
	s := startServed(t, "anonymous", 1, noChildren, missing)
	p, stop := s.serveUntil(Config{
		Regions: s.region(sourceFunc(func(p []byte, off int64) (int, error) { return 0, io.ErrNoProgress })),
		Retry:   Retry{Backoff: time.Microsecond}, NoPoison: KillProcess, Process: s.pidfd,
	})
	s.begin("read 0 1")
	if err := s.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the process ended with %v, want it killed", err)
	}
	uffdtest.Eventually(t, "the end of Serve", p.hasEnded)
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// Who is killed may have shared its memory, and that is still owed.
func TestWithoutPoisonAProcessIsKilledWhoseMemoryLivesOn(t *testing.T) {
	s := startServed(t, "anonymous", 2, noChildren, missing)
	s.hooks.killTime = 500 * time.Millisecond
	p, stop := s.serveUntil(Config{
		Regions: s.region(sourceFunc(func(p []byte, off int64) (int, error) { return 0, io.ErrNoProgress })),
		Retry:   Retry{Backoff: time.Microsecond}, NoPoison: KillProcess, Process: s.pidfd,
	})
	share := s.begin("share 1") // reads it when its parent has ended
	time.Sleep(50 * time.Millisecond)
	s.begin("read 0 1")
	if err := s.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the process ended with %v, want it killed", err)
	}
	if err := stop(); !errors.Is(err, ErrOwed) {
		t.Errorf("Serve: %v, want ErrOwed", err)
	}
	f := p.File()
	if f == nil {
		t.Fatal("File is nil: whoever has the memory finds zeros")
	}
	page := make([]byte, s.memory.PageSize)
	pattern{}.ReadAt(page, int64(s.memory.PageSize))
	if _, err := f.Copy(s.memory.Range.Start+uint64(s.memory.PageSize), page, 0); err != nil {
		t.Error(err)
	}
	if got := s.result(share, "share"); got != "1" {
		t.Error("the page that is left reads as zeros")
	}
}

func TestWithoutPoisonThreadsAreLeftWaiting(t *testing.T) {
	s := startServed(t, "anonymous", 2, allEvents&^userfaultfd.FeaturePoison, missing)
	told := make(chan Event, 16)
	p, stop := s.serveUntil(Config{
		Regions: s.region(sourceFunc(func(p []byte, off int64) (int, error) { return 0, io.ErrNoProgress })),
		Retry:   Retry{Backoff: time.Microsecond}, NoPoison: LeaveWaiting, Events: func(e Event) { told <- e },
	})
	read := s.begin("read 0 1")
	select {
	case e := <-told:
		if e.Kind != EventFailed || !errors.Is(e.Err, io.ErrNoProgress) {
			t.Errorf("told of %v: %v", e.Kind, e.Err)
		}
	case <-time.After(deadline):
		t.Fatal("nobody was told")
	}
	if err := stop(); !errors.Is(err, ErrOwed) {
		t.Errorf("Serve: %v, want ErrOwed", err)
	}
	select {
	case got := <-read:
		t.Errorf("the thread was let go, with %s", got)
	case <-time.After(50 * time.Millisecond):
	}
	f := p.File()
	if f == nil {
		t.Fatal("File is nil")
	}
	// Whoever has it can pay yet.
	page := make([]byte, s.memory.PageSize)
	pattern{}.ReadAt(page, 0)
	if _, err := f.Copy(s.memory.Range.Start, page, 0); err != nil {
		t.Error(err)
	}
	if got := s.result(read, "read"); got != "0" {
		t.Errorf("the page holds %s, want 0", got)
	}
}

func TestBackoff(t *testing.T) {
	r := Retry{Times: 1000, Backoff: 10 * time.Millisecond}
	for failures, want := range map[int]time.Duration{
		1: 10 * time.Millisecond, 2: 20 * time.Millisecond, 5: 160 * time.Millisecond,
		20: time.Minute, 58: time.Minute, 63: time.Minute, 64: time.Minute, 999: time.Minute,
	} {
		if got := r.backoff(failures); got != want {
			t.Errorf("after %d failures it is %v, want %v", failures, got, want)
		}
	}
	if got := (Retry{Backoff: time.Hour}).backoff(1); got != time.Hour {
		t.Errorf("an hour is %v", got)
	}
}
