package userfaultfd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read waits for messages and reads as many as there are, and as buf has room
// for. It returns their number, which is above zero where there is no error,
// and does not allocate.
//
// One goroutine reads at a time; others wait for their turn. Waiting costs no
// thread unless f is blocking. Read ends with [os.ErrDeadlineExceeded] at the
// deadline and with [os.ErrClosed] when f is closed. An empty buf is
// unix.EINVAL. See read(2) and userfaultfd(2).
//
// A FORK message carries a descriptor that is the caller's from then on. It
// has the close-on-exec flag; where f is blocking, and came from a process that
// opened it without that flag, a program that is started at the same moment
// may inherit it.
func (f *File) Read(buf []Msg) (int, error) { return f.ReadContext(context.Background(), buf) }

// ReadContext is [File.Read] that ends with ctx's error when ctx is done.
// Nothing is lost then: messages stay where they are. With a ctx that can be
// done it allocates, and with a blocking f besides it fails at once with
// [os.ErrNoDeadline].
func (f *File) ReadContext(ctx context.Context, buf []Msg) (int, error) {
	n, err := f.read(ctx, buf)
	if err != nil {
		return n, &Error{Op: "read", Err: err}
	}
	return n, nil
}

// SetReadDeadline sets the time at which a read ends with
// [os.ErrDeadlineExceeded], those under way among them. The zero Time is no
// deadline. A blocking f knows none: [os.ErrNoDeadline].
func (f *File) SetReadDeadline(t time.Time) error {
	if err := f.acquire(); err != nil {
		return &Error{Op: "SetReadDeadline", Err: err}
	}
	defer f.release()
	if f.blocking {
		return &Error{Op: "SetReadDeadline", Err: os.ErrNoDeadline}
	}
	r := &f.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	r.deadline = t
	if r.interrupted {
		return nil // it is set when the interrupted read ends
	}
	if err := f.file.SetReadDeadline(t); err != nil {
		return &Error{Op: "SetReadDeadline", Err: err}
	}
	return nil
}

// reader is the reading side of a File.
type reader struct {
	turn chan struct{} // holds one token: whose it is may read

	// What the turn's holder reads, and what came of it. step is bound once,
	// so that a read does not allocate.
	buf   []Msg
	n     int
	errno unix.Errno
	step  func(fd uintptr) bool

	shared atomic.Bool // others may have the open file, and change its flags
	forks  bool        // FORK messages may come
	tells  bool        // the scheduler of reads of a shared file
	vector unix.Iovec  // for preadv2(2), during a call

	mu          sync.Mutex
	deadline    time.Time // the caller's
	interrupted bool      // the deadline in force is in the past, to end the read
	tid         int       // the thread of a blocking read, 0 if there is none
}

func (r *reader) init() {
	r.turn = make(chan struct{}, 1)
	r.turn <- struct{}{}
	r.step = r.tryRead
}

func (r *reader) endTurn() {
	r.buf = nil
	r.turn <- struct{}{}
}

func (f *File) read(ctx context.Context, buf []Msg) (int, error) {
	if len(buf) == 0 {
		return 0, fmt.Errorf("%w: no room for a message", unix.EINVAL)
	}
	if err := f.acquire(); err != nil {
		return 0, err
	}
	defer f.release()
	if f.blocking && ctx.Done() != nil {
		return 0, os.ErrNoDeadline
	}
	r := &f.reader
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	select {
	case <-r.turn: // nobody else reads: spare the dearer wait
	default:
		select {
		case <-f.closing:
			return 0, os.ErrClosed
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-r.turn:
		}
	}
	r.buf = buf
	defer r.endTurn()

	var err error
	if f.blocking {
		err = f.waitBlocking()
	} else {
		err = f.wait(ctx)
	}
	if err != nil {
		return 0, err
	}
	return r.n, nil
}

// wait reads through the network poller.
func (f *File) wait(ctx context.Context) error {
	r := &f.reader
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, f.interruptReader)
		defer func() {
			if !stop() {
				f.resumeReader()
			}
		}()
	}
	for {
		err := f.raw.Read(r.step)
		switch {
		case err == nil:
			if r.errno != 0 {
				return r.errno
			}
			return nil
		case f.isClosed():
			return os.ErrClosed
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded) && f.staleInterrupt():
			continue
		}
		return err
	}
}

// tryRead reads what there is, and reports whether the wait is over.
func (r *reader) tryRead(fd uintptr) bool {
	for {
		n, errno := r.readMessages(fd)
		switch errno {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			// Nothing yet, or the fault that woke us was withdrawn: a signal
			// makes a waiting thread leave and fault again.
			return false
		}
		r.n, r.errno = n, errno
		return true
	}
}

