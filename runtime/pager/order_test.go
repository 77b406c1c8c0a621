package pager

import (
	"sync"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// The race that the order rule is against is forced: a worker has decided to
// install a page's content, and is held before it does. The process discards the
// page meanwhile. With the rule, it cannot get on before the install was issued
// and refused. Without it, the page is discarded, and the install lands after
// that.
func TestInstallDecidedBeforeADiscardDoesNotLandAfterIt(t *testing.T) {
	for _, kind := range kinds {
		for _, unsafe := range []bool{false, true} {
			name := kind + " memory with the order rule"
			if unsafe {
				name = kind + " memory without it goes wrong"
			}
			t.Run(name, func(t *testing.T) {
				if kind == "hugetlb" {
					needMovableHugePages(t)
					needHugePages(t, 8)
				}
				s := startServed(t, kind, 2, allEvents, missing)
				decided, discarded := make(chan struct{}), make(chan struct{})
				var once sync.Once
				s.hooks = hooks{unsafe: unsafe, decided: func(userfaultfd.Range) {
					once.Do(func() {
						close(decided)
						select {
						case <-discarded: // cannot be, with the rule
						case <-time.After(300 * time.Millisecond):
						}
					})
				}}
				s.serve(Config{Regions: s.region(pattern{})})
				read := s.begin("read 0 1")
				<-decided
				discard := "discard"
				if s.memory.Shared {
					discard = "punch"
				}
				s.want("ok", "%s 0 1", discard)
				close(discarded)
				s.result(read, "read") // content or zeros: the two ran at once
				time.Sleep(50 * time.Millisecond)
				got := s.do("read 0 1")
				if want := map[bool]string{false: "zero", true: "0"}[unsafe]; got != want {
					t.Errorf("after it was discarded the page holds %s, want %s", got, want)
				}
			})
		}
	}
}
