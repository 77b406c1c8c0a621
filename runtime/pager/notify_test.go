package pager

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

// stuckHandler is a slog.Handler whose disk has hung.
type stuckHandler struct {
	slog.Handler
	release chan struct{}
}

func (h stuckHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h stuckHandler) Handle(context.Context, slog.Record) error {
	<-h.release
	return nil
}

func TestASlowCallbackDelaysNoFault(t *testing.T) {
	needPoison(t)
	s := startServed(t, "anonymous", 4096, allEvents, missing)
	size := s.memory.PageSize
	release := make(chan struct{})
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		if off < int64(2000*size) {
			return 0, errors.New("the disk is sad")
		}
		return pattern{}.ReadAt(p, off)
	})
	told := 0
	p, stop := s.serveUntil(Config{
		Regions: s.region(source), Retry: Retry{Times: 1},
		Logger: slog.New(stuckHandler{nil, release}),
		Events: func(Event) {
			<-release
			told++
		},
	})
	s.want("sigbus", "read 0 1")
	s.do("read 0 2000") // more than there is room for
	s.want(offsets(2000*size, 2001*size), "read 2000 2")
	uffdtest.Eventually(t, "events to be lost", func() bool { return p.Stats().EventsLost > 0 })
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	time.Sleep(10 * time.Millisecond)
	close(release)
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	if n := p.Stats().EventsLost; told+int(n) < 2000 {
		t.Errorf("%d events were told, and %d lost, of 2000", told, n)
	}
}

// A process and its child discard at once.
func TestEventsSayWhoseTheyAre(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	var calls atomic.Int32
	var mu sync.Mutex
	told := make(map[*Pager][]userfaultfd.Range)
	children := make(chan *Pager, 1)
	p := s.serve(Config{
		Regions: s.region(pattern{}),
		Forked:  func(c *Pager) { children <- c },
		Events: func(e Event) {
			if calls.Add(1) != 1 {
				t.Error("Events is called twice at once")
			}
			time.Sleep(20 * time.Millisecond)
			if e.Kind == EventRemove {
				mu.Lock()
				told[e.Pager] = append(told[e.Pager], e.Range)
				mu.Unlock()
			}
			calls.Add(-1)
		},
	})
	child := s.begin("linger discard 1 1")
	c := <-children
	s.want("ok", "discard 2 1")
	s.want("ok", "discard 3 1")
	if got := s.result(child, "the child"); got != "ok" {
		t.Error(got)
	}
	page := func(i uint64) userfaultfd.Range {
		return userfaultfd.Range{Start: s.memory.Range.Start + i*uint64(s.memory.PageSize), Len: uint64(s.memory.PageSize)}
	}
	uffdtest.Eventually(t, "the events of both", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(told[p], []userfaultfd.Range{page(2), page(3)}) && slices.Equal(told[c], []userfaultfd.Range{page(1)}) && len(told) == 2
	})
}
