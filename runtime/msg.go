package userfaultfd

import (
	"fmt"
	"unsafe"

	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"golang.org/x/sys/unix"
)

// A Msg is a message as the kernel wrote it. [Msg.Event] says of which kind
// it is, and so which of the other methods has its content.
type Msg struct{ raw uffd.UffdMsg }

// MsgSize is the length of a message in bytes, on every architecture.
const MsgSize = int(unsafe.Sizeof(Msg{}))

// An Event is the kind of a message. A kind that this package does not know
// is delivered like any other.
type Event uint8

// The kinds of messages.
const (
	EventPagefault Event = uffd.UFFD_EVENT_PAGEFAULT // a thread waits for a page: Msg.Pagefault
	EventFork      Event = uffd.UFFD_EVENT_FORK      // the process has forked: Msg.Fork; since Linux 4.11
	EventRemap     Event = uffd.UFFD_EVENT_REMAP     // mremap(2) has moved memory: Msg.Remap; since Linux 4.11
	EventRemove    Event = uffd.UFFD_EVENT_REMOVE    // madvise(2) has discarded pages: Msg.Remove; since Linux 4.11
	EventUnmap     Event = uffd.UFFD_EVENT_UNMAP     // memory is no longer mapped: Msg.Unmap; since Linux 4.11
)

// String returns the name without UFFD_EVENT_, or the number.
func (e Event) String() string {
	switch e {
	case EventPagefault:
		return "PAGEFAULT"
	case EventFork:
		return "FORK"
	case EventRemap:
		return "REMAP"
	case EventRemove:
		return "REMOVE"
	case EventUnmap:
		return "UNMAP"
	}
	return fmt.Sprintf("%#x", uint8(e))
}

// PagefaultFlags says what kind of access faulted and why. Unknown bits are
// kept and printed as numbers.
type PagefaultFlags uint64

// The flags of a [Pagefault].
const (
	PagefaultWrite PagefaultFlags = uffd.UFFD_PAGEFAULT_FLAG_WRITE // the access was a write
	PagefaultWP    PagefaultFlags = uffd.UFFD_PAGEFAULT_FLAG_WP    // the page is write-protected; since Linux 5.7
	PagefaultMinor PagefaultFlags = uffd.UFFD_PAGEFAULT_FLAG_MINOR // the page is in the page cache; since Linux 5.13
	PagefaultRWP   PagefaultFlags = uffd.UFFD_PAGEFAULT_FLAG_RWP   // the page is access-protected; since Linux 7.3
)

var pagefaultFlagNames = sys.BitNames{Prefix: "UFFD_PAGEFAULT_FLAG_", Names: [64]string{"WRITE", "WP", "MINOR", "RWP"}}

// String returns the names without UFFD_PAGEFAULT_FLAG_, joined by "|".
func (f PagefaultFlags) String() string { return pagefaultFlagNames.Format(uint64(f)) }

// A Pagefault is a thread that waits for a page. One fault can be delivered
// several times: a signal makes the thread fault again.
type Pagefault struct {
	Address  uint64 // the page's first byte, or the byte itself with FeatureExactAddress, where the hardware tells
	Flags    PagefaultFlags
	ThreadID uint32 // with FeatureThreadID, in the reader's PID namespace; else 0
}

// Page returns the page of that size, in bytes, that the fault is in: what the
// operation that resolves it is for.
func (p Pagefault) Page(size int) Range {
	return Range{p.Address &^ (uint64(size) - 1), uint64(size)}
}

// A Fork is the child that the process has forked: a descriptor of the
// child's own userfaultfd, with the same registrations and features. Whoever
// reads the message owns it, and calls File or Close. The fork(2) has waited
// for the message to be read.
//
// Close-on-exec was set for the descriptor by the kernel if the first
// userfaultfd was opened with it, as it should be, else by [File.Read] just
// after: a program that was started in between has inherited it.
type Fork struct {
	FD int
}

// File makes a File of the descriptor and owns it from then on; where it
// fails, it has closed it. The child is served by that File alone. The errors
// are those of [NewFile].
func (f Fork) File() (*File, error) {
	file, err := NewFile(f.FD)
	if err != nil {
		unix.Close(f.FD)
	}
	return file, err
}

// Close closes the descriptor unused: the child is not served. Its memory is
// no longer registered then, and pages that are missing are zeros to it.
func (f Fork) Close() error {
	if err := unix.Close(f.FD); err != nil {
		return &Error{Op: "close", Err: err}
	}
	return nil
}

// A Remap is memory that mremap(2) has moved. The registration has moved with
// it: faults are delivered with addresses from To on, and the handler moves
// what it keeps by address.
type Remap struct {
	From, To uint64
	Len      uint64 // bytes
}

// Event returns the kind of the message.
func (m *Msg) Event() Event { return Event(m.raw.Event) }

// Pagefault returns the content of a PAGEFAULT message.
func (m *Msg) Pagefault() Pagefault {
	p := m.raw.Pagefault()
	return Pagefault{p.Address, PagefaultFlags(p.Flags), p.Ptid}
}

// Fork returns the content of a FORK message.
func (m *Msg) Fork() Fork { return Fork{int(m.raw.Fork().Ufd)} }

// Remap returns the content of a REMAP message.
func (m *Msg) Remap() Remap {
	r := m.raw.Remap()
	return Remap{r.From, r.To, r.Len}
}

// Remove returns the range of a REMOVE message. The thread that discards it
// has waited for the message to be read, and goes on with it then. Its pages
// fault again, and the handler owes them zeros, not what they held before.
func (m *Msg) Remove() Range { return m.removed() }

// Unmap returns the range of an UNMAP message: it is no longer registered, and
// no fault will come from there. The handler forgets what it kept for it.
func (m *Msg) Unmap() Range { return m.removed() }

func (m *Msg) removed() Range {
	r := m.raw.Remove()
	return Range{r.Start, r.End - r.Start}
}

// String describes the message in a line.
func (m *Msg) String() string {
	switch m.Event() {
	case EventPagefault:
		p := m.Pagefault()
		s := fmt.Sprintf("PAGEFAULT %#x %v", p.Address, p.Flags)
		if p.ThreadID != 0 {
			s += fmt.Sprintf(" thread %d", p.ThreadID)
		}
		return s
	case EventFork:
		return fmt.Sprintf("FORK descriptor %d", m.Fork().FD)
	case EventRemap:
		r := m.Remap()
		return fmt.Sprintf("REMAP %v to %#x", Range{r.From, r.Len}, r.To)
	case EventRemove, EventUnmap:
		return fmt.Sprintf("%v %v", m.Event(), m.removed())
	}
	return fmt.Sprintf("event %v % x", m.Event(), m.bytes()[unsafe.Offsetof(m.raw.Arg):])
}

// UnmarshalBinary reads a message of [MsgSize] bytes in the machine's byte
// order, as read(2) on a userfaultfd gives it. Anything of another length is
// unix.EINVAL.
func (m *Msg) UnmarshalBinary(b []byte) error {
	if len(b) != MsgSize {
		return &Error{Op: "message", Err: fmt.Errorf("%w: %d bytes instead of %d", unix.EINVAL, len(b), MsgSize)}
	}
	copy(m.bytes(), b)
	return nil
}

// bytes returns m's memory. A Msg has no pointers and no padding, so its bytes
// are its value (package unsafe, rule 1: an array of bytes of the same size).
func (m *Msg) bytes() []byte { return (*[MsgSize]byte)(unsafe.Pointer(m))[:] }
