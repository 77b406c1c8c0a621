package demand

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// A Mapping is a source as memory. Its methods may be called by any number of
// goroutines. It has to be closed; the collector does not.
type Mapping struct {
	source    io.ReaderAt
	chunkSize int
	window    int // in chunks
	writable  bool
	file      *userfaultfd.File
	memory    *memory.Mapping
	bytes     []byte // of memory, without what fills up its last page
	start     uint64 // the address of bytes
	tracker   tracker

	refs   refs
	closed chan struct{} // closed by Close
	budget *Budget

	small, large sync.Pool // buffers of a chunk, and of a window

	// accessed has a bit for each chunk: it was accessed since the hand of
	// the clock came by. nil without a limit.
	accessed []atomic.Uint32

	// The rest is guarded by budget.mu.
	chunks   []chunk
	busy     map[int]*transfer
	failures map[int]*Error
	holds    map[int][]*claim
	pins     map[int]int // by slices
	kept     map[int]int // in place, by calls that look for what was written
	evicted  []uint32    // for each chunk, the count of evictions when it was evicted last; nil without a limit
	streams  [8]stream
	stream   int   // the one to be given up next
	resident int64 // bytes that are counted

	reads, readBytes, misses, evictions atomic.Int64 // see Stats
}

// A Config says how a source is mapped. The zero Config maps it for reading,
// without a limit to what is in memory.
type Config struct {
	// ChunkSize is how many bytes are read, put in place, counted and evicted
	// together: a power of two, of at least a page and at most 1 GiB. 0 is 64
	// KiB, or a page where pages are larger.
	ChunkSize int

	// Window is the most that is read from the source by one call of ReadAt,
	// in bytes; it is rounded up to whole chunks. Reading ahead stays within
	// it, but for a view that goes on sequentially. 0 is 1 MiB. A Window of
	// ChunkSize reads nothing ahead.
	Window int

	// Budget limits what is in memory; nil does not. Mappings may share one.
	Budget *Budget

	// Writable lets the memory be written. What was written stays in memory,
	// private to this process, until [Mapping.Flush]. Takes Linux 6.7 and an
	// architecture that can protect memory from writes.
	Writable bool
}

const (
	defaultChunk  = 64 << 10
	defaultWindow = 1 << 20
	largestChunk  = 1 << 30
)

// Map makes size bytes of source, from offset 0 on, readable as memory. No
// byte is read before it is wanted. source is asked by the goroutines that
// touch the memory, by several at once, for whole chunks. It must always give
// the same bytes: what was evicted is read again. The Mapping does not close
// it.
//
// Errors: unix.EINVAL (a size below zero or beyond the address space, a
// ChunkSize or Window that is none, a budget smaller than a chunk), unix.ENOMEM,
// [userfaultfd.UnsupportedError] (FeatureSigbus takes Linux 4.14, Writable
// 6.7), and those of [userfaultfd.Open]. No privilege is needed from Linux
// 5.11 on.
func Map(source io.ReaderAt, size int64, c Config) (*Mapping, error) {
	m, err := newMapping(source, size, c)
	if err != nil {
		return nil, &Error{Op: "map", Err: err}
	}
	return m, nil
}

func newMapping(source io.ReaderAt, size int64, c Config) (*Mapping, error) {
	page := os.Getpagesize()
	if c.ChunkSize == 0 {
		c.ChunkSize = max(defaultChunk, page)
	}
	if c.Window == 0 {
		c.Window = max(defaultWindow, c.ChunkSize)
	}
	if c.Budget == nil {
		c.Budget = new(Budget)
	}
	switch {
	case c.ChunkSize < page || c.ChunkSize > largestChunk || bits.OnesCount(uint(c.ChunkSize)) != 1:
		return nil, fmt.Errorf("%w: a ChunkSize of %d bytes is no power of two, less than a page of %d or more than %d", unix.EINVAL, c.ChunkSize, page, largestChunk)
	case size < 0 || size > int64(maxInt-c.ChunkSize):
		return nil, fmt.Errorf("%w: a size of %d bytes", unix.EINVAL, size)
	case c.Window < 0:
		return nil, fmt.Errorf("%w: a Window of %d bytes", unix.EINVAL, c.Window)
	case c.Budget.limit > 0 && c.Budget.limit < int64(c.ChunkSize):
		return nil, fmt.Errorf("%w: a budget of %d bytes has no room for a chunk of %d", unix.EINVAL, c.Budget.limit, c.ChunkSize)
	}
	m := &Mapping{
		source:    source,
		chunkSize: c.ChunkSize,
		window:    max(1, min((min(c.Window, largestChunk)+c.ChunkSize-1)/c.ChunkSize, int(size/int64(c.ChunkSize))+1)),
		writable:  c.Writable,
		closed:    make(chan struct{}),
		budget:    c.Budget,
		busy:      make(map[int]*transfer),
		failures:  make(map[int]*Error),
		holds:     make(map[int][]*claim),
		pins:      make(map[int]int),
		kept:      make(map[int]int),
	}
	m.small.New = func() any { return newBuffer(m.chunkSize) }
	m.large.New = func() any { return newBuffer(m.chunkSize * m.window) }
	if err := m.open(int(size), page); err != nil {
		m.destroy()
		return nil, err
	}
	m.chunks = make([]chunk, (int(size)+m.chunkSize-1)/m.chunkSize)
	if m.budget.limit > 0 {
		m.accessed = make([]atomic.Uint32, (len(m.chunks)+31)/32)
		m.evicted = make([]uint32, len(m.chunks))
	}
	m.refs.open()
	return m, nil
}

