package pager

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
)

func TestStoppingPoisonsWhatIsOwed(t *testing.T) {
	needPoison(t)
	eachKind(t, 6, func(t *testing.T, s *served, regions []Region) {
		size := s.memory.PageSize
		_, stop := s.serveUntil(Config{Regions: regions})
		s.want(offsets(0, size), "read 0 2")
		if s.memory.Shared {
			s.want("ok", "punch 1 2")
		} else {
			s.want("ok", "discard 1 2")
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		s.want(offsets(0)+" zero zero sigbus sigbus sigbus", "read 0 6")
	})
}

func TestStoppingPoisonsThePageThatSomebodyWaitsFor(t *testing.T) {
	needPoison(t)
	s := startServed(t, "anonymous", 2, allEvents, missing)
	reading, release := make(chan struct{}, 2), make(chan struct{})
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		reading <- struct{}{}
		<-release
		return pattern{}.ReadAt(p, off)
	})
	_, stop := s.serveUntil(Config{Regions: s.region(source)})
	read := s.begin("read 0 1")
	<-reading
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	// It does not wait for the source.
	if got := s.result(read, "read"); got != "sigbus" {
		t.Errorf("the page holds %s, want sigbus", got)
	}
	close(release)
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
}

func TestStoppingHandsOver(t *testing.T) {
	eachKind(t, 6, func(t *testing.T, s *served, regions []Region) {
		size := s.memory.PageSize
		reading, release := make(chan struct{}), make(chan struct{})
		regions[0].Source = sourceFunc(func(p []byte, off int64) (int, error) {
			if off == int64(5*size) {
				close(reading)
				<-release
				return 0, errors.New("too late")
			}
			return pattern{}.ReadAt(p, off)
		})
		p, stop := s.serveUntil(Config{Regions: regions, OnStop: HandOver, Forked: func(*Pager) {}})
		s.want(offsets(0, size), "read 0 2")
		if s.memory.Shared {
			s.want("ok", "punch 1 2")
		} else {
			s.want("ok", "discard 1 2")
		}
		s.want("ok", "move 4 2")
		waits := s.begin("read 5 1")
		<-reading
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		time.Sleep(10 * time.Millisecond)
		close(release)
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		stored, err := json.Marshal(p.Pages())
		if err != nil {
			t.Fatal(err)
		}
		var resume []Run
		if err := json.Unmarshal(stored, &resume); err != nil {
			t.Fatal(err)
		}
		if s.file = p.File(); s.file == nil {
			t.Fatal("File is nil")
		}
		regions[0].Source = pattern{}
		_, stop = s.serveUntil(Config{Regions: regions, Resume: resume})
		if got := s.result(waits, "read"); got != offsets(5*size) {
			t.Errorf("the page that was waited for holds %s", got)
		}
		s.want(offsets(0)+" zero zero "+offsets(3*size, 4*size, 5*size), "read 0 6")
		stop()
	})
}

// Some of the memory is not registered any more, so that before Linux 5.16 all children
// wait for a moment; and there is always one that does.
func TestStoppingWhileTheProcessForks(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	size := s.memory.PageSize
	if err := s.file.Unregister(userfaultfd.Range{Start: s.memory.Range.Start + uint64(3*size), Len: uint64(size)}); err != nil {
		t.Fatal(err)
	}
	s.oldest = true
	_, stop := s.serveUntil(Config{Regions: s.region(pattern{})})
	s.want(offsets(0, size, 2*size), "fork read 0 3")
	s.want(offsets(0, size, 2*size), "read 0 3")
	stopped := make(chan error, 1)
	for i := 0; ; i++ {
		if i == 10 {
			go func() { stopped <- stop() }()
		}
		s.begin("fork none")
		select {
		case err := <-stopped:
			if err == nil || t.Failed() {
				t.Errorf("Serve: %v", err)
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestTheEndOfTheProcessEndsServe(t *testing.T) {
	for _, known := range []bool{true, false} {
		name := "which a pidfd tells"
		if !known {
			name = "which nobody tells"
		}
		t.Run(name, func(t *testing.T) {
			s := startServed(t, "anonymous", 2, allEvents, missing)
			cfg := Config{Regions: s.region(pattern{})}
			if known {
				cfg.Process = s.pidfd
			}
			p, stop := s.serveUntil(cfg)
			s.want("0", "read 0 1")
			if known {
				s.cmd.Process.Kill()
			} else {
				s.begin("exit")
			}
			uffdtest.Eventually(t, "the end of Serve", p.hasEnded)
			if err := stop(); err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

// What is mapped for the pager is unmapped only when nobody populates any more.
func TestStoppingWhileItPopulates(t *testing.T) {
	file := tempFile(t, 4096)
	for range 20 {
		// Each process ends before the next begins: all their memory is more than a guest's.
		t.Run("in its midst", func(t *testing.T) {
			s := startServed(t, "anonymous", 4096, allEvents, missing)
			p, stop := s.serveUntil(Config{Regions: s.region(file)})
			populated := make(chan error, 1)
			go func() { populated <- p.Populate(context.Background()) }()
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("Serve: %v", err)
			}
			<-populated
			if err := p.Populate(context.Background()); err == nil {
				t.Error("a pager that has ended populates")
			}
		})
	}
}

func TestServeServesOnce(t *testing.T) {
	s := startServed(t, "anonymous", 1, allEvents, missing)
	p := s.serve(Config{Regions: s.region(nil)})
	s.want("zero", "read 0 1")
	if err := p.Serve(context.Background()); err == nil {
		t.Error("a second Serve did not fail")
	}
}

func (p *Pager) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Nothing is left of a pager that has ended.
func TestTenThousandPagers(t *testing.T) {
	n := 10000
	if testing.Short() {
		n = 300
	}
	m, err := memory.Map(memory.Anonymous, 16*os.Getpagesize(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f, pidfd := tempFile(t, 16), self(t)
	round := func() {
		file, err := userfaultfd.Open(userfaultfd.Config{Optional: userfaultfd.FeaturePoison})
		if err != nil {
			t.Skip(err)
		}
		if _, err := file.Register(m.Range(), missing); err != nil {
			t.Fatal(err)
		}
		p, err := newPager(file, Config{Regions: []Region{{Range: m.Range(), Source: f}}, Process: pidfd, Events: func(Event) {}, NoPoison: LeaveWaiting, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(50*time.Microsecond, cancel)
		if err := p.Serve(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if f := p.File(); f != nil { // without poison
			f.Close()
		}
		if err := memory.Discard(m.Range()); err != nil { // the poison
			t.Fatal(err)
		}
	}
	for range 20 {
		round()
	}
	before := uffdtest.CountResources(t)
	for range n {
		round()
	}
	// Go may start a thread or map memory at any time, the race detector above
	// all, but not one a pager.
	before.WantNoMore(t, uffdtest.Resources{"": max(10, n/50)})
}
