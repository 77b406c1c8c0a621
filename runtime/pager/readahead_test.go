package pager

import "testing"

// Zeros for what was discarded take memory, where there is no page of zeros.
func TestDiscardedMemoryIsNotReadAhead(t *testing.T) {
	for kind, want := range map[string]int{"anonymous": 8, "shmem": 1} {
		t.Run(kind, func(t *testing.T) {
			s := startServed(t, kind, 8, allEvents, missing)
			size := s.memory.PageSize
			p := s.serve(Config{Regions: s.region(pattern{}), Readahead: Readahead{8 * size, 8 * size}})
			if s.memory.Shared {
				s.want("ok", "punch 0 8")
			} else {
				s.want("ok", "discard 0 8")
			}
			s.want("zero", "read 3 1")
			wantStats(t, p, func(got Stats) bool { return got.Zeroed == uint64(want*size) })
		})
	}
}
