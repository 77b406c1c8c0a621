package userfaultfd_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/zuffd/uffd"
	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"github.com/zuffd/uffd/runtime/pagemap"
	"golang.org/x/sys/unix"
)

// forkAndTouch forks this process, which os/exec does not do (it shares the
// memory until the exec). The child makes the kernel read a byte at addr into
// a pipe and exits. It returns the child's process id, or a negated errno.
//
// A fork of a Go process has one thread and none of the runtime's others, so
// the child does nothing but system calls; it must not grow its stack, be
// preempted or meet the race detector. The parent holds its processor until
// the fork's event was read, so whoever reads it is another process.
//
//go:nosplit
//go:norace
func forkAndTouch(pipe, addr uintptr) int {
	flags, stack := uintptr(unix.SIGCHLD), uintptr(0)
	if runtime.GOARCH == "s390x" {
		flags, stack = stack, flags
	}
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flags, stack, 0, 0, 0, 0)
	if errno != 0 {
		return -int(errno)
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_WRITE, pipe, addr, 1)
		for {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
	}
	return int(pid)
}

// A forker is a child process with registered memory of its own, which it
// touches, and forks, when it is told to.
type forker struct {
	cmd     *exec.Cmd
	file    *userfaultfd.File // of the child's memory
	memory  userfaultfd.Range
	answers chan string
	orders  *net.UnixConn
}

// newForker starts one with so many pages of a kind of memory, and skips the
// test where there can be none.
func newForker(t *testing.T, kind memory.Kind, pages int) *forker {
	t.Helper()
	uffdtest.Open(t, userfaultfd.FeatureEventFork|uffdtest.Missing(kind)).Close()
	uffdtest.Map(t, kind, pages).Close()
	here, there := uffdtest.Socketpair(t, unix.SOCK_STREAM)
	file, err := there.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	k := &forker{cmd: uffdtest.Child(t, "forker", fmt.Sprint(int(kind)), fmt.Sprint(pages)), answers: make(chan string, 4), orders: here}
	k.cmd.ExtraFiles = []*os.File{file}
	out, err := k.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := k.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(k.answers)
		for s := bufio.NewScanner(out); s.Scan(); {
			k.answers <- s.Text()
		}
	}()
	t.Cleanup(func() {
		here.Close()
		k.cmd.Wait()
	})
	here.SetReadDeadline(time.Now().Add(uffdtest.Deadline))
	var p [64]byte
	var n int
	k.file, n, err = userfaultfd.ReceiveFrom(here, p[:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.file.Close() })
	if _, err := fmt.Sscan(string(p[:n]), &k.memory.Start, &k.memory.Len); err != nil {
		t.Fatal(err)
	}
	return k
}

// order has the child touch its first page ('t'), or fork a child that touches
// its last page ('f') or none ('n').
func (k *forker) order(t *testing.T, what byte) {
	t.Helper()
	if _, err := k.orders.Write([]byte{what}); err != nil {
		t.Fatal(err)
	}
}

// obeyed waits until orders were carried out, in whatever succession.
func (k *forker) obeyed(t *testing.T, want ...string) {
	t.Helper()
	for len(want) > 0 {
		select {
		case got := <-k.answers:
			i := slices.Index(want, got)
			if i < 0 {
				t.Fatalf("the forker says %q, want %q", got, want)
			}
			want = slices.Delete(want, i, i+1)
		case <-time.After(uffdtest.Deadline):
			t.Fatalf("the forker does not say %q", want)
		}
	}
}

// obeyedEnd waits until the child has ended.
func (k *forker) obeyedEnd(t *testing.T) {
	t.Helper()
	if err := uffdtest.Within(t, "the end of the forker", uffdtest.During(k.cmd.Wait)); err != nil {
		t.Error(err)
	}
}

// content returns bytes of the child's memory.
func (k *forker) content(t *testing.T, r userfaultfd.Range) []byte {
	t.Helper()
	b := make([]byte, r.Len)
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", k.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.ReadAt(b, int64(r.Start)); err != nil {
		t.Fatal(err)
	}
	return b
}

