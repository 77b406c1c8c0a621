package demand_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// A store is memory that is read and written.
type store struct {
	p      []byte
	writes []demand.Region
	err    error
	hold   func()
}

func newStore(size int) *store {
	s := &store{p: make([]byte, size)}
	fill(s.p, 0)
	return s
}

func (s *store) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(s.p).ReadAt(p, off) }

func (s *store) WriteAt(p []byte, off int64) (int, error) {
	if s.hold != nil {
		s.hold()
	}
	if s.err != nil {
		return 0, s.err
	}
	s.writes = append(s.writes, demand.Region{Off: off, Len: int64(len(p))})
	return copy(s.p[off:], p), nil
}

func dirty(t *testing.T, m *demand.Mapping) (all []demand.Region) {
	t.Helper()
	for r, err := range m.Dirty() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestWrite(t *testing.T) {
	const size = 64*chunk + 1000
	s := newStore(size)
	m := openSource(t, s, size, demand.Config{ChunkSize: chunk, Writable: true})
	model := bytes.Clone(s.p)
	put := func(off int64, text string) {
		t.Helper()
		copy(model[off:], text)
		if n, err := m.WriteAt([]byte(text), off); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := m.Prefetch(0, 8*chunk); err != nil {
		t.Fatal(err)
	}
	if got := dirty(t, m); len(got) != 0 {
		t.Errorf("what was read is dirty: %v", got)
	}
	put(5*chunk+10, "within a page")
	put(20*chunk-4, "over an edge")
	put(size-4, "last")
	if err := m.View(func(b []byte) error { b[3*page] = 'v'; return nil }); err != nil {
		t.Fatal(err)
	}
	model[3*page] = 'v'
	want := []demand.Region{{Off: 3 * page, Len: page}, {Off: 5 * chunk, Len: page}, {Off: 20*chunk - page, Len: 2 * page}, {Off: size &^ (page - 1), Len: size & (page - 1)}}
	if got := dirty(t, m); !slices.Equal(got, want) {
		t.Errorf("dirty are %v, want %v", got, want)
	}
	got := make([]byte, size)
	if _, err := m.ReadAt(got, 0); err != nil || !bytes.Equal(got, model) {
		t.Errorf("the memory is not what was written: %v", err)
	}
	if bytes.Contains(s.p, []byte("within a page")) {
		t.Error("the source was written before Flush")
	}
	if err := m.Flush(s); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.p, model) || !slices.Equal(s.writes, want) {
		t.Errorf("flushed in %v, want %v", s.writes, want)
	}
	if got := dirty(t, m); len(got) != 0 {
		t.Errorf("dirty after Flush: %v", got)
	}
	put(5*chunk+10, "again")
	if got := dirty(t, m); !slices.Equal(got, want[1:2]) {
		t.Errorf("dirty are %v, want %v", got, want[1:2])
	}
	t.Run("beyond the end is short", func(t *testing.T) {
		n, err := m.WriteAt(make([]byte, 10), size-3)
		if n != 3 || !errors.Is(err, io.ErrShortWrite) {
			t.Error(n, err)
		}
		if n, err := m.WriteAt(make([]byte, 10), size+3); n != 0 || !errors.Is(err, io.ErrShortWrite) {
			t.Error(n, err)
		}
	})
	t.Run("a system call writes into a slice", func(t *testing.T) {
		slice, err := m.Slice(30*chunk, 100)
		if err != nil {
			t.Fatal(err)
		}
		defer slice.Release()
		file, err := os.Open("/dev/zero")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if n, err := io.ReadFull(file, slice.Bytes()); err != nil {
			t.Fatal(n, err)
		}
		if !slices.Contains(dirty(t, m), demand.Region{Off: 30 * chunk, Len: page}) {
			t.Error("what was written is not dirty")
		}
	})
}

func TestWriteToWhatIsNotWritable(t *testing.T) {
	m, _ := open(t, 1<<20, demand.Config{})
	if _, err := m.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EACCES) {
		t.Errorf("WriteAt: %v, want EACCES", err)
	}
	if got := dirty(t, m); got != nil {
		t.Errorf("dirty: %v", got)
	}
	if err := m.Flush(nil); err != nil {
		t.Errorf("Flush: %v", err)
	}
}

