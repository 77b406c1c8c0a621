package pager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

func TestPopulateBringsEverythingIn(t *testing.T) {
	eachKind(t, 32, func(t *testing.T, s *served, regions []Region) {
		p := s.serve(Config{Regions: regions})
		size := s.memory.PageSize
		s.want(offsets(5*size), "read 5 1")
		if err := p.Populate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := p.Pages(); len(got) != 1 || got[0].State != Installed {
			t.Errorf("the pages are %+v", got)
		}
		if got := p.Progress(); got.Done != got.Total || got.Total != s.memory.Range.Len {
			t.Errorf("the progress is %+v", got)
		}
		var want []int
		for i := range 32 {
			want = append(want, i*size)
		}
		s.want(offsets(want...), "read 0 32")
		if n := p.Stats().Missing; n != 1 {
			t.Errorf("%d faults, want 1", n)
		}
	})
}

func TestPopulateLeavesWhatCannotBeHad(t *testing.T) {
	needPoison(t)
	s := startServed(t, "anonymous", 32, allEvents, missing)
	size := s.memory.PageSize
	sad := errors.New("the disk is sad")
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		if off <= int64(7*size) && int64(7*size) < off+int64(len(p)) {
			return 0, sad
		}
		return pattern{}.ReadAt(p, off)
	})
	p := s.serve(Config{Regions: s.region(source), Retry: Retry{Backoff: time.Microsecond}})
	if err := p.Populate(t.Context()); !errors.Is(err, sad) {
		t.Errorf("Populate: %v, want %v", err, sad)
	}
	if got := p.Progress(); got.Done != got.Total-uint64(size) {
		t.Errorf("the progress is %+v", got)
	}
	s.want(offsets(6*size)+" sigbus "+offsets(8*size), "read 6 3")
}

// Memory may be short: nobody has asked for the pages, and none is given up.
func TestPopulateLeavesWhatCannotBeInstalled(t *testing.T) {
	for _, lends := range []bool{true, false} {
		t.Run(fmt.Sprintf("lent %v", lends), func(t *testing.T) {
			s := startServed(t, "anonymous", 8, allEvents, missing)
			var short atomic.Bool
			short.Store(true)
			var refused atomic.Int32
			s.hooks.refuse = func(o operation, r userfaultfd.Range) error {
				if short.Load() {
					refused.Add(1)
					return &userfaultfd.Error{Op: "UFFDIO_COPY", Range: r, Err: unix.ENOMEM}
				}
				return nil
			}
			cfg := Config{Regions: s.region(pattern{}), Retry: Retry{Backoff: time.Millisecond}}
			if lends {
				cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
			}
			p := s.serve(cfg)
			if err := p.Populate(t.Context()); !errors.Is(err, unix.ENOMEM) {
				t.Errorf("Populate: %v, want ENOMEM", err)
			}
			if got := p.Pages(); len(got) != 1 || got[0].State != Untouched {
				t.Errorf("the pages are %+v", got)
			}
			if n := refused.Load(); n > 2 {
				t.Errorf("%d installs were tried of one piece, want one each time that it is gone through", n)
			}
			short.Store(false)
			if err := p.Populate(t.Context()); err != nil {
				t.Error(err)
			}
			s.want(offsets(0), "read 0 1")
			s.want(offsets(7*s.memory.PageSize), "read 7 1")
		})
	}
}

// contextSource is read until the context is done.
type contextSource struct {
	pattern
	reading chan struct{}
}

