package pager

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

// A heldSource is read, and the reads wait.
type heldSource struct {
	pattern
	reading chan struct{}
	release func()
	held    chan struct{}
}

func newHeldSource(t *testing.T) *heldSource {
	h := &heldSource{reading: make(chan struct{}, 64), held: make(chan struct{})}
	h.release = sync.OnceFunc(func() { close(h.held) })
	t.Cleanup(h.release)
	return h
}

func (h *heldSource) ReadAt(p []byte, off int64) (int, error) {
	h.reading <- struct{}{}
	<-h.held
	return h.pattern.ReadAt(p, off)
}

// What was handed over is the successor's, and nobody else's to install in.
func TestHandingOverWaitsForWhoPopulates(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	source := newHeldSource(t)
	p, stop := s.serveUntil(Config{OnStop: HandOver, Regions: s.region(source), Forked: func(*Pager) {}})
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(context.Background()) }()
	<-source.reading
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case <-stopped:
		t.Error("Serve has returned while Populate goes on")
		stopped <- nil
	case <-time.After(50 * time.Millisecond):
	}
	source.release()
	<-stopped
	if err := <-populated; !errors.Is(err, context.Canceled) {
		t.Errorf("Populate: %v", err)
	}
	if err := p.Populate(context.Background()); !errors.Is(err, context.Canceled) {
		t.Errorf("Populate after the end: %v", err)
	}
	if s.file = p.File(); s.file == nil {
		t.Fatal("File is nil")
	}
	s.serve(Config{Regions: s.region(pattern{}), Resume: p.Pages()})
	s.want("0", "read 0 1")
}

func TestPopulatingAProcessThatEnds(t *testing.T) {
	s := startServed(t, "anonymous", 64, allEvents, missing)
	source := newHeldSource(t)
	p := s.serve(Config{Regions: s.region(source), Process: s.pidfd})
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(context.Background()) }()
	<-source.reading
	s.cmd.Process.Kill()
	uffdtest.Eventually(t, "the pager to stop", p.isStopping)
	time.Sleep(20 * time.Millisecond)
	source.release()
	if err := <-populated; err != nil {
		t.Errorf("Populate: %v", err)
	}
	if _, err := p.Replay(context.Background(), Replay{Trace: new(Trace), Source: source}); err != nil {
		t.Errorf("Replay after the end: %v", err)
	}
}

// Who asks for the end may lose its processor in the middle of that.
func TestAnEndThatIsAskedForSlowly(t *testing.T) {
	s := startServed(t, "anonymous", 2, allEvents, missing)
	asked, cancelled := make(chan struct{}), make(chan struct{})
	s.hooks.stopping = func() {
		close(asked)
		<-cancelled
	}
	p, stop := s.serveUntil(Config{Regions: s.region(pattern{})})
	s.want("0", "read 0 1")
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	<-asked
	read := s.begin("read 1 1") // has the reader see that it is to end
	time.Sleep(20 * time.Millisecond)
	if p.hasEnded() {
		t.Error("the pager has ended while it is told to")
	}
	close(cancelled)
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	if got := s.result(read, "read"); got != offsets(s.memory.PageSize) {
		t.Errorf("the page holds %s", got)
	}
}
