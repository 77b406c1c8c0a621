package pager

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
)

// A Cache holds chunks of sources that are dear to read: compressed ones, and
// those across a network. Any number of pagers may share one.
type Cache struct {
	size int64

	mu     sync.Mutex // held for moments, never while a source is read
	used   int64
	chunks map[chunkKey]*chunk
	recent list.List // of chunks that are read, the last used first
}

// NewCache returns a cache of at most size bytes, and of one chunk at least. What is
// lent or being read when it is thrown out comes on top of that.
func NewCache(size int64) *Cache {
	return &Cache{size: size, chunks: make(map[chunkKey]*chunk)}
}

type chunkKey struct {
	name any
	size int
	n    int64
}

type chunk struct {
	key   chunkKey
	ready chan struct{} // closed when it was read
	data  []byte        // shorter at the end of the source
	err   error
	ended bool // the context of who read it, and that is why it failed
	place *list.Element
}

// A CachedSource is a source whose chunks are in a cache. It lends those that are.
type CachedSource struct {
	cache  *Cache
	source io.ReaderAt
	name   any
	size   int
}

// Source returns a source that reads another in chunks of so many bytes, each once
// for all who want it, and keeps them. name says what the content is, to share
// chunks among sources of the same: it is comparable, a digest say. Errors are not
// kept, and neither is a chunk that ends before what somebody wants of it. If source
// is a [ContextReaderAt], a read ends with the context of who asked first, and then
// the next who waits for it reads again.
func (c *Cache) Source(source io.ReaderAt, name any, chunkSize int) (*CachedSource, error) {
	if chunkSize <= 0 || chunkSize&(chunkSize-1) != 0 {
		return nil, fmt.Errorf("pager: a chunk of %d bytes: it is a power of two", chunkSize)
	}
	if !reflect.ValueOf(&name).Elem().Comparable() {
		return nil, fmt.Errorf("pager: a name of type %T, which cannot be compared", name)
	}
	return &CachedSource{c, source, name, chunkSize}, nil
}

// ReadAt reads from the cache, and into it.
func (s *CachedSource) ReadAt(p []byte, off int64) (int, error) {
	return s.ReadAtContext(context.Background(), p, off)
}

// ReadAtContext is ReadAt that ends when ctx is done, if the source's reads can be
// ended, or are others'.
func (s *CachedSource) ReadAtContext(ctx context.Context, p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("pager: a negative offset")
	}
	for n < len(p) {
		at := off + int64(n)
		k, err := s.chunk(ctx, at/int64(s.size))
		if err != nil {
			return n, err
		}
		from := int(at % int64(s.size))
		if from >= len(k.data) {
			s.cache.forget(k)
			return n, io.EOF
		}
		n += copy(p[n:], k.data[from:])
	}
	return n, nil
}

// Lend lends what the cache has of a chunk.
func (s *CachedSource) Lend(off int64, n int) []byte {
	if off < 0 {
		return nil
	}
	c := s.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.chunks[chunkKey{s.name, s.size, off / int64(s.size)}]
	if k == nil || k.place == nil {
		return nil
	}
	c.recent.MoveToFront(k.place)
	from := int(off % int64(s.size))
	if from >= len(k.data) {
		return nil
	}
	return k.data[from:min(from+n, len(k.data))]
}

// NextData asks the source where it has data, if it knows.
func (s *CachedSource) NextData(off int64) (start, end int64, err error) {
	return nextData(s.source, off)
}

// chunk returns a chunk, which it reads unless somebody else does.
func (s *CachedSource) chunk(ctx context.Context, n int64) (*chunk, error) {
	c, key := s.cache, chunkKey{s.name, s.size, n}
	for {
		c.mu.Lock()
		k := c.chunks[key]
		if k == nil {
			k = &chunk{key: key, ready: make(chan struct{})}
			c.chunks[key] = k
			c.mu.Unlock()
			c.read(ctx, k, s.source)
			return k, k.err
		}
		if k.place != nil {
			c.recent.MoveToFront(k.place)
		}
		c.mu.Unlock()
		select {
		case <-k.ready:
			if !k.ended {
				return k, k.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// forget throws a chunk out: the source may have been cut short for a while only.
func (c *Cache) forget(k *chunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.place == nil {
		return
	}
	c.recent.Remove(k.place)
	k.place = nil
	delete(c.chunks, k.key)
	c.used -= int64(k.key.size)
}

// read reads a chunk, and makes room for it.
func (c *Cache) read(ctx context.Context, k *chunk, source io.ReaderAt) {
	data := make([]byte, k.key.size)
	n, err := 0, errors.New("pager: the source panicked")
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		defer close(k.ready)
		if err == nil && n < len(data) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			k.err, k.ended = err, ctx.Err() != nil
			delete(c.chunks, k.key)
			return
		}
		k.data = data[:n:n]
		k.place = c.recent.PushFront(k)
		c.used += int64(len(data))
		for c.used > c.size && c.recent.Len() > 1 {
			old := c.recent.Remove(c.recent.Back()).(*chunk)
			old.place = nil
			delete(c.chunks, old.key)
			c.used -= int64(old.key.size)
		}
	}()
	off := k.key.n * int64(k.key.size)
	n, err = readAt(ctx, source, data, off)
	if n < 0 || n > len(data) {
		n, err = 0, fmt.Errorf("pager: the source says that it read %d of %d bytes", n, len(data))
	}
}
