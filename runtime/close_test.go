package userfaultfd_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
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
		"WriteProtect":    func() error { return f.WriteProtect(r, 0) },
		"RWProtect":       func() error { return f.RWProtect(r, 0) },
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
	closed := open(t, 0)
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
	for _, c := range []userfaultfd.Config{{}, {Blocking: true}} {
		name := "waiting in the poller"
		if c.Blocking {
			name = "waiting in read(2)"
		}
		t.Run(name, func(t *testing.T) {
			f := openConfig(t, c)
			var all []<-chan error
			for range 4 {
				all = append(all, during(func() error {
					_, err := f.Read(make([]userfaultfd.Msg, 1))
					return err
				}))
			}
			for _, done := range all {
				asleep(t, done)
			}
			if err := within(t, "Close", during(f.Close)); err != nil {
				t.Fatal(err)
			}
			for _, done := range all {
				if err := within(t, "a read", done); !errors.Is(err, os.ErrClosed) {
					t.Errorf("Read: %v, want ErrClosed", err)
				}
			}
		})
	}
}

// TestCloseKeepsOperationsFromOtherFiles closes a File under operations, and
// gives its descriptor's number to a pipe at once. An operation that reached
// the pipe would fail with ENOTTY, one that found nothing with EBADF.
func TestCloseKeepsOperationsFromOtherFiles(t *testing.T) {
	open(t, 0)
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
	f := open(t, 0)
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
	f := open(t, 0)
	m := mapMemory(t, userfaultfd.Anonymous, 1)
	register(t, f, m, userfaultfd.RegisterMissing)
	done := touch(m.Range(), m.PageSize(), false)
	fault(t, f)
	dup, err := f.Dup()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	asleep(t, done) // the duplicate keeps the userfaultfd
	dup.Close()
	if err := within(t, "the touch", done); err != nil {
		t.Fatal(err)
	}
	filled(t, m.Bytes(), 0)
}

// TestCloseWaitsForOperations closes a File in the middle of a Copy.
func TestCloseWaitsForOperations(t *testing.T) {
	f := open(t, 0)
	m := mapMemory(t, userfaultfd.Anonymous, heldPages)
	register(t, f, m, userfaultfd.RegisterMissing)
	held := holdCopy(t, f, m.Range().Start, userfaultfd.Anonymous)
	closed := during(f.Close)
	asleep(t, closed)
	if _, err := f.Zeropage(m.Page(0), 0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("an operation after Close has begun: %v, want ErrClosed", err)
	}
	held.provide(t)
	if err := within(t, "Copy", held.done); err != nil {
		t.Errorf("the Copy that was under way: %v", err)
	}
	if err := within(t, "Close", closed); err != nil {
		t.Error(err)
	}
}

// TestCloseOfSharedBlocking closes blocking Files of one open file.
func TestCloseOfSharedBlocking(t *testing.T) {
	share := func(t *testing.T) (f, g *userfaultfd.File) {
		f = openConfig(t, userfaultfd.Config{Blocking: true})
		dup, err := f.Dup()
		if err != nil {
			t.Fatal(err)
		}
		defer dup.Close()
		if g, err = userfaultfd.DupFile(dup); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { g.Close() })
		return f, g
	}
	t.Run("with a reader each, both at once", func(t *testing.T) {
		for range 100 {
			f, g := share(t)
			var all []<-chan error
			for _, file := range []*userfaultfd.File{f, g} {
				all = append(all, during(func() error {
					_, err := file.Read(make([]userfaultfd.Msg, 1))
					return err
				}))
			}
			closed := []<-chan error{during(f.Close), during(g.Close)}
			for i := range closed {
				if err := within(t, "Close", closed[i]); err != nil {
					t.Fatal(err)
				}
				if err := within(t, "the read", all[i]); !errors.Is(err, os.ErrClosed) {
					t.Fatalf("Read: %v, want ErrClosed", err)
				}
			}
		}
	})
	t.Run("without a reader, leaves the readers of others alone", func(t *testing.T) {
		f, g := share(t)
		fd := rawDescriptor(t, f)
		stop := make(chan struct{})
		watched := during(func() error {
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
					return fmt.Errorf("the open file has the flags %#x (%v)", flags, err)
				}
			}
		})
		for range 500 {
			dup, err := g.Dup()
			if err != nil {
				t.Fatal(err)
			}
			h, err := userfaultfd.DupFile(dup)
			dup.Close()
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Close(); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		if err := within(t, "the watcher", watched); err != nil {
			t.Error(err)
		}
	})
}

// TestSharerChangesFlag has whoever shares the open file change O_NONBLOCK
// under a reader.
func TestSharerChangesFlag(t *testing.T) {
	for _, whose := range []string{"a received", "our own"} {
		t.Run("taking it away under a reader of "+whose+" File does not stop the program", func(t *testing.T) {
			runChild(t, "made blocking", whose)
		})
	}
	t.Run("setting it does not make a reader spin, or miss its message", func(t *testing.T) {
		f := openConfig(t, userfaultfd.Config{Blocking: true})
		m := mapMemory(t, userfaultfd.Anonymous, 1)
		register(t, f, m, userfaultfd.RegisterMissing)
		if err := unix.SetNonblock(rawDescriptor(t, f), true); err != nil {
			t.Fatal(err)
		}
		read, tid := onThread(func() error { _, err := f.Read(make([]userfaultfd.Msg, 1)); return err })
		asleep := 0 // in how many looks on end
		eventually(t, "the reader to sleep", func() bool {
			b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
			_, state, _ := strings.Cut(string(b), ") ")
			if err != nil || !strings.HasPrefix(state, "S") {
				asleep = -1
			}
			asleep++
			return asleep == 30
		})
		touched := touch(m.Range(), m.PageSize(), false)
		if err := within(t, "the read", read); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Zeropage(m.Range(), 0); err != nil {
			t.Fatal(err)
		}
		if err := within(t, "the touch", touched); err != nil {
			t.Fatal(err)
		}
	})
}

func init() {
	children["made blocking"] = func(args []string) error {
		own, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true})
		if errors.Is(err, errors.ErrUnsupported) {
			own, err = userfaultfd.Open(userfaultfd.Config{})
		}
		if err != nil {
			return err
		}
		dup, err := own.Dup()
		if err != nil {
			return err
		}
		f := own
		if args[0] != "our own" {
			if f, err = userfaultfd.DupFile(dup); err != nil {
				return err
			}
		}
		raw, err := dup.SyscallConn()
		if err != nil {
			return err
		}
		raw.Control(func(fd uintptr) { err = unix.SetNonblock(int(fd), false) })
		if err != nil {
			return err
		}
		go f.Read(make([]userfaultfd.Msg, 1))
		time.Sleep(20 * time.Millisecond)
		for range 3 {
			runtime.GC() // would wait for a reader that holds a processor
		}
		return nil
	}
}
