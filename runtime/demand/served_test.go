package demand_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// Pager processes collect all the time, so that what they do not hold on to is
// finalized soon: in a program that only waits, it is after two minutes.
func init() {
	if os.Getenv("UFFD_DEMAND_ROLE") != "" {
		go func() {
			for range time.Tick(5 * time.Millisecond) {
				runtime.GC()
			}
		}()
	}
}

// The sources of pager processes.
func init() {
	demand.RegisterSource("good", func(string) (io.ReaderAt, error) { return &source{size: 1 << 40}, nil })
	demand.RegisterSource("unopened", func(arg string) (io.ReaderAt, error) { return nil, errors.New("cannot open " + arg) })
	demand.RegisterSource("failing", func(string) (io.ReaderAt, error) {
		return &source{size: 1 << 40, fail: map[int64]error{chunk: errSource}}, nil
	})
	// mortal ends its process when it is asked for what is beyond 1 MiB.
	demand.RegisterSource("mortal", func(string) (io.ReaderAt, error) {
		return &source{size: 1 << 40, hold: func(off, n int64) {
			if off+n > 1<<20 {
				unix.Kill(os.Getpid(), unix.SIGKILL)
				select {}
			}
		}}, nil
	})
}

// mapServed maps a source of a pager process, or skips the test where the kernel
// or the user cannot.
func mapServed(t testing.TB, name string, size int64) *demand.Served {
	t.Helper()
	s, err := demand.MapServed(name, "", size)
	var missing *userfaultfd.UnsupportedError
	if errors.As(err, &missing) {
		uffdtest.SkipUnsupported(t, missing)
	}
	if errors.Is(err, unix.EPERM) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// canServe reports whether MapServed works here. It is no subtest, which -run
// would leave out, and with it half of what depends on it.
func canServe(t *testing.T) bool {
	t.Helper()
	s, err := demand.MapServed("good", "", 1)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.EPERM) {
		t.Log("without pager processes: ", err)
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	return true
}

// guarded touches the byte at off.
func guarded(s *demand.Served, off int64) error {
	return memory.Guard(userfaultfd.RangeOf(s.Bytes()), func() { sink = s.Bytes()[off] })
}

func TestServed(t *testing.T) {
	const size = 4<<20 + 1234
	s := mapServed(t, "good", size)
	if len(s.Bytes()) != size {
		t.Errorf("%d bytes", len(s.Bytes()))
	}
	check(t, s.Bytes()[:size/2], 0)
	time.Sleep(100 * time.Millisecond)
	check(t, s.Bytes()[size/2:], size/2)
	if err := s.Err(); err != nil {
		t.Errorf("it works, and yet: %v", err)
	}
	t.Run("to system calls", func(t *testing.T) {
		s := mapServed(t, "good", size)
		if !s.SystemCalls() {
			t.Skip("without privilege they may not")
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		if _, err := w.Write(s.Bytes()[chunk : chunk+1000]); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 1000)
		if _, err := io.ReadFull(r, p); err != nil {
			t.Fatal(err)
		}
		check(t, p, chunk)
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the second Close: %v", err)
	}
	uffdtest.Within(t, "the end", uffdtest.During(func() error { <-s.Done(); return nil }))
	if err := s.Err(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Err after Close: %v", err)
	}
}

func TestMapServedRefuses(t *testing.T) {
	mapServed(t, "good", 1)
	for _, test := range []struct {
		name, source string
		size         int64
		text         string
	}{
		{"a source that cannot be opened", "unopened", 1, "cannot open it"},
		{"a source that is not registered", "unknown", 1, "no source is registered"},
		{"no bytes", "good", 0, "a size of 0 bytes"},
		{"more than the address space", "good", 1<<63 - 1, "a size of"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := demand.MapServed(test.source, "it", test.size); err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %q", err, test.text)
			}
		})
	}
	t.Run("without PagerMain", func(t *testing.T) {
		demand.SetPagerMainCalled(false)
		defer demand.SetPagerMainCalled(true)
		if _, err := demand.MapServed("good", "", 1); !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v, want EINVAL", err)
		}
	})
}

func TestServedPageThatCannotBeRead(t *testing.T) {
	s := mapServed(t, "failing", 4*chunk)
	if err := guarded(s, 0); err != nil {
		t.Errorf("beside it: %v", err)
	}
	var e *memory.AccessError
	if err := guarded(s, chunk); !errors.As(err, &e) {
		t.Errorf("got %v, want an AccessError", err)
	}
}

// TestPagerProcessDies has the pager process die of what it is asked for, while
// somebody waits for that.
func TestPagerProcessDies(t *testing.T) {
	s := mapServed(t, "mortal", 4<<20)
	if err := guarded(s, 0); err != nil {
		t.Fatal(err)
	}
	var e *memory.AccessError
	if err := uffdtest.Within(t, "the touch", uffdtest.During(func() error { return guarded(s, 2<<20) })); !errors.As(err, &e) {
		t.Errorf("who waited got %v, want an AccessError", err)
	}
	uffdtest.Within(t, "the report", uffdtest.During(func() error { <-s.Done(); return nil }))
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Err: %v", err)
	}
	if err := guarded(s, 3<<20); !errors.As(err, &e) {
		t.Errorf("what was missing: %v, want an AccessError", err)
	}
	check(t, s.Bytes()[:page], 0) // what was there
}

func TestSupervisorDies(t *testing.T) {
	const size = 64 << 20
	s := mapServed(t, "good", size)
	if err := guarded(s, 0); err != nil {
		t.Fatal(err)
	}
	s.Supervisor().Kill()
	uffdtest.Within(t, "the report", uffdtest.During(func() error { <-s.Done(); return nil }))
	if s.Err() == nil {
		t.Error("no error")
	}
	off := int64(size)
	uffdtest.Eventually(t, "the poison", func() bool {
		if off -= 2 << 20; off <= 0 {
			t.Fatal("all is served still")
		}
		return guarded(s, off) != nil
	})
	check(t, s.Bytes()[:page], 0)
}

func init() {
	uffdtest.Children["served matrix"] = func(args []string) error {
		for len(args) > 0 {
			c := cellOf(args)
			if err := c.runServed(); err != nil {
				return fmt.Errorf("served: %v: %w", args[:6], err)
			}
			args = args[6:]
		}
		return nil
	}
}
