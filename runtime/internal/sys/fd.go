package sys

import (
	"os"
	"sync"
	"sync/atomic"
)

// An FD is an open file whose number the operations use directly. It
// counts them, and closes the file when it is closed and the last of them is
// done: no operation can reach another file that was later given the same
// number. The zero FD is closed.
type FD struct {
	Int  int      // for system calls, between Acquire and Release
	File *os.File // owns it

	// state counts the operations in its low bits; opened is set until
	// close.
	state    atomic.Int64
	once     sync.Once
	closed   chan struct{} // closed once the file is
	closeErr error
}

const opened = 1 << 62

// Open makes d own fd.
func (d *FD) Open(fd int, name string) {
	d.Int = fd
	d.File = os.NewFile(uintptr(fd), name)
	d.closed = make(chan struct{})
	d.state.Store(opened)
}

// Acquire keeps d open until Release, or returns os.ErrClosed. Both are inlined: an
// operation on a page has no time for calls.
func (d *FD) Acquire() error {
	if d.state.Add(1)&opened != 0 {
		return nil
	}
	return d.refuse()
}

//go:noinline
func (d *FD) refuse() error {
	d.Release()
	return os.ErrClosed
}

// Release ends what Acquire began.
func (d *FD) Release() {
	if d.state.Add(-1) == 0 {
		d.end()
	}
}

// end closes the file, once.
func (d *FD) end() {
	if d.closed == nil {
		return
	}
	d.once.Do(func() {
		d.closeErr = d.File.Close()
		close(d.closed)
	})
}

// IsClosed reports whether d was closed, or never opened.
func (d *FD) IsClosed() bool { return d.state.Load()&opened == 0 }

// Close lets no new operation begin and returns once the file is closed.
func (d *FD) Close() error {
	if err := d.Acquire(); err != nil {
		return err
	}
	if d.state.And(^opened)&opened == 0 {
		d.Release()
		return os.ErrClosed // another close was faster
	}
	d.Release()
	<-d.closed
	return d.closeErr
}
