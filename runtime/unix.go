package userfaultfd

import (
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// SendTo sends f's descriptor (SCM_RIGHTS) over a unix socket, with p beside
// it. f stays open, and the receiver's descriptor is of the same userfaultfd:
// it goes on serving this process's memory when f is closed. An empty p is
// sent as one zero byte, since a descriptor cannot travel alone. Whether it
// blocks must be left as it is by the receiver: the two share that.
func (f *File) SendTo(c *net.UnixConn, p []byte) error {
	if err := f.acquire(); err != nil {
		return &Error{Op: "sendmsg", Err: err}
	}
	if len(p) == 0 {
		p = []byte{0}
	}
	f.reader.shared.Store(true)
	n, oobn, err := c.WriteMsgUnix(p, unix.UnixRights(f.fd), nil)
	f.release()
	if err != nil {
		return &Error{Op: "sendmsg", Err: err}
	}
	if oobn == 0 || n == 0 {
		return &Error{Op: "sendmsg", Err: errors.New("the socket took no descriptor")}
	}
	// A stream may take less; the descriptor has gone with the first byte.
	for n < len(p) {
		more, err := c.Write(p[n:])
		if err != nil {
			return &Error{Op: "sendmsg", Err: err}
		}
		n += more
	}
	return nil
}

// ReceiveFrom receives a userfaultfd that another process sent over a unix
// socket, after its handshake, and up to len(p) bytes beside it, of which it
// returns the number. p must have room for one byte at least. A stream may
// bring the rest of what was sent later; the caller reads it from c. A packet
// that is longer than p is unix.EMSGSIZE. The descriptor
// is the File's, with the close-on-exec flag. Other descriptors that came with
// the message are closed; without a userfaultfd among them the error is
// unix.ENOTTY.
func ReceiveFrom(c *net.UnixConn, p []byte) (f *File, n int, err error) {
	if len(p) == 0 {
		return nil, 0, &Error{Op: "recvmsg", Err: fmt.Errorf("%w: no room for the byte that carries the descriptor", unix.EINVAL)}
	}
	oob := make([]byte, unix.CmsgSpace(maxDescriptors*4))
	n, oobn, flags, _, err := c.ReadMsgUnix(p, oob)
	if err != nil {
		return nil, n, &Error{Op: "recvmsg", Err: err}
	}
	fds, err := descriptors(oob[:oobn])
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	if err == nil && flags&unix.MSG_TRUNC != 0 {
		err = fmt.Errorf("%w: the packet is longer than the %d bytes there was room for", unix.EMSGSIZE, len(p))
	}
	if err == nil && flags&unix.MSG_CTRUNC != 0 {
		err = fmt.Errorf("more than %d descriptors in one message", maxDescriptors)
	}
	if err != nil {
		return nil, n, &Error{Op: "recvmsg", Err: err}
	}
	err = &Error{Op: "recvmsg", Err: fmt.Errorf("%w: the message brought no descriptor", unix.ENOTTY)}
	for i, fd := range fds {
		f, err = NewFile(fd)
		if err == nil {
			fds = append(fds[:i:i], fds[i+1:]...)
			return f, n, nil
		}
	}
	return nil, n, err
}

// maxDescriptors is the number of descriptors that Linux puts in one message
// (SCM_MAX_FD).
const maxDescriptors = 253

// descriptors returns the descriptors in control messages. With an error, it
// returns those that it found before.
func descriptors(oob []byte) ([]int, error) {
	var fds []int
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range msgs {
		if msgs[i].Header.Level != unix.SOL_SOCKET || msgs[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		rights, err := unix.ParseUnixRights(&msgs[i])
		fds = append(fds, rights...)
		if err != nil {
			return fds, err
		}
	}
	return fds, nil
}