func init() {
	uffdtest.Children["forker"] = func(args []string) error {
		var kind memory.Kind
		var pages int
		if _, err := fmt.Sscan(args[0]+" "+args[1], (*int)(&kind), &pages); err != nil {
			return err
		}
		f, err := openInherited(userfaultfd.FeatureEventFork | uffdtest.Missing(kind))
		if err != nil {
			return err
		}
		m, err := memory.Map(kind, pages*memory.PageSize(kind), 0)
		if err != nil {
			return err
		}
		if m.PageSize() == os.Getpagesize() {
			unix.Madvise(m.Bytes(), unix.MADV_NOHUGEPAGE)
		}
		if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
			return err
		}
		c, err := net.FileConn(os.NewFile(3, "socket"))
		if err != nil {
			return err
		}
		if err := f.SendTo(c.(*net.UnixConn), fmt.Append(nil, m.Range().Start, m.Range().Len)); err != nil {
			return err
		}
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		answer := func(what string, err error) {
			if err != nil {
				what += ": " + err.Error()
			}
			fmt.Println(what)
		}
		for {
			var order [1]byte
			if _, err := io.ReadFull(c, order[:]); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			switch order[0] {
			case 't':
				go func() { answer("touched", uffdtest.TouchNow(m.Page(0), m.PageSize(), false)) }()
			case 'f', 'n':
				fd, addr := pipe[1], m.Page(pages-1).Start
				if order[0] == 'n' {
					fd = -1
				}
				pid := forkAndTouch(uintptr(fd), uintptr(addr))
				if pid < 0 {
					return unix.Errno(-pid)
				}
				var status unix.WaitStatus
				_, err := unix.Wait4(pid, &status, 0, nil)
				if err == nil && !status.Exited() {
					err = fmt.Errorf("ended with status %#x", status)
				}
				answer("forked", err)
			}
		}
	}
}

// openInherited opens a userfaultfd that a program to be executed would
// inherit, as other programs may; so is then, in the kernel's hands, that of a
// child.
func openInherited(features userfaultfd.Features) (*userfaultfd.File, error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_NONBLOCK, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	api := uffd.UffdioApi{Api: uffd.UFFD_API, Features: uint64(features)}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uffd.UFFDIO_API, uintptr(unsafe.Pointer(&api))); errno != 0 {
		return nil, errno
	}
	return userfaultfd.NewFile(int(fd))
}

func TestForkEvent(t *testing.T) {
	uffdtest.EachKind(t, func(t *testing.T, kind memory.Kind) {
		k := newForker(t, kind, 2)
		page := k.memory.Len / 2
		last := userfaultfd.Range{Start: k.memory.Start + page, Len: page}
		zeros := make([]byte, page)
		if _, err := k.file.Copy(k.memory.Start, zeros, 0); err != nil {
			t.Fatal(err)
		}
		k.order(t, 'f')
		msg := uffdtest.Next(t, k.file)
		if msg.Event() != userfaultfd.EventFork {
			t.Fatalf("got %v, want FORK", msg)
		}
		flags, err := unix.FcntlInt(uintptr(msg.Fork().FD), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("the child's descriptor has flags %#x (%v), want close-on-exec", flags, err)
		}
		c, err := msg.Fork().File()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if c.Features() != k.file.Features() {
			t.Errorf("the child's features are %v, want those of the parent, %v", c.Features(), k.file.Features())
		}
		if p := uffdtest.Fault(t, c); p.Address != last.Start {
			t.Errorf("the child faults at %#x, want %#x", p.Address, last.Start)
		}
		if _, err := c.Copy(last.Start, zeros, 0); err != nil {
			t.Fatal(err)
		}
		k.obeyed(t, "forked")
		t.Run("after the child is gone, operations on its memory fail with ESRCH", func(t *testing.T) {
			n, err := c.Copy(last.Start, zeros, 0)
			fails(t, uint64(n), err, unix.ESRCH)
		})
		t.Run("the parent's page is there only if the memory is shared", func(t *testing.T) {
			n, err := k.file.Copy(last.Start, zeros, 0)
			if kind == memory.Shmem || kind == memory.HugetlbShared {
				fails(t, uint64(n), err, unix.EEXIST)
			} else if err != nil {
				t.Error(err)
			}
		})
	})
}

// TestForkOfOurOwn has os/exec fork, which it does for CLONE_NEWUSER, while
// this process's own FORK events are read by a File that others have too. Exec
// holds syscall.ForkLock until the event was read. The package comment tells
// why this cannot be made to work everywhere; that the reader needs no lock
// which the fork holds is what is tested here.
func TestForkOfOurOwn(t *testing.T) {
	uffdtest.Open(t, userfaultfd.FeatureEventFork)
	for _, how := range []string{"Dup", "SyscallConn"} {
		t.Run("with a descriptor of "+how, func(t *testing.T) {
			cmd := uffdtest.Child(t, "fork of our own", how)
			cmd.Env = append(cmd.Env, "GOGC=off", "GOMAXPROCS=4")
			refused, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			if len(refused) > 0 {
				t.Skipf("no user namespace is to be had: %s", refused)
			}
		})
	}
}

