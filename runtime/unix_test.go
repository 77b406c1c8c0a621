package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// socketpair returns two ends of a unix socket of a kind (unix.SOCK_STREAM),
// for as long as the test runs.
func socketpair(t testing.TB, kind int) (a, b *net.UnixConn) {
	t.Helper()
	here, there := socketFiles(t, kind)
	return fileConn(t, here), fileConn(t, there)
}

// socketFiles returns two ends of a unix socket, for other programs too: they
// block.
func socketFiles(t testing.TB, kind int) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
}

// fileConn makes a connection of a socket, which is closed.
func fileConn(t testing.TB, file *os.File) *net.UnixConn {
	t.Helper()
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}

func TestSendToAndReceiveFrom(t *testing.T) {
	for _, s := range []struct {
		name string
		kind int
	}{{"a stream", unix.SOCK_STREAM}, {"packets", unix.SOCK_SEQPACKET}} {
		for _, blocking := range []bool{false, true} {
			name := "over " + s.name
			if blocking {
				name += ", blocking"
			}
			t.Run(name, func(t *testing.T) {
				f := openConfig(t, userfaultfd.Config{Features: userfaultfd.FeatureEventRemove, Blocking: blocking})
				m := mapMemory(t, userfaultfd.Anonymous, 1)
				register(t, f, m, userfaultfd.RegisterMissing)
				here, there := socketpair(t, s.kind)
				if err := f.SendTo(here, []byte("hello")); err != nil {
					t.Fatal(err)
				}
				var p [16]byte
				g, n, err := userfaultfd.ReceiveFrom(there, p[:])
				if err != nil || string(p[:n]) != "hello" {
					t.Fatalf("ReceiveFrom: %q, %v", p[:n], err)
				}
				defer g.Close()
				if g.Features() != f.Features() || g.Blocking() != blocking {
					t.Errorf("received with features %v, blocking %v", g.Features(), g.Blocking())
				}
				f.Close() // what was sent goes on without it
				done := touch(m.Range(), m.PageSize(), false)
				var buf [1]userfaultfd.Msg
				if _, err := g.Read(buf[:]); err != nil {
					t.Fatal(err)
				}
				if _, err := g.Copy(buf[0].Pagefault().Address, bytes.Repeat([]byte{4}, m.PageSize()), 0); err != nil {
					t.Fatal(err)
				}
				if err := within(t, "the touch", done); err != nil {
					t.Fatal(err)
				}
				filled(t, m.Bytes(), 4)
			})
		}
	}
	t.Run("sends a zero byte where there is nothing else to say", func(t *testing.T) {
		f := open(t, 0)
		here, there := socketpair(t, unix.SOCK_STREAM)
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
		f := open(t, 0)
		here, _ := socketpair(t, unix.SOCK_STREAM)
		sent := during(func() error { return f.SendTo(here, make([]byte, 8<<20)) })
		asleep(t, sent)
		if err := within(t, "Close", during(f.Close)); err != nil {
			t.Error(err)
		}
		here.Close()
		within(t, "SendTo", sent)
	})
	t.Run("tells of a packet that there was no room for, and leaks no descriptor", func(t *testing.T) {
		f := open(t, 0)
		here, there := socketpair(t, unix.SOCK_SEQPACKET)
		if err := f.SendTo(here, []byte("a long message")); err != nil {
			t.Fatal(err)
		}
		before := descriptors()
		if g, _, err := userfaultfd.ReceiveFrom(there, make([]byte, 4)); g != nil || !errors.Is(err, unix.EMSGSIZE) {
			t.Errorf("ReceiveFrom: %v, %v; want EMSGSIZE", g, err)
		}
		if after := descriptors(); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
	t.Run("fails on a socket that is closed", func(t *testing.T) {
		f := open(t, 0)
		here, there := socketpair(t, unix.SOCK_STREAM)
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
		here, there := socketpair(t, unix.SOCK_STREAM)
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
			before := descriptors()
			var p [1]byte
			f, n, err := userfaultfd.ReceiveFrom(there, p[:])
			if f != nil || n != 1 || !errors.Is(err, unix.ENOTTY) {
				t.Errorf("ReceiveFrom: %v, %d, %v; want ENOTTY", f, n, err)
			}
			if after := descriptors(); after != before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
	t.Run("the userfaultfd is found among others", func(t *testing.T) {
		f := open(t, 0)
		dup, err := f.Dup()
		if err != nil {
			t.Fatal(err)
		}
		defer dup.Close()
		there := send(t, []byte("x"), other, int(dup.Fd()), other)
		before := descriptors()
		var p [1]byte
		g, _, err := userfaultfd.ReceiveFrom(there, p[:])
		if err != nil {
			t.Fatal(err)
		}
		if after := descriptors(); after != before+1 {
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

func TestNewFile(t *testing.T) {
	t.Run("takes over a descriptor that is negotiated", func(t *testing.T) {
		f := open(t, userfaultfd.FeatureThreadID)
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
		g, err := userfaultfd.DupFile(dup)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if g.Features() != userfaultfd.FeatureThreadID || g.Ioctls() != f.Ioctls() || g.Blocking() {
			t.Errorf("features %v, operations %v, blocking %v", g.Features(), g.Ioctls(), g.Blocking())
		}
	})
	t.Run("sets close-on-exec", func(t *testing.T) {
		fd, err := unix.Dup(rawDescriptor(t, open(t, 0)))
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
			open(t, 0) // or skip
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
