package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"unsafe"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

func TestSendToAndReceiveFrom(t *testing.T) {
	for _, s := range []struct {
		name string
		kind int
	}{{"a stream", unix.SOCK_STREAM}, {"packets", unix.SOCK_SEQPACKET}} {
		for _, blocking := range []bool{false, true} {
			name := "over " + s.name
			if blocking {
				name += ", opened as blocking"
			}
			t.Run(name, func(t *testing.T) {
				f := uffdtest.OpenConfig(t, userfaultfd.Config{Features: userfaultfd.FeatureEventRemove, Blocking: blocking})
				m := uffdtest.Map(t, memory.Anonymous, 1)
				uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
				here, there := uffdtest.Socketpair(t, s.kind)
				if err := f.SendTo(here, []byte("hello")); err != nil {
					t.Fatal(err)
				}
				var p [16]byte
				g, n, err := userfaultfd.ReceiveFrom(there, p[:])
				if err != nil || string(p[:n]) != "hello" {
					t.Fatalf("ReceiveFrom: %q, %v", p[:n], err)
				}
				defer g.Close()
				if g.Features() != f.Features() {
					t.Errorf("received with features %v, want %v", g.Features(), f.Features())
				}
				f.Close() // what was sent goes on without it
				done := uffdtest.Touch(m.Range(), m.PageSize(), false)
				var buf [1]userfaultfd.Msg
				if _, err := g.Read(buf[:]); err != nil {
					t.Fatal(err)
				}
				if _, err := g.Copy(buf[0].Pagefault().Address, bytes.Repeat([]byte{4}, m.PageSize()), 0); err != nil {
					t.Fatal(err)
				}
				if err := uffdtest.Within(t, "the touch", done); err != nil {
					t.Fatal(err)
				}
				uffdtest.Filled(t, m.Bytes(), 4)
			})
		}
	}
	t.Run("sends a zero byte where there is nothing else to say", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		here, there := uffdtest.Socketpair(t, unix.SOCK_STREAM)
		if err := f.SendTo(here, nil); err != nil {
			t.Fatal(err)
		}
		p := []byte{7}
		g, n, err := userfaultfd.ReceiveFrom(there, p)
		if err != nil || n != 1 || p[0] != 0 {
			t.Fatalf("ReceiveFrom: % x, %v", p[:n], err)
		}
		g.Close()
	})
	t.Run("leaves Close alone while the receiver does not read", func(t *testing.T) {
		for _, s := range []struct {
			name string
			kind int
			more []byte // what is sent beside the descriptor
		}{
			{"what comes after the descriptor", unix.SOCK_STREAM, make([]byte, 8<<20)},
			{"the descriptor itself", unix.SOCK_SEQPACKET, nil},
		} {
			t.Run(s.name, func(t *testing.T) {
				f := uffdtest.Open(t, 0)
				here, _ := uffdtest.Socketpair(t, s.kind)
				if s.more == nil {
					fillSocket(t, here)
				}
				sent := uffdtest.During(func() error { return f.SendTo(here, s.more) })
				uffdtest.Asleep(t, sent)
				if err := uffdtest.Within(t, "Close", uffdtest.During(f.Close)); err != nil {
					t.Error(err)
				}
				here.Close()
				uffdtest.Within(t, "SendTo", sent)
			})
		}
	})
	t.Run("tells of a packet that there was no room for, and leaks no descriptor", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		here, there := uffdtest.Socketpair(t, unix.SOCK_SEQPACKET)
		if err := f.SendTo(here, []byte("a long message")); err != nil {
			t.Fatal(err)
		}
		before := uffdtest.Descriptors()
		if g, _, err := userfaultfd.ReceiveFrom(there, make([]byte, 4)); g != nil || !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("ReceiveFrom: %v, %v; want EMSGSIZE", g, err)
		}
		if after := uffdtest.Descriptors(); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
	t.Run("fails on a socket that is closed", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		here, there := uffdtest.Socketpair(t, unix.SOCK_STREAM)
		there.Close()
		if err := f.SendTo(here, nil); !errors.Is(err, unix.EPIPE) {
			t.Errorf("SendTo: %v, want EPIPE", err)
		}
		if _, _, err := userfaultfd.ReceiveFrom(here, make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("ReceiveFrom: %v, want EOF", err)
		}
	})
}

