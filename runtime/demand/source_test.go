package demand_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// word is what the tests' sources have in eight bytes, which tells where they
// are.
func word(i int64) uint64 { return uint64(i+1) * 0x9e3779b97f4a7c15 }

// at is the byte that the sources have at an offset.
func at(off int64) byte { return byte(word(off/8) >> (8 * (off % 8))) }

// fill fills p with what the sources have from off on.
func fill(p []byte, off int64) {
	for len(p) > 0 && off%8 != 0 {
		p[0] = at(off)
		p, off = p[1:], off+1
	}
	for ; len(p) >= 8; p, off = p[8:], off+8 {
		binary.LittleEndian.PutUint64(p, word(off/8))
	}
	for i := range p {
		p[i] = at(off + int64(i))
	}
}

// check fails the test unless p is what the sources have from off on.
func check(t testing.TB, p []byte, off int64) {
	t.Helper()
	if err := verify(p, off); err != nil {
		t.Error(err)
	}
}

func verify(p []byte, off int64) error {
	for ; len(p) >= 8 && off%8 == 0 && binary.LittleEndian.Uint64(p) == word(off/8); p, off = p[8:], off+8 {
	}
	for i, b := range p {
		if want := at(off + int64(i)); b != want {
			return fmt.Errorf("the byte at %d is %#x, want %#x", off+int64(i), b, want)
		}
	}
	return nil
}

// A source gives what it is expected to. It counts, and can be told to fail.
type source struct {
	size  int64
	reads atomic.Int64

	mu    sync.Mutex
	short int64              // where it ends, if not 0
	fail  map[int64]error    // reads of these bytes fail there
	hold  func(off, n int64) // called before a read
	seen  map[int64]int      // how often each read began where
}

var errSource = errors.New("the disk is on fire")

func (s *source) ReadAt(p []byte, off int64) (int, error) {
	s.reads.Add(1)
	s.mu.Lock()
	hold, end := s.hold, s.size
	if s.short > 0 {
		end = s.short
	}
	var failed error
	n := int64(len(p))
	for at, err := range s.fail {
		if off <= at && at < off+n {
			n, failed = at-off, err
		}
	}
	if s.seen == nil {
		s.seen = make(map[int64]int)
	}
	s.seen[off]++
	s.mu.Unlock()
	if hold != nil {
		hold(off, int64(len(p)))
	}
	if off+n > end {
		n, failed = max(0, end-off), io.EOF
	}
	fill(p[:n], off)
	return int(n), failed
}

func (s *source) set(change func(s *source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// open maps size bytes of a new source, or skips the test where the kernel or
// the user cannot.
func open(t testing.TB, size int64, c demand.Config) (*demand.Mapping, *source) {
	t.Helper()
	s := &source{size: size}
	return openSource(t, s, size, c), s
}

func openSource(t testing.TB, s io.ReaderAt, size int64, c demand.Config) *demand.Mapping {
	t.Helper()
	m, err := demand.Map(s, size, c)
	var missing *userfaultfd.UnsupportedError
	if errors.As(err, &missing) {
		uffdtest.SkipUnsupported(t, missing)
	}
	if errors.Is(err, unix.EPERM) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}
