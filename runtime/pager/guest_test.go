package pager_test

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// guestEnv makes this program the guest of the Examples.
const guestEnv = "UFFD_TEST_GUEST"

func TestMain(m *testing.M) {
	if os.Getenv(guestEnv) != "" {
		if err := guest(); err != nil {
			log.Fatal("guest: ", err)
		}
		os.Exit(0)
	}
	uffdtest.Main(m)
}

// guest is a process whose memory comes from elsewhere: it sends its userfaultfd,
// and reads two pages.
func guest() error {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true, Optional: userfaultfd.FeaturePoison})
	if err != nil {
		f, err = userfaultfd.Open(userfaultfd.Config{}) // before Linux 5.11
	}
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 16*os.Getpagesize(), 0)
	if err != nil {
		return err
	}
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		return err
	}
	conn, err := net.FileConn(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	r := m.Range()
	if err := f.SendTo(conn.(*net.UnixConn), fmt.Appendf(nil, "%d %d", r.Start, r.Len)); err != nil {
		return err
	}
	for _, page := range []int{0, 7} {
		b := bytes.Clone(m.Bytes()[page*os.Getpagesize():][:64])
		fmt.Printf("the guest reads: %s\n", b[:bytes.IndexByte(b, 0)])
	}
	return nil
}

// startGuest starts one, whose output is the Example's.
func startGuest() (*net.UnixConn, *exec.Cmd) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		log.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), guestEnv+"=1")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	return conn.(*net.UnixConn), cmd
}

// receive returns what a guest sends.
func receive(conn *net.UnixConn) (*userfaultfd.File, userfaultfd.Range) {
	defer conn.Close()
	var text [64]byte
	f, n, err := userfaultfd.ReceiveFrom(conn, text[:])
	if err != nil {
		log.Fatal(err)
	}
	var r userfaultfd.Range
	fmt.Sscan(string(text[:n]), &r.Start, &r.Len)
	return f, r
}

// openSnapshot opens a snapshot for the guest, which nobody else will.
func openSnapshot() *os.File {
	f, err := os.CreateTemp("", "uffd-snapshot-")
	if err != nil {
		log.Fatal(err)
	}
	os.Remove(f.Name())
	size := os.Getpagesize()
	b := make([]byte, 16*size)
	for page := range 16 {
		copy(b[page*size:], fmt.Sprintf("page %d of the snapshot", page))
	}
	if _, err := f.Write(b); err != nil {
		log.Fatal(err)
	}
	return f
}
