package userfaultfd

import (
	"os"
	"sync"
	"sync/atomic"
)

// A descriptor is an open file whose number the operations use directly. It
// counts them, and closes the file when it is closed and the last of them is
// done: no operation can reach another file that was later given the same
// number. The zero descriptor is closed.
type descriptor struct {
	fd   int
	file *os.File // owns fd

	// state counts the operations in its low bits; opened is set until
	// close.
	state    atomic.Int64
	once     sync.Once
	closing  chan struct{} // closed when close begins
	closed   chan struct{} // closed once the file is
	closeErr error
}

const opened = 1 << 62

func (d *descriptor) open(fd int, name string) {
	d.fd = fd
	d.file = os.NewFile(uintptr(fd), name)
	d.closing = make(chan struct{})
	d.closed = make(chan struct{})
	d.state.Store(opened)
}

// acquire keeps fd open until release, or returns os.ErrClosed.
func (d *descriptor) acquire() error {
	if d.state.Add(1)&opened == 0 {
		d.release()
		return os.ErrClosed
	}
	return nil
}

// release ends what acquire began.
func (d *descriptor) release() {
	if d.state.Add(-1) == 0 && d.closed != nil {
		d.once.Do(func() {
			d.closeErr = d.file.Close()
			close(d.closed)
		})
	}
}

func (d *descriptor) isClosed() bool { return d.state.Load()&opened == 0 }

// close lets no new operation begin, calls interrupt, which is to end those
// that wait, and returns once the file is closed.
func (d *descriptor) close(interrupt func()) error {
	for {
		s := d.state.Load()
		if s&opened == 0 {
			return os.ErrClosed
		}
		// Hold it open for as long as interrupt may need it.
		if d.state.CompareAndSwap(s, s&^opened+1) {
			break
		}
	}
	close(d.closing)
	interrupt()
	d.release()
	<-d.closed
	return d.closeErr
}