func TestWrittenIsNotEvicted(t *testing.T) {
	const chunks = 64
	s := newStore(chunks * chunk)
	budget := demand.NewBudget(8 * chunk)
	m := openSource(t, s, chunks*chunk, demand.Config{ChunkSize: chunk, Window: chunk, Writable: true, Budget: budget})
	write := func(c int) error { _, err := m.WriteAt([]byte("written"), int64(c)*chunk); return err }
	read := func(c int) string {
		p := make([]byte, 7)
		if _, err := m.ReadAt(p, int64(c)*chunk); err != nil {
			t.Fatal(err)
		}
		return string(p)
	}
	for c := range 4 {
		if err := write(c * 2); err != nil {
			t.Fatal(err)
		}
	}
	for c := range chunks {
		read(c)
	}
	for c := range 4 {
		if got := read(2 * c); got != "written" {
			t.Errorf("chunk %d has %q", c, got)
		}
	}
	var err error
	n := 4
	for ; n < chunks && err == nil; n++ {
		err = write(n * 2 % chunks)
	}
	if !errors.Is(err, demand.ErrBudget) || n != 9 {
		t.Errorf("the %dth chunk written: %v, want ErrBudget", n, err)
	}
	if budget.Used() > 8*chunk {
		t.Errorf("%d bytes are used", budget.Used())
	}
	if err := m.Flush(s); err != nil {
		t.Fatal(err)
	}
	for c := range chunks {
		read(c)
	}
	if got := read(14); got != "written" {
		t.Errorf("after Flush and eviction: %q", got)
	}
	if got := resident(t, m); got > 8*chunk {
		t.Errorf("%d bytes are resident", got)
	}
}

func TestFlushThatFails(t *testing.T) {
	const size = 16 * chunk
	s := newStore(size)
	m := openSource(t, s, size, demand.Config{ChunkSize: chunk, Writable: true, Budget: demand.NewBudget(8 * chunk)})
	for c := range 4 {
		if _, err := m.WriteAt([]byte("written"), int64(c)*chunk); err != nil {
			t.Fatal(err)
		}
	}
	want := dirty(t, m)
	s.err = errSource
	wantError(t, m.Flush(s), errSource, 0)
	s.hold = func() { panic(errSource) }
	func() {
		defer func() {
			if recover() != errSource {
				t.Error("no panic")
			}
		}()
		m.Flush(s)
	}()
	s.err, s.hold = nil, nil
	for c := range 16 { // evicts what it may
		if _, err := m.ReadAt(make([]byte, 1), int64(c)*chunk); err != nil {
			t.Fatal(err)
		}
	}
	if got := dirty(t, m); !slices.Equal(got, want) || len(want) != 4 {
		t.Errorf("dirty are %v, want %v", got, want)
	}
	if err := m.Flush(s); err != nil {
		t.Fatal(err)
	}
	if got := dirty(t, m); len(got) != 0 || string(s.p[3*chunk:][:7]) != "written" {
		t.Errorf("afterwards: %v", got)
	}
}

// TestFlushKeepsWhatItWrites holds a flush, evicts as much as can be, and writes.
func TestFlushKeepsWhatItWrites(t *testing.T) {
	const size = 16 * chunk
	s := newStore(size)
	m := openSource(t, s, size, demand.Config{ChunkSize: chunk, Writable: true, Budget: demand.NewBudget(4 * chunk)})
	if _, err := m.WriteAt([]byte("first"), 0); err != nil {
		t.Fatal(err)
	}
	writing, release := make(chan error, 1), make(chan struct{})
	s.hold = func() {
		writing <- nil
		<-release
	}
	flushed := uffdtest.During(func() error { return m.Flush(s) })
	uffdtest.Within(t, "the write", writing)
	for c := 1; c < 16; c++ {
		if _, err := m.ReadAt(make([]byte, 1), int64(c)*chunk); err != nil {
			t.Fatal(err)
		}
	}
	p := make([]byte, 5)
	if _, err := m.ReadAt(p, 0); err != nil || string(p) != "first" {
		t.Errorf("read %q, %v", p, err)
	}
	if _, err := m.WriteAt([]byte("later"), 0); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := uffdtest.Within(t, "Flush", flushed); err != nil {
		t.Fatal(err)
	}
	s.hold = nil
	if got := dirty(t, m); len(got) != 1 {
		t.Errorf("what was written during the flush: %v", got)
	}
	if err := m.Flush(s); err != nil || string(s.p[:5]) != "later" {
		t.Errorf("%q, %v", s.p[:5], err)
	}
	// And closing it must not take the memory away under the writer.
	if _, err := m.WriteAt([]byte("third"), 0); err != nil {
		t.Fatal(err)
	}
	release = make(chan struct{})
	s.hold = func() {
		writing <- nil
		<-release
	}
	flushed = uffdtest.During(func() error { return m.Flush(s) })
	uffdtest.Within(t, "the write", writing)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	close(release)
	if err := uffdtest.Within(t, "Flush", flushed); err != nil && !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if string(s.p[:5]) != "third" {
		t.Errorf("wrote %q", s.p[:5])
	}
	if n := m.Stats().Resident; n != 0 {
		t.Errorf("%d bytes are resident", n)
	}
}

