package demand_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/zuffd/uffd/runtime/demand"
)

// wantError fails the test unless err is an Error of a cause at an offset.
func wantError(t *testing.T, err, cause error, off int64) {
	t.Helper()
	var e *demand.Error
	if !errors.Is(err, cause) || !errors.As(err, &e) || e.Off != off {
		t.Errorf("got %v, want %v at offset %d", err, cause, off)
	}
}

func TestSourceThatFails(t *testing.T) {
	const size, bad = 1 << 20, 300_000
	failed := int64(bad) &^ (page - 1)
	ways := map[string]func(m *demand.Mapping) error{
		"View":    func(m *demand.Mapping) error { return m.View(func(b []byte) error { return verify(b, 0) }) },
		"ReadAt":  func(m *demand.Mapping) error { _, err := m.ReadAt(make([]byte, size), 0); return err },
		"WriteTo": func(m *demand.Mapping) error { _, err := m.WriteTo(new(bytes.Buffer)); return err },
		"Slice": func(m *demand.Mapping) error {
			s, err := m.Slice(0, size)
			if err == nil {
				s.Release()
			}
			return err
		},
		"Prefetch": func(m *demand.Mapping) error { return m.Prefetch(0, size) },
	}
	for name, touch := range ways {
		t.Run(name+" returns the source's error until Retry", func(t *testing.T) {
			m, s := open(t, size, demand.Config{})
			s.set(func(s *source) { s.fail = map[int64]error{bad: errSource} })
			wantError(t, touch(m), errSource, failed)
			s.set(func(s *source) { s.fail = nil })
			before := s.reads.Load()
			wantError(t, touch(m), errSource, failed)
			if name != "Prefetch" && name != "View" && name != "ReadAt" && s.reads.Load() != before {
				t.Error("what has failed was read again")
			}
			if err := m.Retry(0, bad&^0xffff); err != nil { // elsewhere
				t.Error(err)
			}
			wantError(t, touch(m), errSource, failed)
			if err := m.Retry(bad, 1); err != nil {
				t.Error(err)
			}
			if err := touch(m); err != nil {
				t.Errorf("after Retry: %v", err)
			}
			if err := m.View(func(b []byte) error { return verify(b, 0) }); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("what comes before the failure can be had, evicted or not", func(t *testing.T) {
		budget := demand.NewBudget(128 << 10)
		m, s := open(t, size, demand.Config{Budget: budget})
		s.set(func(s *source) { s.fail = map[int64]error{bad: errSource} })
		for range 2 {
			p := make([]byte, size)
			n, err := m.ReadAt(p, 0)
			wantError(t, err, errSource, failed)
			if int64(n) != failed {
				t.Errorf("ReadAt: %d bytes, want %d", n, failed)
			}
			check(t, p[:n], 0)
			var out bytes.Buffer
			written, err := m.WriteTo(&out)
			wantError(t, err, errSource, failed)
			if written != failed {
				t.Errorf("WriteTo: %d bytes, want %d", written, failed)
			}
			check(t, out.Bytes(), 0)
			if err := m.View(func(b []byte) error { return verify(b[failed-50:failed], failed-50) }); err != nil {
				t.Error(err)
			}
			if err := m.Prefetch(512<<10, 128<<10); err != nil { // drives the rest out
				t.Error(err)
			}
		}
		slice, err := m.Slice(failed-10, 10)
		if err != nil {
			t.Fatal(err)
		}
		s.set(func(s *source) { s.fail = nil })
		m.Retry(0, size)
		check(t, slice.Bytes(), failed-10)
		more, err := m.Slice(failed-10, 20)
		if err != nil {
			t.Fatal(err)
		}
		check(t, more.Bytes(), failed-10)
		more.Release()
		slice.Release()
	})
	t.Run("reading ahead fails nothing", func(t *testing.T) {
		m, s := open(t, size, demand.Config{})
		s.set(func(s *source) { s.fail = map[int64]error{bad: errSource} })
		if err := m.Prefetch(0, bad&^0xffff); err != nil {
			t.Fatal(err)
		}
		s.set(func(s *source) { s.fail = nil })
		if err := m.View(func(b []byte) error { return verify(b, 0) }); err != nil {
			t.Error(err)
		}
	})
	t.Run("a source that is short is ErrUnexpectedEOF", func(t *testing.T) {
		m, s := open(t, size, demand.Config{})
		s.set(func(s *source) { s.short = bad })
		err := m.View(func(b []byte) error { return verify(b, 0) })
		wantError(t, err, io.ErrUnexpectedEOF, failed)
	})
	t.Run("an error says the offset, 0 too", func(t *testing.T) {
		m, s := open(t, size, demand.Config{})
		s.set(func(s *source) { s.fail = map[int64]error{0: errSource} })
		_, err := m.ReadAt(make([]byte, 10), 0)
		wantError(t, err, errSource, 0)
		if text := fmt.Sprint(err); text != "demand: read at offset 0: the disk is on fire" {
			t.Error(text)
		}
		m.Close()
		if text := fmt.Sprint(m.Prefetch(0, 1)); text != "demand: prefetch: file already closed" {
			t.Error(text)
		}
	})
	t.Run("an error that wraps EOF is the source's own", func(t *testing.T) {
		own := fmt.Errorf("the store has hung up: %w", io.EOF)
		m := openSource(t, readerAtFunc(func(p []byte, off int64) (int, error) { return 0, own }), size, demand.Config{})
		wantError(t, m.View(func(b []byte) error { sink = b[0]; return nil }), own, 0)
	})
	t.Run("a source that breaks the rules is an error", func(t *testing.T) {
		for _, n := range []int{-1, 1 << 30, 0} {
			m := openSource(t, readerAtFunc(func(p []byte, off int64) (int, error) { return n, nil }), size, demand.Config{})
			var e *demand.Error
			if err := m.View(func(b []byte) error { sink = b[0]; return nil }); !errors.As(err, &e) {
				t.Errorf("ReadAt returns %d: View %v", n, err)
			}
		}
	})
	t.Run("a source that panics leaves nothing behind", func(t *testing.T) {
		panics := true
		m := openSource(t, readerAtFunc(func(p []byte, off int64) (int, error) {
			if panics {
				panic(errSource)
			}
			fill(p, off)
			return len(p), nil
		}), size, demand.Config{Budget: demand.NewBudget(size)})
		func() {
			defer func() {
				if p := recover(); p != errSource {
					t.Errorf("recovered %v", p)
				}
			}()
			m.View(func(b []byte) error { sink = b[0]; return nil })
		}()
		if got := m.Stats().Resident; got != 0 {
			t.Errorf("%d bytes count as resident", got)
		}
		panics = false
		if err := m.View(func(b []byte) error { return verify(b, 0) }); err != nil {
			t.Error(err)
		}
	})
}

type readerAtFunc func(p []byte, off int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }
