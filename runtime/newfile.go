package userfaultfd

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// NewFile makes a File of a descriptor that is open already: inherited, or
// received by other means than [ReceiveFrom]. The handshake (UFFDIO_API) has
// been done with it. The descriptor belongs to the File from then on; with an
// error it stays the caller's, untouched.
//
// The descriptor gets the close-on-exec flag, and its open file is made
// non-blocking, which all who share it see. One of them who makes it blocking
// again gains little: reads notice, and go on. Only before Linux 6.10 can a
// read that was caught at it outstay its deadline, and Close wait for it,
// until the next message.
//
// A descriptor that is no userfaultfd is unix.ENOTTY, a closed one unix.EBADF,
// and one without the handshake unix.EINVAL.
func NewFile(fd int) (*File, error) {
	if err := check(fd); err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, &Error{Op: "fcntl", Err: err}
	}
	features, ioctls := fdinfo(fd)
	return newFile(fd, false, features, ioctls), nil
}

// FromFile is [NewFile] of a duplicate of file's descriptor. file stays the
// caller's to close.
func FromFile(file *os.File) (*File, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, &Error{Op: "dup", Err: err}
	}
	fd := -1
	var dupErr error
	if err := raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); err != nil {
		return nil, &Error{Op: "dup", Err: err}
	}
	if dupErr != nil {
		return nil, &Error{Op: "dup", Err: dupErr}
	}
	f, err := NewFile(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return f, nil
}

// check reports whether fd is a userfaultfd after its handshake.
func check(fd int) error {
	// An ioctl is not sent to a file of another kind where /proc can tell
	// first.
	if link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); err == nil && link != "anon_inode:[userfaultfd]" {
		return &Error{Op: "NewFile", Err: fmt.Errorf("%w: descriptor %d is %s, no userfaultfd", unix.ENOTTY, fd, link)}
	}
	// Waking threads that wait for a page is harmless, and before the
	// handshake every ioctl but UFFDIO_API is refused.
	page := uffd.UffdioRange{Start: 1 << 30, Len: uint64(os.Getpagesize())}
	switch errno := ioctl(fd, uffd.UFFDIO_WAKE, unsafe.Pointer(&page)); errno {
	case 0:
		return nil
	case unix.EINVAL:
		return &Error{Op: "NewFile", Err: fmt.Errorf("%w: descriptor %d: the handshake (UFFDIO_API) was not done", errno, fd)}
	default:
		return &Error{Op: "NewFile", Err: fmt.Errorf("descriptor %d: %w", fd, errno)}
	}
}

// initialized is the bit that the kernel keeps for itself among a
// userfaultfd's features, from Linux 5.16 on: the handshake was done.
const initialized = 1 << 31

// rangeIoctls are the operations on ranges, which /proc lists with the others.
const rangeIoctls = IoctlWake | IoctlCopy | IoctlZeropage | IoctlMove | IoctlWriteProtect | IoctlContinue | IoctlPoison | IoctlRWProtect

// fdinfo reads what /proc says of a userfaultfd: "API: aa:features:ioctls" in
// hexadecimal. Where /proc is missing, both are empty: nothing depends on
// them.
func fdinfo(fd int) (Features, Ioctls) {
	b, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return 0, 0
	}
	return parseFdinfo(string(b))
}

func parseFdinfo(s string) (Features, Ioctls) {
	for line := range strings.Lines(s) {
		value, ok := strings.CutPrefix(line, "API:")
		if !ok {
			continue
		}
		fields := strings.Split(strings.TrimSpace(value), ":")
		if len(fields) != 3 {
			break
		}
		features, _ := strconv.ParseUint(fields[1], 16, 64)
		ioctls, _ := strconv.ParseUint(fields[2], 16, 64)
		return Features(features &^ initialized), Ioctls(ioctls) &^ rangeIoctls
	}
	return 0, 0
}
