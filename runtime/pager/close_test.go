package pager

import (
	"context"
	"errors"
	"testing"

	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

func TestNothingIsLeftOfAPagerThatNeverServed(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	f := tempFile(t, 4)
	closed := func() *Pager {
		p, err := New(s.file, Config{Regions: s.region(f), Process: s.pidfd, NoPoison: LeaveWaiting, Events: func(Event) {}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	p := closed()
	before := uffdtest.CountResources(t)
	for range 100 {
		closed()
	}
	before.WantNoMore(t, uffdtest.Resources{"": 10})
	if err := p.Serve(t.Context()); err == nil {
		t.Error("a pager that was closed serves")
	}
	if err := p.Populate(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("Populate: %v", err)
	}
	if err := p.Detach(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("Detach: %v", err)
	}
	if s.file = p.File(); s.file == nil {
		t.Fatal("File is nil")
	}
	// The userfaultfd can be served yet.
	s.serve(Config{Regions: s.region(f)})
	s.want("0", "read 0 1")
}

func TestClosingWhatServes(t *testing.T) {
	s := startServed(t, "anonymous", 2, allEvents, missing)
	p, stop := s.serveUntil(Config{Regions: s.region(pattern{})})
	s.want("0", "read 0 1")
	if err := p.Close(); !errors.Is(err, errServing) {
		t.Errorf("Close: %v", err)
	}
	s.want(offsets(s.memory.PageSize), "read 1 1")
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	uffdtest.Eventually(t, "the end", p.hasEnded)
	if err := p.Close(); err != nil {
		t.Errorf("Close after Serve: %v", err)
	}
}

func TestClosingEndsWhoPopulates(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	source := newHeldSource(t)
	p, err := New(s.file, Config{Regions: s.region(source), NoPoison: LeaveWaiting})
	if err != nil {
		t.Fatal(err)
	}
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(context.Background()) }()
	<-source.reading
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	uffdtest.Eventually(t, "the pager to stop", p.isStopping)
	source.release()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-populated; !errors.Is(err, errClosed) {
		t.Errorf("Populate: %v", err)
	}
}

// Detach says that the process needs no pager any more, or fails.
func TestClosingWhatDetaches(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	p, err := New(s.file, Config{Regions: s.region(pattern{}), NoPoison: LeaveWaiting})
	if err != nil {
		t.Fatal(err)
	}
	detached := make(chan error, 1)
	go func() { detached <- p.Detach(t.Context()) }()
	uffdtest.Eventually(t, "the pager to stop", p.isStopping)
	if err := p.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-detached; err == nil {
		t.Error("Detach says nothing of memory that was not let go")
	}
}