const maxInt = int(^uint(0) >> 1)

// open maps the memory and registers it.
func (m *Mapping) open(size, page int) (err error) {
	features, mode := userfaultfd.FeatureSigbus, userfaultfd.RegisterMissing
	if m.writable {
		features |= userfaultfd.FeatureWPAsync
		mode |= userfaultfd.RegisterWP
	}
	c := userfaultfd.Config{Features: features, UserModeOnly: true}
	if m.budget.limit > 0 && !m.writable {
		c.Optional = userfaultfd.FeatureRWPAsync
	}
	m.file, err = userfaultfd.Open(c)
	if missing := (*userfaultfd.UnsupportedError)(nil); errors.As(err, &missing) && missing.Name == "UFFD_USER_MODE_ONLY" {
		c.UserModeOnly = false // which Linux 5.10 does not know
		m.file, err = userfaultfd.Open(c)
	}
	if err != nil {
		return err
	}
	m.memory, err = memory.Map(memory.Anonymous, max(1, (size+page-1)/page)*page, 0)
	if err != nil {
		return err
	}
	m.bytes = m.memory.Bytes()[:size:size]
	m.start = m.memory.Range().Start
	watch := m.file.Features()&userfaultfd.FeatureRWPAsync != 0
	if watch {
		mode |= userfaultfd.RegisterRWP
	}
	if _, err := m.file.Register(m.memory.Range(), mode); err != nil {
		return err
	}
	// A program that locks all its memory (mlockall) has pages of zeros there
	// already.
	if err := m.discardRange(m.memory.Range()); err != nil {
		return err
	}
	if m.writable || watch {
		if err := m.tracker.open(m); err != nil {
			return err
		}
	}
	if m.writable {
		return nil
	}
	// UFFDIO_COPY fills memory that nobody else can write.
	return unix.Mprotect(m.memory.Bytes(), unix.PROT_READ)
}

// Size returns the size of the mapping in bytes.
func (m *Mapping) Size() int64 { return int64(len(m.bytes)) }

// Close gives the memory back, all but what slices hold, which stays until
// they are released. It does not wait for anybody: views that are running, and
// whoever waits for the source, end with [os.ErrClosed], and so does every
// later call, Close among them. Only a call that is in the source's ReadAt
// itself ends after that. What was written and not flushed is lost.
func (m *Mapping) Close() error {
	if !m.refs.close() {
		return m.closedError("close")
	}
	close(m.closed)
	err := m.discardAll()
	m.leave()
	if err != nil {
		return &Error{Op: "close", Err: err}
	}
	return nil
}

// enter keeps the memory mapped until leave.
func (m *Mapping) enter(op string) error {
	if !m.refs.enter() {
		m.leave()
		return m.closedError(op)
	}
	return nil
}

func (m *Mapping) leave() {
	if m.refs.leave() {
		m.destroy()
	}
}

// isClosed reports whether Close was called.
func (m *Mapping) isClosed() bool { return m.refs.isClosed() }

// destroy unmaps the memory first: once the userfaultfd is closed, missing
// pages would read as zeros.
func (m *Mapping) destroy() {
	if m.memory != nil {
		m.memory.Close()
	}
	if m.file != nil {
		m.file.Close()
	}
	m.tracker.close()
}
