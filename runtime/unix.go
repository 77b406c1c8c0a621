package userfaultfd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"golang.org/x/sys/unix"
)

// SendTo sends f's descriptor (SCM_RIGHTS) over a unix socket, with p beside
// it. f stays open, and the receiver's descriptor is of the same userfaultfd:
// it goes on serving this process's memory when f is closed. An empty p is
// sent as one zero byte, since a descriptor cannot travel alone.
//
// SendTo waits for a peer that does not read, as c's write deadline allows.
// Closing f does not end it.
func (f *File) SendTo(c *net.UnixConn, p []byte) error {
	// A duplicate travels, so that nothing keeps Close waiting.
	file, err := f.Dup()
	if err != nil {
		return err
	}
	defer file.Close()
	if len(p) == 0 {
		p = []byte{0}
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return &Error{Op: "sendmsg", Err: err}
	}
	fd := -1
	raw.Control(func(dup uintptr) { fd = int(dup) }) // open until file is closed
	n, oobn, err := c.WriteMsgUnix(p, unix.UnixRights(fd), nil)
	if err != nil {
		return &Error{Op: "sendmsg", Err: err}
	}
	if oobn == 0 || n == 0 {
		return &Error{Op: "sendmsg", Err: errors.New("the socket took no descriptor")}
	}
	// A stream may take less; the descriptor has gone with the first byte.
	if n < len(p) {
		_, err = c.Write(p[n:])
	}
	if err != nil {
		return &Error{Op: "sendmsg", Err: err}
	}
	return nil
}

// ReceiveFrom receives a userfaultfd that another process sent over a unix
// socket, after its handshake, and up to len(p) bytes beside it, of which it
// returns the number. p must have room for one byte at least. A stream may
// bring the rest of what was sent later; the caller reads it from c. A packet
// that is longer than p is unix.EMSGSIZE.
//
// The descriptor is treated as by [NewFile]. All others that came with the
// message are closed; without a userfaultfd among them the error is
// unix.ENOTTY, and [io.EOF] where the peer has closed its end.
func ReceiveFrom(c *net.UnixConn, p []byte) (f *File, n int, err error) {
	if len(p) == 0 {
		return nil, 0, &Error{Op: "recvmsg", Err: fmt.Errorf("%w: no room for the byte that carries the descriptor", unix.EINVAL)}
	}
	oob := make([]byte, controlSize)
	n, oobn, flags, _, err := c.ReadMsgUnix(p, oob)
	fds, controlErr := descriptors(oob[:oobn])
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	switch {
	case errors.Is(err, io.EOF) && len(fds) > 0:
		err = nil // a packet without a byte, no end
	case err != nil:
	case controlErr != nil:
		err = controlErr
	case flags&unix.MSG_TRUNC != 0:
		err = fmt.Errorf("%w: the packet is longer than the %d bytes there was room for", unix.EMSGSIZE, len(p))
	case flags&unix.MSG_CTRUNC != 0:
		err = fmt.Errorf("more than %d descriptors in one message", maxDescriptors)
	}
	if err != nil {
		return nil, n, &Error{Op: "recvmsg", Err: err}
	}
	err = &Error{Op: "recvmsg", Err: fmt.Errorf("%w: the message brought no descriptor", unix.ENOTTY)}
	for i, fd := range fds {
		f, err = NewFile(fd)
		if err == nil {
			fds = slices.Delete(fds, i, i+1)
			return f, n, nil
		}
	}
	return nil, n, err
}

// maxDescriptors is the number of descriptors that Linux puts in one message
// (SCM_MAX_FD).
const maxDescriptors = 253

// controlSize has room for the control messages of one message: descriptors,
// and what the socket's options add to them (a pidfd, credentials, a security
// label, a timestamp).
var controlSize = unix.CmsgSpace(maxDescriptors*4) + 1024

// descriptors returns the descriptors in control messages: those that were
// sent, and the sender's pidfd, which the kernel adds where the socket has
// SO_PASSPIDFD (Linux 6.5). With an error, it returns those before it.
func descriptors(oob []byte) (fds []int, err error) {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			return fds, err
		}
		oob = rest
		if h.Level == unix.SOL_SOCKET && (h.Type == unix.SCM_RIGHTS || h.Type == unix.SCM_PIDFD) {
			for ; len(data) >= 4; data = data[4:] {
				// In place of a pidfd there may be a negated errno.
				if fd := int32(binary.NativeEndian.Uint32(data)); fd >= 0 {
					fds = append(fds, int(fd))
				}
			}
		}
	}
	return fds, nil
}