func (c contextSource) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	c.reading <- struct{}{}
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestPopulatingEndsWithItsContext(t *testing.T) {
	reading := make(chan struct{}, 64)
	sad := sourceFunc(func([]byte, int64) (int, error) {
		reading <- struct{}{}
		return 0, errors.New("the disk is sad")
	})
	for _, test := range []struct {
		name   string
		source io.ReaderAt
	}{
		{"in a read", contextSource{reading: reading}},
		{"between two reads", &sad},
	} {
		for name, populate := range map[string]func(*Pager, context.Context) error{
			"Populate": (*Pager).Populate,
			"Detach":   (*Pager).Detach,
			"Replay": func(p *Pager, ctx context.Context) error {
				_, err := p.Replay(ctx, Replay{Source: p.cfg.Regions[0].Source, Trace: &Trace{Extents: []Extent{{0, 1, 0, 1}}}})
				return err
			},
		} {
			t.Run(name+" "+test.name, func(t *testing.T) {
				s := startServed(t, "anonymous", 1, allEvents, missing)
				p := s.serve(Config{Regions: s.region(test.source), Retry: Retry{Backoff: time.Hour}})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				populated := make(chan error, 1)
				go func() { populated <- populate(p, ctx) }()
				<-reading
				cancel()
				select {
				case err := <-populated:
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
				case <-time.After(deadline):
					t.Error("it does not return")
				}
				if p.isStopping() {
					t.Error("the pager has ended")
				}
			})
		}
	}
}

// What populates may wait long before it asks a source that fails again, and faults do not
// wait with it.
func TestAFaultAsksAFailingSourceAtOnce(t *testing.T) {
	s := startServed(t, "anonymous", 1, allEvents, missing)
	failed := make(chan struct{})
	var reads atomic.Int32
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		if reads.Add(1) == 1 {
			close(failed)
			return 0, errors.New("the disk is sad")
		}
		return pattern{}.ReadAt(p, off)
	})
	p := s.serve(Config{Regions: s.region(source), Retry: Retry{Backoff: time.Hour}})
	ctx, cancel := context.WithCancel(t.Context())
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(ctx) }()
	<-failed
	s.want("0", "read 0 1")
	cancel()
	<-populated
}

// While an event waits to be read nothing can be installed, and nobody reads it before
// Serve does.
func TestPopulatingBeforeServeEndsWithItsContext(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	p, err := New(s.file, Config{NoPoison: LeaveWaiting, Regions: s.region(pattern{})})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s.begin("discard 0 1")
	uffdtest.Eventually(t, "the event", p.owesEvents)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(ctx) }()
	select {
	case err := <-populated:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(deadline):
		t.Fatal("it does not return")
	}
}

// What was read is installed in short parts too while there are faults, each of which
// waits for one of them.
func TestWhatWasReadIsInstalledInShortParts(t *testing.T) {
	const pages = 1024
	s := startServed(t, "anonymous", pages, allEvents, missing)
	size := s.memory.PageSize
	var longest atomic.Uint64
	first := userfaultfd.Range{Start: s.memory.Range.Start, Len: pieceSize}
	s.hooks.decided = func(r userfaultfd.Range) {
		if first.Contains(r.Start) {
			longest.Store(max(longest.Load(), r.Len))
		}
	}
	faulted := false
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		if len(p) > size && !faulted {
			faulted = true
			s.want(offsets((pages-1)*size), "read %d 1", pages-1)
		}
		return pattern{}.ReadAt(p, off)
	})
	p := s.serve(Config{Regions: s.region(source), Workers: 1})
	if err := p.Populate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := longest.Load(); n > politeSize {
		t.Errorf("%d bytes were installed at once, want %d at most", n, politeSize)
	}
}

