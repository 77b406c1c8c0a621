package pager

import (
	"context"
	"errors"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

const missing = userfaultfd.RegisterMissing

// kinds are the kinds of memory, with what to do before there is any.
var kinds = []string{"anonymous", "shmem", "hugetlb"}

// eachKind runs a test on every kind of memory, and with a source that lends and
// one that is read.
func eachKind(t *testing.T, pages int, f func(t *testing.T, s *served, regions []Region)) {
	for _, kind := range kinds {
		for _, lends := range []bool{true, false} {
			name := kind + " memory from a source that is read"
			if lends {
				name = kind + " memory from a source that lends"
			}
			t.Run(name, func(t *testing.T) {
				if kind == "hugetlb" {
					needMovableHugePages(t)
					needHugePages(t, pages+8)
				}
				s := startServed(t, kind, pages, allEvents, missing)
				if lends {
					f(t, s, s.region(newLending(int(s.memory.Range.Len))))
				} else {
					f(t, s, s.region(pattern{}))
				}
			})
		}
	}
}

func TestPagesHaveTheirContent(t *testing.T) {
	eachKind(t, 4, func(t *testing.T, s *served, regions []Region) {
		p, stop := s.serveUntil(Config{Regions: regions})
		size := s.memory.PageSize
		s.want(offsets(size*3), "read 3 1")
		s.want(offsets(0, size, 2*size, 3*size), "read 0 4")
		s.want("ok", "discard 1 2")
		if s.memory.Shared {
			s.want("ok", "punch 1 2")
		}
		s.want(offsets(0)+" zero zero "+offsets(3*size), "read 0 4")
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		wantStats(t, p, func(got Stats) bool {
			return got.Missing == 6 && got.Copied == uint64(4*size) && got.Zeroed == uint64(2*size)
		})
	})
}