// readMessages reads once and does not wait.
//
// It does not tell the scheduler, so it must not block: a thread that blocks
// with a processor in its hands stops the whole program at the next garbage
// collection. A file that is ours alone is non-blocking. From one that others
// have too they can take that away at any time, and they are not to have such
// power: the kernel is asked not to wait, call by call, which it understands
// since Linux 6.10; or else the scheduler is told, which costs half a fault's
// time on one CPU.
func (r *reader) readMessages(fd uintptr) (n int, errno unix.Errno) {
	shared := r.shared.Load()
	if shared && r.forks {
		// A child's descriptor has close-on-exec only if its parent's was
		// opened so. No program is to be started before it is set.
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
	}
	// The buffer and r are on the heap (package unsafe, rule 4).
	var size uintptr
	buf, length := unsafe.Pointer(unsafe.SliceData(r.buf)), uintptr(len(r.buf)*MsgSize)
	if !shared {
		size, _, errno = syscall.RawSyscall6(unix.SYS_READ, fd, uintptr(buf), length, 0, 0, 0)
	} else {
		errno = unix.EOPNOTSUPP
		if !r.tells {
			r.vector.Base = (*byte)(buf)
			r.vector.SetLen(int(length))
			const here = ^uintptr(0) // no offset
			size, _, errno = syscall.RawSyscall6(unix.SYS_PREADV2, fd, uintptr(unsafe.Pointer(&r.vector)), 1, here, here, unix.RWF_NOWAIT)
			r.vector.Base = nil
		}
		if errno == unix.EOPNOTSUPP || errno == unix.ENOSYS {
			r.tells = true
			size, _, errno = syscall.Syscall(unix.SYS_READ, fd, uintptr(buf), length)
		}
	}
	if errno != 0 {
		return 0, errno
	}
	n = int(size) / MsgSize
	if shared && r.forks {
		closeOnExec(r.buf[:n])
	}
	return n, 0
}

// closeOnExec sets that flag for the descriptors that messages bring.
func closeOnExec(msgs []Msg) {
	for i := range msgs {
		if msgs[i].Event() == EventFork {
			unix.CloseOnExec(msgs[i].Fork().FD)
		}
	}
}

// waitBlocking reads by a thread of its own, which Close can interrupt.
func (f *File) waitBlocking() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r := &f.reader
	r.setThread(unix.Gettid())
	defer r.setThread(0)
	for {
		if f.isClosed() {
			return os.ErrClosed
		}
		n, _, errno := syscall.Syscall(unix.SYS_READ, uintptr(f.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(r.buf))), uintptr(len(r.buf)*MsgSize))
		switch errno {
		case 0:
			r.n = int(n) / MsgSize
			closeOnExec(r.buf[:r.n])
			return nil
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			// Whoever shares the file has made it non-blocking, or a Close is
			// about to end this read.
			unix.Poll([]unix.PollFd{{Fd: int32(f.fd), Events: unix.POLLIN}}, -1)
			continue
		}
		return errno
	}
}

func (r *reader) setThread(tid int) {
	r.mu.Lock()
	r.tid = tid
	r.mu.Unlock()
}

// interruptReader ends a read that is under way.
func (f *File) interruptReader() {
	if f.blocking {
		f.interruptBlocking()
		return
	}
	r := &f.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupted = true
	f.file.SetReadDeadline(time.Unix(1, 0))
}

// resumeReader puts the caller's deadline back after interruptReader, unless
// f is closing.
func (f *File) resumeReader() {
	r := &f.reader
	r.mu.Lock()
	defer r.mu.Unlock()
	if !f.isClosed() {
		r.interrupted = false
		f.file.SetReadDeadline(r.deadline)
	}
}

// staleInterrupt reports whether a read was ended for another reader's
// context, and puts the caller's deadline back.
func (f *File) staleInterrupt() bool {
	r := &f.reader
	r.mu.Lock()
	stale := r.interrupted
	r.mu.Unlock()
	if stale {
		f.resumeReader()
	}
	return stale
}

// interruptBlocking ends a read(2) that holds a thread. Closing the descriptor
// would not: the read goes on with the file. A signal makes the kernel start
// the read anew, and that returns at once if the file no longer blocks. The
// flag belongs to the open file, which other processes may share, so it is
// changed only while there is a reader, each time anew, since another Close
// may have put it back. SIGURG is the signal that the Go runtime itself sends
// to its threads at any time.
func (f *File) interruptBlocking() {
	r := &f.reader
	changed := false
	for {
		r.mu.Lock()
		tid := r.tid
		if tid != 0 {
			changed = unix.SetNonblock(f.fd, true) == nil || changed
			unix.Tgkill(unix.Getpid(), tid, unix.SIGURG)
		}
		r.mu.Unlock()
		if tid == 0 {
			break
		}
		time.Sleep(100 * time.Microsecond)
	}
	if changed {
		unix.SetNonblock(f.fd, false)
	}
}