func init() {
	uffdtest.Children["fork of our own"] = func(args []string) error {
		f, err := userfaultfd.Open(userfaultfd.Config{Features: userfaultfd.FeatureEventFork})
		if err != nil {
			return err
		}
		if _, err := sharers[args[0]](f); err != nil {
			return err
		}
		m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
		if err != nil {
			return err
		}
		if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
			return err
		}
		read := uffdtest.During(func() error {
			var buf [1]userfaultfd.Msg
			if _, err := f.Read(buf[:]); err != nil {
				return err
			}
			if buf[0].Event() != userfaultfd.EventFork {
				return fmt.Errorf("got %v, want FORK", &buf[0])
			}
			return buf[0].Fork().Close()
		})
		time.Sleep(10 * time.Millisecond) // the reader waits
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"UFFD_TEST_CHILD=nothing"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
		err = cmd.Run()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL) {
			// It was refused before there was anything to tell of.
			fmt.Print(err)
			return nil
		}
		if err != nil {
			return err
		}
		return <-read
	}
	uffdtest.Children["nothing"] = func([]string) error { return nil }
}

func TestForkWhileFaultIsPending(t *testing.T) {
	k := newForker(t, memory.Anonymous, 2)
	first := userfaultfd.Range{Start: k.memory.Start, Len: uint64(os.Getpagesize())}
	k.order(t, 't')
	if p := uffdtest.Fault(t, k.file); p.Address != first.Start {
		t.Errorf("fault at %#x, want %#x", p.Address, first.Start)
	}
	k.order(t, 'n')
	uffdtest.Eventually(t, "the fork", func() bool { return unread(t, k.file) > 0 })
	n, err := k.file.Zeropage(first, 0)
	fails(t, n, err, unix.EAGAIN)
	closeChild(t, k.file)
	k.obeyed(t, "forked")
	if _, err := k.file.Copy(first.Start, bytes.Repeat([]byte{3}, int(first.Len)), 0); err != nil {
		t.Fatal(err)
	}
	k.obeyed(t, "touched")
	uffdtest.Filled(t, k.content(t, first), 3)
}

func TestForkWhileFaultIsResolved(t *testing.T) {
	k := newForker(t, memory.Anonymous, heldPages)
	k.order(t, 't')
	uffdtest.Fault(t, k.file)
	held := holdCopy(t, k.file, k.memory.Start, memory.Anonymous)
	k.order(t, 'n')
	uffdtest.Eventually(t, "the fork", func() bool { return unread(t, k.file) > 0 })
	n := held.letGo(t)
	closeChild(t, k.file)
	k.obeyed(t, "touched", "forked")
	if more, err := k.file.Copy(k.memory.Start+uint64(n), held.src[n:], 0); n+more != len(held.src) || err != nil {
		t.Fatalf("Copy of the rest: %d, %v", more, err)
	}
	uffdtest.Filled(t, k.content(t, k.memory), heldByte)
}

// closeChild reads messages until a FORK, and closes the child's userfaultfd.
func closeChild(t *testing.T, f *userfaultfd.File) {
	t.Helper()
	msg, _ := event(t, f)
	if msg.Event() != userfaultfd.EventFork {
		t.Fatalf("got %v, want FORK", msg)
	}
	if err := msg.Fork().Close(); err != nil {
		t.Error(err)
	}
}

// TestScanOfAnotherProcess finds a page that was put into a child's memory.
func TestScanOfAnotherProcess(t *testing.T) {
	k := newForker(t, memory.Anonymous, 4)
	page := userfaultfd.Range{Start: k.memory.Start + k.memory.Len/2, Len: k.memory.Len / 4}
	if _, err := k.file.Copy(page.Start, make([]byte, page.Len), 0); err != nil {
		t.Fatal(err)
	}
	p, err := pagemap.Open(k.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s := pagemap.Scan{Range: k.memory, Mask: pagemap.IsPresent, Return: pagemap.IsPresent}
	regions := make([]pagemap.Region, 4)
	n, _, err := p.Scan(&s, regions)
	uffdtest.SkipUnsupported(t, err)
	if err != nil || n != 1 || regions[0].Range() != page {
		t.Errorf("%d regions, first %v, %v; want %v", n, regions[0].Range(), err, page)
	}
	k.orders.Close() // ends it
	k.obeyedEnd(t)
	if n, _, err := p.Scan(&s, regions); n != 0 || err != nil && !errors.Is(err, unix.ESRCH) {
		t.Errorf("after its end: %d regions, %v; want none", n, err)
	}
	if _, err := pagemap.Open(1 << 30); !errors.Is(err, unix.ENOENT) {
		t.Errorf("of no process: %v, want ENOENT", err)
	}
}
