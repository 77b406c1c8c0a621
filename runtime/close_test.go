package userfaultfd_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// operations are all that a File can be asked for, on a range of one page.
func operations(f *userfaultfd.File, r userfaultfd.Range, page []byte) map[string]func() error {
	var buf [1]userfaultfd.Msg
	return map[string]func() error{
		"Register":        func() error { _, err := f.Register(r, userfaultfd.RegisterMissing); return err },
		"Unregister":      func() error { return f.Unregister(r) },
		"Wake":            func() error { return f.Wake(r) },
		"Copy":            func() error { _, err := f.Copy(r.Start, page, 0); return err },
		"Zeropage":        func() error { _, err := f.Zeropage(r, 0); return err },
		"Continue":        func() error { _, err := f.Continue(r, 0); return err },
		"Poison":          func() error { _, err := f.Poison(r, 0); return err },
		"Move":            func() error { _, err := f.Move(r.Start, r.End(), r.Len, 0); return err },
		"WriteProtect":    func() error { return f.WriteProtect(r) },
		"WriteUnprotect":  func() error { return f.WriteUnprotect(r, 0) },
		"RWProtect":       func() error { return f.RWProtect(r) },
		"RWUnprotect":     func() error { return f.RWUnprotect(r, 0) },
		"SetMode":         func() error { return f.SetMode(0, 0) },
		"Read":            func() error { _, err := f.Read(buf[:]); return err },
		"SetReadDeadline": func() error { return f.SetReadDeadline(time.Time{}) },
		"Dup":             func() error { _, err := f.Dup(); return err },
		"SyscallConn":     func() error { _, err := f.SyscallConn(); return err },
		"SendTo":          func() error { return f.SendTo(nil, nil) },
		"Close":           f.Close,
	}
}

func TestAfterClose(t *testing.T) {
	page := make([]byte, os.Getpagesize())
	r := userfaultfd.Range{Start: 1 << 30, Len: uint64(len(page))}
	closed := uffdtest.Open(t, 0)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*userfaultfd.File{"a closed File": closed, "the zero File": new(userfaultfd.File)} {
		for op, call := range operations(f, r, page) {
			t.Run(op+" of "+name+" fails with ErrClosed", func(t *testing.T) {
				err := call()
				var e *userfaultfd.Error
				if !errors.Is(err, os.ErrClosed) || !errors.As(err, &e) {
					t.Errorf("got %v, want an Error that is os.ErrClosed", err)
				}
			})
		}
	}
}

func TestCloseEndsReaders(t *testing.T) {
	f := uffdtest.Open(t, 0)
	var all []<-chan error
	for range 4 {
		all = append(all, uffdtest.During(func() error {
			_, err := f.Read(make([]userfaultfd.Msg, 1))
			return err
		}))
	}
	for _, done := range all {
		uffdtest.Asleep(t, done)
	}
	if err := uffdtest.Within(t, "Close", uffdtest.During(f.Close)); err != nil {
		t.Fatal(err)
	}
	for _, done := range all {
		if err := uffdtest.Within(t, "a read", done); !errors.Is(err, os.ErrClosed) {
			t.Errorf("Read: %v, want ErrClosed", err)
		}
	}
}

// TestCloseAgainstDeadlines closes a File while its deadline is being set, far
// away, so that nothing but Close ends the read.
func TestCloseAgainstDeadlines(t *testing.T) {
	for range 200 {
		f := uffdtest.Open(t, 0)
		read := uffdtest.During(func() error {
			_, err := f.Read(make([]userfaultfd.Msg, 1))
			return err
		})
		set := uffdtest.During(func() error {
			for {
				if err := f.SetReadDeadline(time.Time{}); err != nil {
					return err
				}
			}
		})
		if err := uffdtest.Within(t, "Close", uffdtest.During(f.Close)); err != nil {
			t.Fatal(err)
		}
		for _, done := range []<-chan error{read, set} {
			if err := uffdtest.Within(t, "a call", done); !errors.Is(err, os.ErrClosed) {
				t.Fatalf("got %v, want ErrClosed", err)
			}
		}
	}
}

// TestCloseKeepsOperationsFromOtherFiles closes a File under operations, and
// gives its descriptor's number to a pipe at once. An operation that reached
// the pipe would fail with ENOTTY, one that found nothing with EBADF.
func TestCloseKeepsOperationsFromOtherFiles(t *testing.T) {
	uffdtest.Open(t, 0)
	rounds := 500
	if testing.Short() {
		rounds = 50
	}
	for range rounds {
		f, err := userfaultfd.Open(userfaultfd.Config{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		start := make(chan struct{})
		for range 2 {
			wg.Go(func() {
				<-start
				for {
					err := f.Wake(userfaultfd.Range{Start: 0, Len: 1})
					if errors.Is(err, os.ErrClosed) {
						return
					}
					if !errors.Is(err, unix.EINVAL) {
						t.Errorf("Wake of a range of one byte: %v, want EINVAL", err)
						return
					}
				}
			})
		}
		close(start)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		var pipe [2]int
		if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		unix.Close(pipe[0])
		unix.Close(pipe[1])
		if t.Failed() {
			return
		}
	}
}

// TestCloseIsOnce closes a File from many sides: one succeeds.
func TestCloseIsOnce(t *testing.T) {
	f := uffdtest.Open(t, 0)
	var mu sync.Mutex
	var succeeded int
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := f.Close()
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				succeeded++
			} else if !errors.Is(err, os.ErrClosed) {
				t.Errorf("Close: %v, want ErrClosed", err)
			}
		})
	}
	wg.Wait()
	if succeeded != 1 {
		t.Errorf("%d calls of Close succeeded, want 1", succeeded)
	}
}

// TestCloseLetsWaitersGo documents what the kernel does with a pending fault
// when the last descriptor is closed.
func TestCloseLetsWaitersGo(t *testing.T) {
	f := uffdtest.Open(t, 0)
	m := uffdtest.Map(t, memory.Anonymous, 1)
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	done := uffdtest.Touch(m.Range(), m.PageSize(), false)
	uffdtest.Fault(t, f)
	dup, err := f.Dup()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	uffdtest.Asleep(t, done) // the duplicate keeps the userfaultfd
	dup.Close()
	if err := uffdtest.Within(t, "the touch", done); err != nil {
		t.Fatal(err)
	}
	uffdtest.Filled(t, m.Bytes(), 0)
}

// TestCloseWaitsForOperations closes a File in the middle of a Copy.
func TestCloseWaitsForOperations(t *testing.T) {
	f := uffdtest.Open(t, 0)
	m := uffdtest.Map(t, memory.Anonymous, heldPages)
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	held := holdCopy(t, f, m.Range().Start, memory.Anonymous)
	closed := uffdtest.During(f.Close)
	uffdtest.Eventually(t, "an operation after Close has begun to fail with ErrClosed", func() bool {
		_, err := f.Zeropage(m.Page(0), 0) // EEXIST until then
		return errors.Is(err, os.ErrClosed)
	})
	uffdtest.Asleep(t, closed)
	held.provide(t)
	if err := uffdtest.Within(t, "Copy", held.done); err != nil {
		t.Errorf("the Copy that was under way: %v", err)
	}
	if err := uffdtest.Within(t, "Close", closed); err != nil {
		t.Error(err)
	}
}
