package pager

import (
	"testing"
	"time"
)

// A fault waits for a worker too, and one that was given up has taken its time.
func TestLatencyIsThatOfTheFault(t *testing.T) {
	for _, fails := range []bool{false, true} {
		if fails {
			needPoison(t)
		}
		const pages, read = 8, 10 * time.Millisecond
		s := startServed(t, "anonymous", pages, allEvents, missing)
		all := make(chan struct{}) // the faults are there
		p := s.serve(Config{Workers: 1, Retry: Retry{Times: 1}, Regions: s.region(sourceFunc(func(b []byte, off int64) (int, error) {
			<-all
			time.Sleep(read)
			if fails {
				return 0, nil
			}
			return pattern{}.ReadAt(b, off)
		}))})
		var done []<-chan string
		for i := range pages {
			done = append(done, s.begin("read %d 1", i))
		}
		wantStats(t, p, func(got Stats) bool { return got.Missing == pages })
		close(all)
		for _, c := range done {
			s.result(c, "read")
		}
		wantStats(t, p, func(got Stats) bool { return got.Latency.Quantile(1) >= (pages-1)*read })
	}
}

// What was read and no longer wanted was not put in place.
func TestWhatIsReadAheadIsCounted(t *testing.T) {
	for _, test := range []struct {
		name    string
		lends   bool
		discard int // pages while the source is read
		want    int
	}{
		{"lent", true, 0, 3},
		{"read", false, 0, 3},
		{"read, and discarded meanwhile", false, 2, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServed(t, "anonymous", 4, allEvents, missing)
			size := s.memory.PageSize
			held := newHeldSource(t)
			cfg := Config{Regions: s.region(held), Readahead: Readahead{4 * size, 4 * size}}
			if test.lends {
				cfg.Regions = s.region(newLending(4 * size))
				held.reading <- struct{}{}
			}
			p := s.serve(cfg)
			read := s.begin("read 0 1")
			<-held.reading
			if test.discard > 0 {
				s.want("ok", "discard 1 %d", test.discard)
			}
			held.release()
			if got := s.result(read, "read"); got != "0" {
				t.Errorf("the page holds %s", got)
			}
			wantStats(t, p, func(got Stats) bool { return got.Ahead == uint64(test.want*size) })
		})
	}
}
