package pager

import (
	"bytes"
	"context"
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
	if len(s.Lend(10*64, 64)) != 7 || s.Lend(10*64+7, 1) != nil {
		t.Error("it lends what is not there")
	}
	read(10*64, 8, io.EOF)
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

func TestAChunkThatWasCutShortIsReadAgain(t *testing.T) {
	var reads atomic.Int32
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		if reads.Add(1) == 1 {
			return 100, io.EOF // the connection is lost
		}
		return pattern{}.ReadAt(p, off)
	})
	cache := NewCache(1 << 20)
	s, err := cache.Source(source, 1, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4096)
	if n, err := s.ReadAt(p, 0); n != 100 || err != io.EOF {
		t.Errorf("ReadAt: %d, %v", n, err)
	}
	if n, err := s.ReadAt(p, 0); n != len(p) || err != nil {
		t.Errorf("ReadAt again: %d, %v", n, err)
	}
	if cache.used != 64<<10 || cache.recent.Len() != 1 {
		t.Errorf("the cache holds %d bytes in %d chunks", cache.used, cache.recent.Len())
	}
}

// waits is a source that waits for its context the first time.
type waits struct {
	pattern
	begun chan struct{}
	reads *atomic.Int32
}

func (w waits) ReadAtContext(ctx context.Context, p []byte, off int64) (int, error) {
	if w.reads.Add(1) == 1 {
		close(w.begun)
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return w.ReadAt(p, off)
}

func TestACachedReadEndsForWhoseContextDoes(t *testing.T) {
	w := waits{begun: make(chan struct{}), reads: new(atomic.Int32)}
	s, err := NewCache(1<<20).Source(w, 1, 4096)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	read := func(ctx context.Context, done chan error) {
		_, err := s.ReadAtContext(ctx, make([]byte, 8), 0)
		done <- err
	}
	go read(ctx, first)
	select {
	case <-w.begun:
	case <-time.After(deadline):
		t.Fatal("the source's ReadAtContext is not asked")
	}
	go read(t.Context(), second)
	time.Sleep(10 * time.Millisecond)
	cancel()
	for done, want := range map[chan error]error{first: context.Canceled, second: nil} {
		select {
		case err := <-done:
			if !errors.Is(err, want) {
				t.Errorf("ReadAtContext: %v, want %v", err, want)
			}
		case <-time.After(deadline):
			t.Fatal("ReadAtContext does not return")
		}
	}
}

func TestACachedSourceHasANameThatCanBeCompared(t *testing.T) {
	c := NewCache(1 << 20)
	for _, name := range []any{[]byte("digest"), struct{ a any }{[]int{1}}} {
		if _, err := c.Source(pattern{}, name, 4096); err == nil {
			t.Errorf("%T: no error", name)
		}
	}
	for _, name := range []any{nil, "digest", [2]int{}} {
		if _, err := c.Source(pattern{}, name, 4096); err != nil {
			t.Error(err)
		}
	}
}