func TestDetachLeavesAProcessThatNeedsNoPager(t *testing.T) {
	needPoison(t)
	eachKind(t, 16, func(t *testing.T, s *served, regions []Region) {
		size := s.memory.PageSize
		source := regions[0].Source
		regions[0].Source = sourceFunc(func(p []byte, off int64) (int, error) {
			if off <= int64(7*size) && int64(7*size) < off+int64(len(p)) {
				return 0, errors.New("the disk is sad")
			}
			return source.ReadAt(p, off)
		})
		p, stop := s.serveUntil(Config{Regions: regions, Retry: Retry{Backoff: time.Microsecond}})
		if s.memory.Shared {
			s.want("ok", "punch 1 2")
		} else {
			s.want("ok", "discard 1 2")
		}
		if err := p.Detach(t.Context()); err == nil {
			t.Error("Detach says nothing of the page that could not be had")
		}
		if err := p.Populate(t.Context()); err != nil {
			t.Errorf("there is nothing to populate, and Populate says: %v", err)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		s.want(offsets(0)+" zero zero "+offsets(3*size, 4*size, 5*size, 6*size)+" sigbus "+offsets(8*size), "read 0 9")
		s.want("ok", "discard 9 1") // waits for nobody
	})
}

// A fault goes first, though all workers are populating.
func TestFaultsGoBeforePopulating(t *testing.T) {
	s := startServed(t, "anonymous", 4096, allEvents, missing)
	size := s.memory.PageSize
	var slow atomic.Int32
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		if len(p) > size {
			slow.Add(1)
			time.Sleep(100 * time.Millisecond)
		}
		return pattern{}.ReadAt(p, off)
	})
	p := s.serve(Config{Regions: s.region(source), Workers: 1})
	ctx, cancel := context.WithCancel(t.Context())
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(ctx) }()
	uffdtest.Eventually(t, "the first piece", func() bool { return slow.Load() > 0 })
	before := slow.Load()
	s.want(offsets(4000*size), "read 4000 1")
	if n := slow.Load(); n > before+1 {
		t.Errorf("the fault waited for %d pieces", n-before)
	}
	cancel()
	if err := <-populated; !errors.Is(err, context.Canceled) {
		t.Errorf("Populate: %v", err)
	}
}

func TestPopulateWhileMemoryMoves(t *testing.T) {
	s := startServed(t, "anonymous", 512, allEvents, missing)
	size := s.memory.PageSize
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		time.Sleep(time.Millisecond)
		return pattern{}.ReadAt(p, off)
	})
	p := s.serve(Config{Regions: s.region(source), Workers: 2})
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(t.Context()) }()
	for i := range 30 {
		s.want("ok", "move %d 8", i*17)
		s.want("ok", "discard %d 1", i*17+3)
	}
	if err := <-populated; err != nil {
		t.Error(err)
	}
	for i := range 30 {
		s.want(offsets(i*17*size), "read %d 1", i*17)
	}
}

// A page that a fault has asked for is that fault's to bring in, and to fail with.
func TestDetachWaitsForFaults(t *testing.T) {
	s := startServed(t, "anonymous", 64, allEvents, missing)
	last := 63 * s.memory.PageSize
	reading, release := make(chan struct{}), make(chan struct{})
	p := s.serve(Config{Regions: s.region(sourceFunc(func(b []byte, off int64) (int, error) {
		if off == int64(last) {
			close(reading)
			<-release
		}
		return pattern{}.ReadAt(b, off)
	}))})
	read := s.begin("read 63 1")
	<-reading
	detached := make(chan error, 1)
	go func() { detached <- p.Detach(context.Background()) }()
	select {
	case err := <-detached:
		t.Errorf("Detach has not waited: %v", err)
		detached <- err
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-detached; err != nil {
		t.Error(err)
	}
	if got := s.result(read, "read"); got != offsets(last) {
		t.Errorf("the page holds %s", got)
	}
}

// Of memory that is unmapped, without an event that tells, nothing can be brought in.
func TestPopulateEndsWhereMemoryIsUnmapped(t *testing.T) {
	for _, lends := range []bool{true, false} {
		s := startServed(t, "anonymous", 4, userfaultfd.FeaturePoison, missing)
		s.want("ok", "unmap 1 1")
		cfg := Config{Regions: s.region(pattern{})}
		if lends {
			cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
		}
		p := s.serve(cfg)
		ctx, cancel := context.WithTimeout(t.Context(), deadline/10)
		defer cancel()
		if err := p.Populate(ctx); err != nil {
			t.Errorf("Populate: %v", err)
		}
		// Without UFFDIO_POISON nothing tells that the page is not owed.
		var want error
		if s.file.Features()&userfaultfd.FeaturePoison == 0 {
			want = ErrOwed
		}
		if err := p.Detach(ctx); !errors.Is(err, want) {
			t.Errorf("Detach: %v, want %v", err, want)
		}
	}
}
