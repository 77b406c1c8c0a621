package pager

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
)

// A source is where the content of memory comes from. Any io.ReaderAt is one.
// It may be read by several goroutines at once, each read being of whole pages.
// A read that brings less than it was asked for has failed; io.EOF beside all
// the bytes has not.
//
// What else a source can do, it says by the interfaces below. A regular
// *os.File is mapped and lends, and its holes are found, as by [MapFile].

// A ContextReaderAt is a source whose reads can be ended: ctx is done when the
// pager stops. It is asked instead of io.ReaderAt.
type ContextReaderAt interface {
	io.ReaderAt
	ReadAtContext(ctx context.Context, p []byte, off int64) (n int, err error)
}

// A Lender is a source that has content in memory and lends it.
//
// Lend returns up to n bytes of the content from off on. Less is no failure:
// where it lends less than a page, the pager reads instead. It must not wait for
// anything (a network, a lock that a reader holds), because all faults wait for
// it. Several goroutines may call it at once, and each reads the bytes in its own
// time: they must not change, nor be unmapped, until the pager has ended. A
// source that decompresses into a buffer of its own does not lend; a [Cache] does.
type Lender interface {
	io.ReaderAt
	Lend(off int64, n int) []byte
}

// A Sparse source knows where it holds nothing but zeros.
//
// NextData returns the first extent at or after off that may hold something
// else: its start, at least off, and its end. Beyond the last one it returns
// io.EOF. It is called when the pager is made, until it says io.EOF, or
// all that the regions want is known.
type Sparse interface {
	io.ReaderAt
	NextData(off int64) (start, end int64, err error)
}

// An InPlace source is the memory itself: a memfd, or a file in hugetlbfs, that
// the region maps, and that another mapping has filled. Its pages are not
// copied but mapped (UFFDIO_CONTINUE); pages that the file has not got are
// zeros. The region has to be registered with
// [userfaultfd.RegisterMinor], and with RegisterMissing for its holes.
//
// See [Memfd] for the one in this package.
type InPlace interface {
	io.ReaderAt
	InPlace()
}

// readAt reads from a source, which ctx ends if its reads can be ended.
func readAt(ctx context.Context, source io.ReaderAt, p []byte, off int64) (int, error) {
	if c, ok := source.(ContextReaderAt); ok {
		return c.ReadAtContext(ctx, p, off)
	}
	return source.ReadAt(p, off)
}

// content is a source, with what it can do asked for once.
type content struct {
	io.ReaderAt
	lender  Lender
	inPlace bool
	data    extents // where something else than zeros is; nil where all may be
	sparse  bool
	size    int64 // where it ends, if that is known
}

// newContent asks a source what it can do, and of the bytes before limit, which are
// zeros. What it opens for that is for own to close.
func newContent(s io.ReaderAt, limit int64, own func(io.Closer)) (*content, error) {
	if f, ok := s.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			m, err := MapFile(f)
			if err != nil {
				return nil, err
			}
			own(m)
			s = m
		}
	}
	c := &content{ReaderAt: s, size: math.MaxInt64}
	if m, ok := s.(*MappedFile); ok {
		info, err := m.file.Stat()
		if err != nil {
			return nil, fmt.Errorf("pager: %w", err)
		}
		c.size = info.Size()
	}
	c.lender, _ = s.(Lender)
	_, c.inPlace = s.(InPlace)
	if s, ok := s.(Sparse); ok {
		var err error
		if c.data, err = readExtents(s, limit); err != nil {
			return nil, err
		}
		c.sparse = true
	}
	return c, nil
}
