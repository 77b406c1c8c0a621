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
