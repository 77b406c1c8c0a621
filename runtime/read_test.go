package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// waiting returns how many faults wait for f to resolve them, as
// /proc/self/fdinfo tells.
func waiting(t testing.TB, f *userfaultfd.File) int {
	t.Helper()
	total := -1
	b, _ := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", rawDescriptor(t, f)))
	if _, rest, ok := bytes.Cut(b, []byte("total:")); ok {
		fmt.Sscan(string(rest), &total)
	}
	return total
}

// faulting returns a userfaultfd and memory with as many threads waiting for
// its first pages as is asked for. They are let go when the test ends.
func faulting(t *testing.T, c userfaultfd.Config, pages, threads int) (*userfaultfd.File, *memory.Mapping) {
	t.Helper()
	f := uffdtest.OpenConfig(t, c)
	m := uffdtest.Map(t, memory.Anonymous, pages)
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	var all []<-chan error
	for i := range threads {
		all = append(all, uffdtest.Touch(m.Page(i), m.PageSize(), false))
	}
	t.Cleanup(func() {
		f.Close() // lets them all go
		for _, done := range all {
			uffdtest.Within(t, "a touch", done)
		}
	})
	uffdtest.Eventually(t, "the threads to fault", func() bool { return waiting(t, f) == threads })
	return f, m
}

// exactAddresses reports whether the hardware tells more of a fault than the
// page.
const exactAddresses = runtime.GOARCH != "s390x"

func TestRead(t *testing.T) {
	t.Run("brings as many messages as there are", func(t *testing.T) {
		f, m := faulting(t, userfaultfd.Config{}, 4, 4)
		var buf [8]userfaultfd.Msg
		n, err := f.Read(buf[:])
		if n != 4 || err != nil {
			t.Fatalf("Read: %d, %v; want 4", n, err)
		}
		seen := map[uint64]bool{}
		for i := range buf[:n] {
			p := buf[i].Pagefault()
			if buf[i].Event() != userfaultfd.EventPagefault || !m.Range().Contains(p.Address) || seen[p.Address] {
				t.Errorf("message %d: %v", i, &buf[i])
			}
			seen[p.Address] = true
		}
	})
	t.Run("brings as many as the buffer has room for, and the rest later", func(t *testing.T) {
		f, _ := faulting(t, userfaultfd.Config{}, 3, 3)
		var buf [2]userfaultfd.Msg
		for _, want := range []int{2, 1} {
			if n, err := f.Read(buf[:]); n != want || err != nil {
				t.Fatalf("Read: %d, %v; want %d", n, err, want)
			}
		}
	})
	t.Run("wants room for a message", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		if n, err := f.Read(nil); n != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("Read: %d, %v; want 0 and EINVAL", n, err)
		}
	})
	t.Run("tells which thread waits, with FeatureThreadID", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeatureThreadID)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		done, tid := uffdtest.OnThread(func() error { return uffdtest.TouchNow(m.Range(), m.PageSize(), false) })
		if p := uffdtest.Fault(t, f); int(p.ThreadID) != tid {
			t.Errorf("thread %d, want %d", p.ThreadID, tid)
		}
		if _, err := f.Zeropage(m.Range(), 0); err != nil {
			t.Fatal(err)
		}
		if err := uffdtest.Within(t, "the touch", done); err != nil {
			t.Fatal(err)
		}
	})
	for _, exact := range []bool{false, true} {
		name, features := "tells the page's address", userfaultfd.Features(0)
		if exact {
			name, features = "tells the byte's address, with FeatureExactAddress", userfaultfd.FeatureExactAddress
		}
		t.Run(name, func(t *testing.T) {
			f := uffdtest.Open(t, features)
			m := uffdtest.Map(t, memory.Anonymous, 1)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
			at := m.Range().Start + 77
			done := uffdtest.During(func() error { return uffdtest.Carry(at, false) })
			want := m.Range().Start
			if exact && exactAddresses {
				want = at
			}
			if p := uffdtest.Fault(t, f); p.Address != want {
				t.Errorf("fault at %#x, want %#x", p.Address, want)
			}
			if _, err := f.Zeropage(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
			if err := uffdtest.Within(t, "the touch", done); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestReadDeadline(t *testing.T) {
	var buf [1]userfaultfd.Msg
	t.Run("ends a read that waits", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		if err := f.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := f.Read(buf[:]); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %d, %v; want 0 and ErrDeadlineExceeded", n, err)
		}
	})
	t.Run("ends a read that was waiting before it was set", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		done := uffdtest.During(func() error { _, err := f.Read(buf[:]); return err })
		uffdtest.Asleep(t, done)
		f.SetReadDeadline(time.Unix(1, 0))
		if err := uffdtest.Within(t, "the read", done); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want ErrDeadlineExceeded", err)
		}
	})
	t.Run("can be taken away again", func(t *testing.T) {
		f, _ := faulting(t, userfaultfd.Config{}, 1, 1)
		f.SetReadDeadline(time.Unix(1, 0))
		if _, err := f.Read(buf[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want ErrDeadlineExceeded", err)
		}
		f.SetReadDeadline(time.Time{})
		if n, err := f.Read(buf[:]); n != 1 || err != nil {
			t.Errorf("Read: %d, %v; want 1", n, err)
		}
	})
}

func TestReadOfBlocking(t *testing.T) {
	f := uffdtest.OpenConfig(t, userfaultfd.Config{Blocking: true})
	t.Run("is refused, and says what to do", func(t *testing.T) {
		n, err := f.Read(make([]userfaultfd.Msg, 1))
		if n != 0 || !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "Config.Blocking") {
			t.Errorf("Read: %d, %v; want EINVAL and a word on Config.Blocking", n, err)
		}
		if err := f.SetReadDeadline(time.Now()); !errors.Is(err, os.ErrNoDeadline) {
			t.Errorf("SetReadDeadline: %v, want ErrNoDeadline", err)
		}
	})
	t.Run("is for whoever it is handed to, whose reads block", func(t *testing.T) {
		flags, err := unix.FcntlInt(uintptr(rawDescriptor(t, f)), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("flags %#x, %v", flags, err)
		}
	})
	t.Run("works once a File is made of it", func(t *testing.T) {
		dup, err := f.Dup()
		if err != nil {
			t.Fatal(err)
		}
		defer dup.Close()
		g, err := userfaultfd.FromFile(dup)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		g.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := g.Read(make([]userfaultfd.Msg, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want ErrDeadlineExceeded", err)
		}
	})
}

// TestReadsTakeTurns has several goroutines read; each message goes to one.
func TestReadsTakeTurns(t *testing.T) {
	f, _ := faulting(t, userfaultfd.Config{}, 4, 4)
	var all []<-chan error
	for range 4 {
		all = append(all, uffdtest.During(func() error {
			_, err := f.Read(make([]userfaultfd.Msg, 1))
			return err
		}))
	}
	for _, done := range all {
		if err := uffdtest.Within(t, "a read", done); err != nil {
			t.Error(err)
		}
	}
}

// TestReadWithoutPreadv2 reads where a seccomp filter refuses preadv2(2), each
// in its own way, and where the kernel is older than what it is asked for.
func TestReadWithoutPreadv2(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS, unix.EOPNOTSUPP} {
		t.Run("because of "+unix.ErrnoName(errno), func(t *testing.T) {
			uffdtest.Open(t, 0)
			runChild(t, "no preadv2", strconv.Itoa(int(errno)))
		})
	}
}

func init() {
	uffdtest.Children["no preadv2"] = func(args []string) error {
		errno, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		if err := filterCall(unix.SYS_PREADV2, unix.Errno(errno)); err != nil {
			return err
		}
		f, err := userfaultfd.Open(userfaultfd.Config{})
		if err != nil {
			return err
		}
		m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
		if err != nil {
			return err
		}
		if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
			return err
		}
		for range 2 {
			touched := uffdtest.Touch(m.Range(), m.PageSize(), false)
			var buf [1]userfaultfd.Msg
			f.SetReadDeadline(time.Now().Add(uffdtest.Deadline))
			if _, err := f.Read(buf[:]); err != nil {
				return err
			}
			if _, err := f.Zeropage(m.Range(), 0); err != nil {
				return err
			}
			if err := <-touched; err != nil {
				return err
			}
			if err := memory.Discard(m.Range()); err != nil {
				return err
			}
		}
		// Whoever shares the open file makes it blocking. The deadline counts all
		// the same.
		fd, err := sharers["SyscallConn"](f)
		if err != nil {
			return err
		}
		if err := unix.SetNonblock(fd, false); err != nil {
			return err
		}
		f.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		read := uffdtest.During(func() error {
			_, err := f.Read(make([]userfaultfd.Msg, 1))
			return err
		})
		select {
		case err := <-read:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("the read ends with %v, want ErrDeadlineExceeded", err)
			}
			return nil
		case <-time.After(uffdtest.Deadline / 2):
			return errors.New("the read does not end at its deadline")
		}
	}
}