func TestReceiveFromTakesNothingElse(t *testing.T) {
	send := func(t *testing.T, p []byte, fds ...int) *net.UnixConn {
		t.Helper()
		here, there := uffdtest.Socketpair(t, unix.SOCK_STREAM)
		if _, _, err := here.WriteMsgUnix(p, unix.UnixRights(fds...), nil); err != nil {
			t.Fatal(err)
		}
		return there
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	other := int(null.Fd())
	for _, test := range []struct {
		name string
		fds  []int
	}{
		{"no descriptor", nil},
		{"a descriptor of another file", []int{other}},
		{"several of those", []int{other, other, other}},
	} {
		t.Run("a message with "+test.name+" is ENOTTY, and leaks none", func(t *testing.T) {
			there := send(t, []byte("x"), test.fds...)
			before := uffdtest.Descriptors()
			var p [1]byte
			f, n, err := userfaultfd.ReceiveFrom(there, p[:])
			if f != nil || n != 1 || !errors.Is(err, unix.ENOTTY) {
				t.Errorf("ReceiveFrom: %v, %d, %v; want ENOTTY", f, n, err)
			}
			if after := uffdtest.Descriptors(); after != before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
	t.Run("the userfaultfd is found among others", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		dup, err := f.Dup()
		if err != nil {
			t.Fatal(err)
		}
		defer dup.Close()
		there := send(t, []byte("x"), other, int(dup.Fd()), other)
		before := uffdtest.Descriptors()
		var p [1]byte
		g, _, err := userfaultfd.ReceiveFrom(there, p[:])
		if err != nil {
			t.Fatal(err)
		}
		if after := uffdtest.Descriptors(); after != before+1 {
			t.Errorf("%d descriptors before, %d after, want one more", before, after)
		}
		g.Close()
	})
	t.Run("there has to be room for a byte", func(t *testing.T) {
		if _, _, err := userfaultfd.ReceiveFrom(nil, nil); !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v, want EINVAL", err)
		}
	})
}

// TestReceiveFromLeaksNothing has a peer send descriptors in every way that it
// can: none may stay open, whatever ReceiveFrom makes of the message.
func TestReceiveFromLeaksNothing(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	other := int(null.Fd())
	t.Run("from a packet of no bytes", func(t *testing.T) {
		here, there := uffdtest.Socketpair(t, unix.SOCK_SEQPACKET)
		before := uffdtest.Descriptors()
		for range 5 {
			sendEmpty(t, here, other, other, other)
			if _, _, err := userfaultfd.ReceiveFrom(there, make([]byte, 8)); !errors.Is(err, unix.ENOTTY) {
				t.Errorf("ReceiveFrom: %v, want ENOTTY", err)
			}
		}
		if after := uffdtest.Descriptors(); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
	t.Run("and a userfaultfd in one is received", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		here, there := uffdtest.Socketpair(t, unix.SOCK_SEQPACKET)
		sendEmpty(t, here, rawDescriptor(t, f))
		g, n, err := userfaultfd.ReceiveFrom(there, make([]byte, 8))
		if err != nil || n != 0 {
			t.Fatalf("ReceiveFrom: %d, %v", n, err)
		}
		g.Close()
	})
	t.Run("from a socket with SO_PASSPIDFD", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		here, there := uffdtest.Socketpair(t, unix.SOCK_STREAM)
		raw, err := there.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSPIDFD, 1) })
		if errors.Is(err, unix.ENOPROTOOPT) {
			t.Skip("SO_PASSPIDFD (Linux 6.5)")
		}
		if err != nil {
			t.Fatal(err)
		}
		before := uffdtest.Descriptors()
		for range 3 {
			if err := f.SendTo(here, nil); err != nil {
				t.Fatal(err)
			}
			g, _, err := userfaultfd.ReceiveFrom(there, make([]byte, 8))
			if err != nil {
				t.Fatal(err)
			}
			g.Close()
		}
		if after := uffdtest.Descriptors(); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}

// sendEmpty sends a packet of no bytes with descriptors, which the net package
// cannot.
func sendEmpty(t *testing.T, c *net.UnixConn, fds ...int) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rights := unix.UnixRights(fds...)
	msg := unix.Msghdr{Control: &rights[0]}
	msg.SetControllen(len(rights))
	var errno unix.Errno
	raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall(unix.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&msg)), 0)
	})
	if errno != 0 {
		t.Fatal(errno)
	}
}

