package pager

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestACachedChunkIsReadOnceForAllPagers(t *testing.T) {
	var reads atomic.Int32
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		reads.Add(1)
		time.Sleep(10 * time.Millisecond)
		return pattern{}.ReadAt(p, off)
	})
	cache := NewCache(1 << 20)
	var all []*served
	for range 3 {
		s := startServed(t, "anonymous", 64, allEvents, missing)
		cached, err := cache.Source(source, "content", 128<<10)
		if err != nil {
			t.Fatal(err)
		}
		s.serve(Config{Regions: s.region(cached)})
		all = append(all, s)
	}
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() {
			for _, page := range []int{0, 1, 5, 20, 31} {
				s.want(offsets(page*s.memory.PageSize), "read %d 1", page)
			}
		})
	}
	wg.Wait()
	chunks := make(map[int]bool)
	for _, page := range []int{0, 1, 5, 20, 31} {
		chunks[page*all[0].memory.PageSize/(128<<10)] = true
	}
	if n := reads.Load(); int(n) != len(chunks) {
		t.Errorf("%d reads, want %d", n, len(chunks))
	}
}

func TestACacheKeepsWhatWasUsedLast(t *testing.T) {
	var reads []int64
	content := make([]byte, 10*64+7)
	pattern{}.ReadAt(content, 0)
	var sad error
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		reads = append(reads, off)
		if sad != nil {
			return 0, sad
		}
		return bytes.NewReader(content).ReadAt(p, off)
	})
	s, err := NewCache(3*64).Source(source, 1, 64)
	if err != nil {
		t.Fatal(err)
	}
	read := func(off, n int, want error) {
		t.Helper()
		p := make([]byte, n)
		got, err := s.ReadAt(p, int64(off))
		if !errors.Is(err, want) || !bytes.Equal(p[:got], content[off:min(off+n, len(content))][:got]) || want == nil && got != n {
			t.Errorf("ReadAt(%d bytes, %d): %d, %v; want %v", n, off, got, err, want)
		}
	}
	read(0, 3*64, nil)
	read(10, 20, nil) // the first is used again
	read(200, 8, nil) // throws the second out
	if s.Lend(0, 64) == nil || s.Lend(64, 64) != nil || len(s.Lend(130, 640)) != 62 {
		t.Error("it does not lend what it keeps")
	}
	read(10*64, 7, nil)
	read(10*64, 8, io.EOF)
	if len(s.Lend(10*64, 64)) != 7 || s.Lend(10*64+7, 1) != nil {
		t.Error("it lends what is not there")
	}
	sad = io.ErrClosedPipe
	read(5*64, 8, sad)
	sad = nil
	read(5*64, 8, nil)
	if len(reads) != 7 {
		t.Errorf("it read at %v", reads)
	}
	for _, size := range []int{0, -1, 100} {
		if _, err := NewCache(1).Source(source, 1, size); err == nil {
			t.Errorf("a chunk of %d bytes is no error", size)
		}
	}
}
