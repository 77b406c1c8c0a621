package pager

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

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