// fillSocket sends packets until the receiver's queue is full.
func fillSocket(t *testing.T, c *net.UnixConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	packet := make([]byte, 1<<10)
	raw.Control(func(fd uintptr) {
		for err == nil || err == unix.EINTR {
			_, err = unix.Write(int(fd), packet)
		}
	})
	if err != unix.EAGAIN {
		t.Fatal(err)
	}
}

func TestNewFile(t *testing.T) {
	t.Run("takes over a descriptor that is negotiated", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeatureThreadID)
		dup, err := f.Dup()
		if err != nil {
			t.Fatal(err)
		}
		defer dup.Close()
		raw, err := dup.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		raw.Control(func(fd uintptr) {
			if flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 || err != nil {
				t.Errorf("Dup has flags %#x, %v", flags, err)
			}
		})
		g, err := userfaultfd.FromFile(dup)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if g.Features() != userfaultfd.FeatureThreadID || g.Ioctls() != f.Ioctls() {
			t.Errorf("features %v, operations %v", g.Features(), g.Ioctls())
		}
	})
	t.Run("sets close-on-exec", func(t *testing.T) {
		fd, err := unix.Dup(rawDescriptor(t, uffdtest.Open(t, 0)))
		if err != nil {
			t.Fatal(err)
		}
		g, err := userfaultfd.NewFile(fd)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("flags %#x", flags)
		}
	})
	t.Run("makes the open file non-blocking", func(t *testing.T) {
		fd, err := unix.Dup(rawDescriptor(t, uffdtest.OpenConfig(t, userfaultfd.Config{Blocking: true})))
		if err != nil {
			t.Fatal(err)
		}
		g, err := userfaultfd.NewFile(fd)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); flags&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %#x", flags)
		}
	})
	t.Run("refuses another file with ENOTTY, and leaves it open", func(t *testing.T) {
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pipe[1])
		if _, err := userfaultfd.NewFile(pipe[0]); !errors.Is(err, unix.ENOTTY) {
			t.Errorf("got %v, want ENOTTY", err)
		}
		if err := unix.Close(pipe[0]); err != nil {
			t.Errorf("closing it afterwards: %v", err)
		}
	})
	t.Run("refuses a closed descriptor with EBADF", func(t *testing.T) {
		if _, err := userfaultfd.NewFile(1 << 20); !errors.Is(err, unix.EBADF) {
			t.Errorf("got %v, want EBADF", err)
		}
	})
	for _, flags := range []uintptr{unix.O_CLOEXEC, unix.O_CLOEXEC | unix.O_NONBLOCK} {
		t.Run(fmt.Sprintf("refuses a descriptor before its handshake, of flags %#x", flags), func(t *testing.T) {
			uffdtest.Open(t, 0) // or skip
			fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, flags, 0, 0)
			if errno != 0 {
				t.Fatalf("userfaultfd(2): %v", errno)
			}
			defer unix.Close(int(fd))
			if _, err := userfaultfd.NewFile(int(fd)); !errors.Is(err, unix.EINVAL) {
				t.Errorf("got %v, want EINVAL", err)
			}
		})
	}
}

// rawDescriptor returns f's descriptor, which stays f's.
func rawDescriptor(t testing.TB, f *userfaultfd.File) (fd int) {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(p uintptr) { fd = int(p) })
	return fd
}
