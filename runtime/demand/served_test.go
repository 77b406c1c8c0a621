package demand_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
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
		{"a name that is too long", strings.Repeat("x", 1<<16), 1, "the name and argument"},
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

// TestSupervisorDies kills the process that watches over the one that serves.
// That one poisons what is missing, and the end is told when it is done.
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
	var e *memory.AccessError
	for _, off := range []int64{size / 2, size - 1} {
		if err := guarded(s, off); !errors.As(err, &e) {
			t.Errorf("what was missing, at %d: %v, want an AccessError", off, err)
		}
	}
	check(t, s.Bytes()[:page], 0)
}

// pagerProcesses are the supervisor's process id and that of its child.
func pagerProcesses(t *testing.T, s *demand.Served) []int {
	t.Helper()
	all := []int{s.Supervisor().Pid}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(text), ") ")
		var parent int
		if fmt.Sscanf(rest, "%s %d", new(string), &parent); parent == all[0] {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			all = append(all, pid)
		}
	}
	if len(all) != 2 {
		t.Fatalf("the pager processes are %v", all)
	}
	return all
}

// A terminal sends SIGINT to this process and to the pager's, and a service
// manager SIGTERM; this one may have something to do still.
func TestPagerProcessesIgnoreWhatEndsPrograms(t *testing.T) {
	s := mapServed(t, "good", 4<<20)
	processes := pagerProcesses(t, s)
	for _, signal := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT} {
		for _, pid := range processes {
			if err := unix.Kill(pid, signal); err != nil {
				t.Error(err)
			}
		}
	}
	time.Sleep(50 * time.Millisecond)
	if err := uffdtest.Within(t, "the touch", uffdtest.During(func() error { return guarded(s, 2<<20) })); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, pid := range processes {
		if err := unix.Kill(pid, 0); err != unix.ESRCH {
			t.Errorf("process %d is there still: %v", pid, err)
		}
	}
}

// TestCloseWaitsForThePager closes the memory while the process that serves,
// which has lost its supervisor and is to poison what is missing, stands still. It
// must not go on when something else is mapped there.
func TestCloseWaitsForThePager(t *testing.T) {
	s := mapServed(t, "good", 1<<20)
	pager := pagerProcesses(t, s)[1]
	stopProcess(t, pager)
	defer unix.Kill(pager, unix.SIGCONT)
	s.Supervisor().Kill()
	closed := uffdtest.During(s.Close)
	uffdtest.Asleep(t, closed)
	unix.Kill(pager, unix.SIGCONT)
	if err := uffdtest.Within(t, "Close", closed); err != nil {
		t.Error(err)
	}
}

// stopProcess stops a process, and returns when none of its threads runs any more:
// kill(2) does not wait for that.
func stopProcess(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	uffdtest.Eventually(t, "the process to stop", func() bool {
		stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, path := range stats {
			text, _ := os.ReadFile(path)
			if _, state, _ := strings.Cut(string(text), ") "); !strings.HasPrefix(state, "T") {
				return false
			}
		}
		return len(stats) > 0
	})
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
