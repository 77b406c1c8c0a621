package pager

import (
	"errors"
	"os"
	"sync"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

// A child that is owed pages which nobody can pay has its userfaultfd kept open, and
// not for longer than it lives.
func TestUserfaultfdsOfChildrenAreKeptWhileTheyLive(t *testing.T) {
	for _, told := range []bool{false, true} {
		t.Run(map[bool]string{false: "that nobody knows of", true: "that Forked was told of"}[told], func(t *testing.T) {
			const forks = 20
			s := startServed(t, "anonymous", 4, allEvents&^userfaultfd.FeaturePoison, missing)
			cfg := Config{Regions: s.region(pattern{}), NoPoison: LeaveWaiting}
			var mu sync.Mutex
			var children []*Pager
			if told {
				cfg.Forked = func(c *Pager) {
					mu.Lock()
					defer mu.Unlock()
					children = append(children, c)
				}
			}
			before := letKeptGo() // of tests before, whose processes have ended
			p, stop := s.serveUntil(cfg)
			for range forks {
				s.want("ok", "linger none")
			}
			uffdtest.Eventually(t, "the forks", func() bool { return p.Stats().Forks == forks })
			if err := stop(); !errors.Is(err, ErrOwed) {
				t.Fatalf("Serve: %v", err)
			}
			if n := keptFiles() - before; n != forks {
				t.Errorf("%d userfaultfds are kept, want %d", n, forks)
			}
			letKeptGo()
			if n := keptFiles() - before; n != forks {
				t.Errorf("%d userfaultfds are kept while the children live, want %d", n, forks)
			}
			s.cmd.Process.Kill()
			uffdtest.Eventually(t, "their release", func() bool { return keptFiles() == before })
			mu.Lock()
			defer mu.Unlock()
			if told && len(children) != forks {
				t.Fatalf("Forked was told of %d children", len(children))
			}
			for _, c := range children {
				// It is theirs who were told.
				if err := c.File().Close(); errors.Is(err, os.ErrClosed) {
					t.Fatal(err)
				}
			}
		})
	}
}

func keptFiles() int {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	return len(kept.files)
}
