package userfaultfd_test

import (
	"bytes"
	"os"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
)

// TestNothingLeaks opens, registers, faults and closes ten thousand times (a
// tenth of that in short mode), and counts descriptors, threads and mappings.
func TestNothingLeaks(t *testing.T) {
	uffdtest.Open(t, userfaultfd.FeatureEventRemove)
	rounds := 10_000
	if testing.Short() {
		rounds /= 10
	}
	page := bytes.Repeat([]byte{1}, os.Getpagesize())
	buf := make([]userfaultfd.Msg, 1)
	touch, touched := make(chan userfaultfd.Range), make(chan error)
	defer close(touch)
	go func() {
		for r := range touch {
			touched <- uffdtest.TouchNow(r, os.Getpagesize(), false)
		}
	}()
	round := func(i int) {
		c := userfaultfd.Config{Features: userfaultfd.FeatureEventRemove}
		f, err := userfaultfd.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		m, err := memory.Map(memory.Kind(i/2%2), os.Getpagesize(), 0) // anonymous, shmem
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
			t.Fatal(err)
		}
		touch <- m.Range()
		if _, err := f.Read(buf); err != nil {
			t.Fatal(err)
		}
		if i%3 != 0 { // else closing lets the thread go
			if _, err := f.Copy(buf[0].Pagefault().Address, page, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-touched; err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range rounds / 10 {
		round(i) // threads and Go's own memory reach their size
	}
	before := uffdtest.CountResources(t)
	for i := range rounds {
		round(i)
	}
	// Go may start a thread or map memory at any time, but not one a round.
	before.WantNoMore(t, uffdtest.Resources{"goroutines": 8, "descriptors": 0, "threads": 8, "mappings": 32})
}
