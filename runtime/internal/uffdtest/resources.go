package uffdtest

import (
	"bytes"
	"os"
	"runtime"
	"testing"
	"time"
)

// Resources are what a program has of each kind.
type Resources map[string]int

// CountResources counts this program's goroutines, threads, descriptors and mappings,
// when what is ending has had a moment for it.
func CountResources(t testing.TB) Resources {
	t.Helper()
	time.Sleep(50 * time.Millisecond)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return Resources{
		"goroutines": runtime.NumGoroutine(), "threads": len(threads),
		"descriptors": Descriptors(), "mappings": bytes.Count(maps, []byte("\n")),
	}
}

// WantNoMore fails the test if there is more of anything now than before, but for a
// slack: that of its kind, or else that of "".
func (before Resources) WantNoMore(t testing.TB, slack Resources) {
	t.Helper()
	after := CountResources(t)
	for what, n := range before {
		more, ok := slack[what]
		if !ok {
			more = slack[""]
		}
		if after[what] > n+more {
			t.Errorf("%d %s before, %d after", n, what, after[what])
		}
	}
}
