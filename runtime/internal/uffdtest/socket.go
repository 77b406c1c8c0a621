package uffdtest

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// UnixConn is fileConn with the deadline of tests, until another is set.
func UnixConn(t testing.TB, file *os.File) *net.UnixConn {
	t.Helper()
	conn := FileConn(t, file)
	conn.SetDeadline(time.Now().Add(Deadline))
	return conn
}

// Socketpair returns two ends of a unix socket of a kind (unix.SOCK_STREAM),
// for as long as the test runs.
func Socketpair(t testing.TB, kind int) (a, b *net.UnixConn) {
	t.Helper()
	here, there := SocketFiles(t, kind)
	return FileConn(t, here), FileConn(t, there)
}

// SocketFiles returns two ends of a unix socket, for other programs too: they
// block.
func SocketFiles(t testing.TB, kind int) (a, b *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
}

// FileConn makes a connection of a socket, which is closed.
func FileConn(t testing.TB, file *os.File) *net.UnixConn {
	t.Helper()
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UnixConn)
}
