package demand_test

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"unsafe"

	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

func TestAfterClose(t *testing.T) {
	m, _ := open(t, 1<<20, demand.Config{})
	if err := m.Prefetch(0, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"View":     func() error { return m.View(func(b []byte) error { return nil }) },
		"ReadAt":   func() error { _, err := m.ReadAt(make([]byte, 1), 0); return err },
		"WriteTo":  func() error { _, err := m.WriteTo(new(bytes.Buffer)); return err },
		"Section":  func() error { _, err := m.Section(0, 10).Read(make([]byte, 1)); return err },
		"Slice":    func() error { _, err := m.Slice(0, 1); return err },
		"Prefetch": func() error { return m.Prefetch(0, 1) },
		"Retry":    func() error { return m.Retry(0, 1) },
		"Close":    m.Close,
	} {
		if err := call(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v, want ErrClosed", name, err)
		}
	}
	if n := m.Stats().Resident; n != 0 {
		t.Errorf("%d bytes are resident", n)
	}
}

// TestCloseDuringViews closes a mapping while one view computes, one waits for
// the source, and one waits for that one.
func TestCloseDuringViews(t *testing.T) {
	m, s := open(t, 1<<20, demand.Config{})
	if err := m.Prefetch(0, 64<<10); err != nil {
		t.Fatal(err)
	}
	reading, release := make(chan error, 1), make(chan struct{})
	s.set(func(s *source) {
		s.hold = func(off, n int64) {
			if off == 512<<10 {
				reading <- nil
				<-release
			}
		}
	})
	far := func() error { return m.View(func(b []byte) error { return verify(b[512<<10:][:10], 512<<10) }) }
	running := make(chan error, 1)
	computes := uffdtest.During(func() error {
		started := false
		return m.View(func(b []byte) error {
			for {
				if err := verify(b[:100], 0); err != nil {
					return err
				}
				if !started {
					started = true
					running <- nil
				}
			}
		})
	})
	uffdtest.Within(t, "the view", running)
	reads := uffdtest.During(far)
	uffdtest.Within(t, "the read", reading)
	waits := uffdtest.During(far)
	uffdtest.Asleep(t, waits)
	uffdtest.Asleep(t, computes)
	if err := uffdtest.Within(t, "Close", uffdtest.During(m.Close)); err != nil {
		t.Fatal(err)
	}
	for name, done := range map[string]<-chan error{"that computes": computes, "that waits": waits} {
		if err := uffdtest.Within(t, "the view "+name, done); !errors.Is(err, os.ErrClosed) {
			t.Errorf("the view %s: %v, want ErrClosed", name, err)
		}
	}
	uffdtest.Asleep(t, reads)
	close(release)
	if err := uffdtest.Within(t, "the view that reads", reads); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the view that reads: %v, want ErrClosed", err)
	}
	if n := m.Stats().Resident; n != 0 {
		t.Errorf("%d bytes are resident", n)
	}
}

func TestCloseWithinView(t *testing.T) {
	m, _ := open(t, 1<<20, demand.Config{})
	err := m.View(func(b []byte) error {
		sink = b[0]
		if err := m.Close(); err != nil {
			return err
		}
		sink = b[0]
		t.Error("what was closed was accessed")
		return nil
	})
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestCloseDuringViewThatTouchesNothingMore(t *testing.T) {
	m, _ := open(t, 1<<20, demand.Config{})
	for _, want := range []error{os.ErrClosed, errSource} {
		err := m.View(func(b []byte) error {
			m.Close()
			if want == errSource {
				return errSource // its own
			}
			return nil
		})
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
		m, _ = open(t, 1<<20, demand.Config{})
	}
}

// TestCloseDuringEviction closes a mapping while another one evicts a chunk of
// it. The memory must not be unmapped before that is over, or what is discarded
// is whatever was mapped there since.
func TestCloseDuringEviction(t *testing.T) {
	c := demand.Config{ChunkSize: chunk, Window: chunk, Budget: demand.NewBudget(chunk)}
	a, _ := open(t, chunk, c)
	b, _ := open(t, chunk, c)
	if err := look(b, 0); err != nil {
		t.Fatal(err)
	}
	var where []byte
	b.View(func(p []byte) error { where = p; return nil }) // only its address is used
	isMapped := func() bool {
		for start, end := range mappings(t) {
			if addr := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(where)))); start <= addr && addr < end {
				return true
			}
		}
		return false
	}
	evicting := false
	demand.BeforeDiscard(func() {
		evicting = true
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if !isMapped() {
			t.Error("the memory was unmapped while it was being evicted")
		}
	})
	defer demand.BeforeDiscard(nil)
	if err := look(a, 0); err != nil {
		t.Error(err)
	}
	if !evicting {
		t.Error("nothing was evicted")
	}
	if isMapped() {
		t.Error("the memory is still mapped")
	}
	if n := b.Stats().Resident; n != 0 {
		t.Errorf("%d bytes are resident", n)
	}
}

func TestSliceSurvivesClose(t *testing.T) {
	budget := demand.NewBudget(1 << 20)
	m, _ := open(t, 1<<20, demand.Config{Budget: budget})
	s, err := m.Slice(100_000, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Prefetch(0, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, s.Bytes(), 100_000)
	if used := budget.Used(); used != 192<<10 {
		t.Errorf("%d bytes are used, want the slice's chunks", used)
	}
	s.Release()
	s.Release()
	if s.Bytes() != nil || budget.Used() != 0 {
		t.Errorf("after Release: %d bytes are used", budget.Used())
	}
}