func TestWriteAtSaysThatItWrites(t *testing.T) {
	m := openSource(t, newStore(2*chunk), 2*chunk, demand.Config{ChunkSize: chunk, Writable: true, Budget: demand.NewBudget(chunk)})
	slice, err := m.Slice(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer slice.Release()
	_, err = m.WriteAt([]byte("x"), chunk)
	wantError(t, err, demand.ErrBudget, chunk)
	if e := (*demand.Error)(nil); errors.As(err, &e) && e.Op != "write" {
		t.Errorf("the operation is %q", e.Op)
	}
}

func TestFlushDoesNotWaitForTheSource(t *testing.T) {
	m, s := open(t, 16*chunk, demand.Config{ChunkSize: chunk, Window: chunk, Writable: true})
	if _, err := m.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	reading, release := make(chan error, 1), make(chan struct{})
	s.set(func(s *source) { s.hold = func(off, n int64) { reading <- nil; <-release } })
	view := uffdtest.During(func() error { return look(m, 5) })
	uffdtest.Within(t, "the read", reading)
	if err := uffdtest.Within(t, "Flush", uffdtest.During(func() error { return m.Flush(newStore(16 * chunk)) })); err != nil {
		t.Error(err)
	}
	if got := dirty(t, m); got != nil {
		t.Errorf("dirty: %v", got)
	}
	close(release)
	if err := uffdtest.Within(t, "the view", view); err != nil {
		t.Error(err)
	}
}

// TestWriteBetweenLookAndDiscard writes to a chunk when its eviction is decided.
func TestWriteBetweenLookAndDiscard(t *testing.T) {
	const chunks = 8
	s := newStore(chunks * chunk)
	m := openSource(t, s, chunks*chunk, demand.Config{ChunkSize: chunk, Window: chunk, Writable: true, Budget: demand.NewBudget(2 * chunk)})
	p := make([]byte, 7)
	for c := range 2 {
		if _, err := m.ReadAt(p, int64(c)*chunk); err != nil {
			t.Fatal(err)
		}
	}
	var writes []<-chan error
	var began atomic.Bool // a write that is let in evicts, too
	demand.BeforeDiscard(func() {
		if began.Swap(true) {
			return
		}
		for c := range 2 { // one of them is being evicted
			writes = append(writes, uffdtest.During(func() error {
				_, err := m.WriteAt([]byte("written"), int64(c)*chunk)
				return err
			}))
		}
		time.Sleep(50 * time.Millisecond)
	})
	defer demand.BeforeDiscard(nil)
	if _, err := m.ReadAt(p, 2*chunk); err != nil {
		t.Fatal(err)
	}
	for _, done := range writes {
		if err := uffdtest.Within(t, "the write", done); err != nil && !errors.Is(err, demand.ErrBudget) {
			t.Error(err)
		} else if err != nil {
			t.Log(err)
		}
	}
	for c := range 2 {
		if _, err := m.ReadAt(p, int64(c)*chunk); err != nil || string(p) != "written" {
			t.Errorf("chunk %d has %q, %v", c, p, err)
		}
	}
}

// TestWritersAgainstEviction has goroutines write to pages of their own while
// chunks are evicted and flushed, and looks for what got lost.
func TestWritersAgainstEviction(t *testing.T) {
	const chunks, writers = 32, 4
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	s := newStore(chunks * chunk)
	shared := &lockedStore{store: s}
	m := openSource(t, shared, chunks*chunk, demand.Config{ChunkSize: chunk, Window: chunk, Writable: true, Budget: demand.NewBudget(16 * chunk)})
	stop := make(chan struct{})
	flushing := uffdtest.During(func() error {
		for {
			select {
			case <-stop:
				return nil
			default:
			}
			if err := m.Flush(shared); err != nil {
				return err
			}
		}
	})
	var all []<-chan error
	for g := range writers {
		all = append(all, uffdtest.During(func() error {
			r := rand.New(rand.NewPCG(uint64(g), 7))
			last := map[int64]byte{}
			for i := range rounds {
				off := int64(r.IntN(chunks))*chunk + int64(g)*page
				var got byte
				v := byte(i)
				err := m.View(func(b []byte) error {
					got = b[off+1]
					b[off] = v
					return nil
				})
				if errors.Is(err, demand.ErrBudget) {
					continue
				}
				if err != nil {
					return err
				}
				if want, ok := last[off]; ok && got != want {
					return errors.New("what was written is lost")
				}
				if _, err := m.WriteAt([]byte{v}, off+1); errors.Is(err, demand.ErrBudget) {
					continue
				} else if err != nil {
					return err
				}
				last[off] = v
			}
			return nil
		}))
	}
	for _, done := range all {
		if err := uffdtest.Within(t, "the writers", done); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	if err := uffdtest.Within(t, "the flusher", flushing); err != nil {
		t.Error(err)
	}
	if n := m.Stats().Evictions; n == 0 {
		t.Error("nothing was evicted")
	}
}

// A lockedStore is a store for several goroutines.
type lockedStore struct {
	mu sync.Mutex
	*store
}

func (s *lockedStore) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store.ReadAt(p, off)
}

func (s *lockedStore) WriteAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.writes = nil
	return s.store.WriteAt(p, off)
}
