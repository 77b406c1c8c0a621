package userfaultfd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
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
func faulting(t *testing.T, c userfaultfd.Config, pages, threads int) (*userfaultfd.File, *userfaultfd.Mapping) {
	t.Helper()
	f := openConfig(t, c)
	m := mapMemory(t, userfaultfd.Anonymous, pages)
	register(t, f, m, userfaultfd.RegisterMissing)
	var all []<-chan error
	for i := range threads {
		all = append(all, touch(m.Page(i), m.PageSize(), false))
	}
	t.Cleanup(func() {
		f.Close() // lets them all go
		for _, done := range all {
			within(t, "a touch", done)
		}
	})
	eventually(t, "the threads to fault", func() bool { return waiting(t, f) == threads })
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
		f := open(t, 0)
		if n, err := f.Read(nil); n != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("Read: %d, %v; want 0 and EINVAL", n, err)
		}
	})
	t.Run("tells which thread waits, with FeatureThreadID", func(t *testing.T) {
		f := open(t, userfaultfd.FeatureThreadID)
		m := mapMemory(t, userfaultfd.Anonymous, 1)
		register(t, f, m, userfaultfd.RegisterMissing)
		done, tid := onThread(func() error { return touchNow(m.Range(), m.PageSize(), false) })
		if p := fault(t, f); int(p.ThreadID) != tid {
			t.Errorf("thread %d, want %d", p.ThreadID, tid)
		}
		if _, err := f.Zeropage(m.Range(), 0); err != nil {
			t.Fatal(err)
		}
		if err := within(t, "the touch", done); err != nil {
			t.Fatal(err)
		}
	})
	for _, exact := range []bool{false, true} {
		name, features := "tells the page's address", userfaultfd.Features(0)
		if exact {
			name, features = "tells the byte's address, with FeatureExactAddress", userfaultfd.FeatureExactAddress
		}
		t.Run(name, func(t *testing.T) {
			f := open(t, features)
			m := mapMemory(t, userfaultfd.Anonymous, 1)
			register(t, f, m, userfaultfd.RegisterMissing)
			at := m.Range().Start + 77
			done := during(func() error { return carry(at, false) })
			want := m.Range().Start
			if exact && exactAddresses {
				want = at
			}
			if p := fault(t, f); p.Address != want {
				t.Errorf("fault at %#x, want %#x", p.Address, want)
			}
			if _, err := f.Zeropage(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
			if err := within(t, "the touch", done); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestReadDeadline(t *testing.T) {
	var buf [1]userfaultfd.Msg
	t.Run("ends a read that waits", func(t *testing.T) {
		f := open(t, 0)
		if err := f.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := f.Read(buf[:]); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %d, %v; want 0 and ErrDeadlineExceeded", n, err)
		}
	})
	t.Run("ends a read that was waiting before it was set", func(t *testing.T) {
		f := open(t, 0)
		done := during(func() error { _, err := f.Read(buf[:]); return err })
		asleep(t, done)
		f.SetReadDeadline(time.Unix(1, 0))
		if err := within(t, "the read", done); !errors.Is(err, os.ErrDeadlineExceeded) {
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

func TestReadContext(t *testing.T) {
	var buf [1]userfaultfd.Msg
	t.Run("ends with the context's error, and loses no message", func(t *testing.T) {
		f := open(t, 0)
		m := mapMemory(t, userfaultfd.Anonymous, 1)
		register(t, f, m, userfaultfd.RegisterMissing)
		ctx, cancel := context.WithCancel(context.Background())
		done := during(func() error { _, err := f.ReadContext(ctx, buf[:]); return err })
		asleep(t, done)
		cancel()
		if err := within(t, "the read", done); !errors.Is(err, context.Canceled) {
			t.Fatalf("ReadContext: %v, want Canceled", err)
		}
		touched := touch(m.Range(), m.PageSize(), false)
		if p := fault(t, f); p.Address != m.Range().Start {
			t.Errorf("fault at %#x, want %#x", p.Address, m.Range().Start)
		}
		if _, err := f.Zeropage(m.Range(), 0); err != nil {
			t.Fatal(err)
		}
		if err := within(t, "the touch", touched); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("ends at once when the context is done before", func(t *testing.T) {
		f := open(t, 0)
		ctx, cancel := context.WithTimeout(context.Background(), 0)
		defer cancel()
		if n, err := f.ReadContext(ctx, buf[:]); n != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ReadContext: %d, %v; want 0 and DeadlineExceeded", n, err)
		}
	})
	t.Run("leaves other readers and the deadline alone", func(t *testing.T) {
		f := open(t, 0)
		f.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		ctx, cancel := context.WithCancel(context.Background())
		one := during(func() error { _, err := f.ReadContext(ctx, make([]userfaultfd.Msg, 1)); return err })
		asleep(t, one) // it has its turn
		other := during(func() error { _, err := f.Read(make([]userfaultfd.Msg, 1)); return err })
		asleep(t, other)
		cancel()
		if err := within(t, "the read", one); !errors.Is(err, context.Canceled) {
			t.Errorf("ReadContext: %v, want Canceled", err)
		}
		if err := within(t, "the other read", other); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v, want ErrDeadlineExceeded", err)
		}
	})
}

func TestBlockingRead(t *testing.T) {
	var buf [1]userfaultfd.Msg
	blocking := userfaultfd.Config{Blocking: true}
	t.Run("brings messages", func(t *testing.T) {
		f, m := faulting(t, blocking, 1, 1)
		if !f.Blocking() {
			t.Error("Blocking is false")
		}
		if n, err := f.Read(buf[:]); n != 1 || err != nil || buf[0].Pagefault().Address != m.Range().Start {
			t.Errorf("Read: %d, %v, %v", n, err, &buf[0])
		}
	})
	t.Run("goes on after signals", func(t *testing.T) {
		f := openConfig(t, blocking)
		m := mapMemory(t, userfaultfd.Anonymous, 1)
		register(t, f, m, userfaultfd.RegisterMissing)
		done, tid := onThread(func() error { _, err := f.Read(buf[:]); return err })
		disturb(tid)
		asleep(t, done)
		touched := touch(m.Range(), m.PageSize(), false)
		if err := within(t, "the read", done); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Zeropage(m.Range(), 0); err != nil {
			t.Fatal(err)
		}
		if err := within(t, "the touch", touched); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("knows no deadline and no context", func(t *testing.T) {
		f := openConfig(t, blocking)
		if err := f.SetReadDeadline(time.Now()); !errors.Is(err, os.ErrNoDeadline) {
			t.Errorf("SetReadDeadline: %v, want ErrNoDeadline", err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if _, err := f.ReadContext(ctx, buf[:]); !errors.Is(err, os.ErrNoDeadline) {
			t.Errorf("ReadContext: %v, want ErrNoDeadline", err)
		}
	})
	t.Run("leaves a duplicate blocking when it is ended by Close", func(t *testing.T) {
		f := openConfig(t, blocking)
		dup, err := f.Dup()
		if err != nil {
			t.Fatal(err)
		}
		defer dup.Close()
		done := during(func() error { _, err := f.Read(buf[:]); return err })
		asleep(t, done)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err := within(t, "the read", done); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read: %v, want ErrClosed", err)
		}
		flags, err := unix.FcntlInt(dup.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("flags of the duplicate: %#x, %v", flags, err)
		}
	})
}
