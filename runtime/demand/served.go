package demand

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// A Served is a source as memory that another process serves: a slice for code
// that cannot be run again and touches too much for a [Slice]. It has no budget,
// and nothing is ever evicted.
type Served struct {
	memory *memory.Mapping
	file   *userfaultfd.File
	bytes  []byte
	conn   *net.UnixConn
	cmd    *exec.Cmd
	done   chan struct{} // closed by watch

	watched bool // by watch

	mu     sync.Mutex
	err    error
	closed bool

	userModeOnly bool
}

// MapServed makes size bytes of a source memory of this process, whose faults a
// pager process serves. The source is opened over there, by what was registered
// as name ([RegisterSource]) with arg; it should not depend on this process,
// which may be standing still until it is read. The pager process is this
// program, started anew: [PagerMain] says how.
//
// An error of the source's opening is returned. Reading is tried three times. A
// page that cannot be read is poisoned, then: whoever touches it gets SIGBUS,
// which [memory.Guard] makes an error of.
//
// Without privilege (see [userfaultfd.Open]) a system call that is given memory
// that is missing fails with EFAULT; see [Served.SystemCalls].
//
// Errors: unix.EINVAL (a size of less than a byte, or beyond the address space;
// PagerMain was not called), [userfaultfd.UnsupportedError] (FeaturePoison takes
// Linux 6.6), those of starting a process.
func MapServed(name, arg string, size int64) (*Served, error) {
	s := &Served{done: make(chan struct{})}
	if err := s.start(name, arg, size); err != nil {
		s.Close()
		return nil, &Error{Op: "map served", Err: err}
	}
	return s, nil
}

func (s *Served) start(name, arg string, size int64) (err error) {
	page := int64(os.Getpagesize())
	switch {
	case !pagerMainCalled.Load():
		return fmt.Errorf("%w: PagerMain was not called, so this program does not know that it can be a pager", unix.EINVAL)
	case size <= 0 || size > int64(maxInt)-page:
		return fmt.Errorf("%w: a size of %d bytes", unix.EINVAL, size)
	}
	c := userfaultfd.Config{Features: userfaultfd.FeaturePoison}
	s.file, err = userfaultfd.Open(c)
	if errors.Is(err, unix.EPERM) {
		c.UserModeOnly = true
		s.userModeOnly = true
		s.file, err = userfaultfd.Open(c)
	}
	if err != nil {
		return err
	}
	if s.memory, err = memory.Map(memory.Anonymous, int((size+page-1)&^(page-1)), 0); err != nil {
		return err
	}
	if _, err := s.file.Register(s.memory.Range(), userfaultfd.RegisterMissing); err != nil {
		return err
	}
	s.bytes = s.memory.Bytes()[:size:size]
	r := s.memory.Range()
	order, err := json.Marshal(order{Name: name, Arg: arg, Size: size, Start: r.Start, Len: r.Len})
	if err != nil {
		return err
	}
	if len(order) > maxOrder {
		return fmt.Errorf("%w: the name and argument of the source take %d bytes, of at most %d", unix.EINVAL, len(order), maxOrder)
	}
	if s.cmd, s.conn, err = startPager(supervisorRole); err != nil {
		return err
	}
	if err := s.file.SendTo(s.conn, order); err != nil {
		return err
	}
	if err := receiveReport(s.conn); err != nil {
		return err
	}
	s.watched = true
	go s.watch()
	return nil
}

// watch waits for the end of the pager process, after which nobody touches the
// memory by way of the userfaultfd any more.
func (s *Served) watch() {
	err := receiveReport(s.conn)
	if err == nil || errors.Is(err, io.EOF) {
		err = errors.New("the pager process has ended")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		err = os.ErrClosed
	}
	s.err = &Error{Op: "served", Err: err}
	close(s.done)
}

// Bytes returns the memory. Any code may touch it, at any time until Close; it
// waits for the source then, together with its processor (as in a page fault of
// a mapped file), and a collection waits for it. What is written there stays
// private to this process, and is lost.
func (s *Served) Bytes() []byte { return s.bytes }

// SystemCalls reports whether system calls may be given memory that is missing.
func (s *Served) SystemCalls() bool { return !s.userModeOnly }

// Done returns a channel that is closed when the pager process has ended. What
// was missing then is poisoned: whoever touches it gets SIGBUS, whoever waited
// for it has got it. What is in place stays.
func (s *Served) Done() <-chan struct{} { return s.done }

// Err returns why Done is closed, or nil if it is not.
func (s *Served) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the pager process, and unmaps the memory, which nobody may touch any
// more. A second Close returns [os.ErrClosed].
func (s *Served) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return &Error{Op: "close", Err: os.ErrClosed}
	}
	s.closed = true
	s.mu.Unlock()
	// The pager process goes first: what it puts in place or poisons after the
	// memory is unmapped could be whatever is mapped there by then.
	if s.cmd != nil {
		s.conn.CloseWrite() // which it takes as an order to end
		s.cmd.Wait()
		if s.watched {
			<-s.done
		} else {
			for receiveReport(s.conn) == nil {
			}
		}
		s.conn.Close()
	}
	if s.memory != nil {
		s.memory.Close()
	}
	if s.file != nil {
		s.file.Close()
	}
	s.bytes = nil
	return nil
}
