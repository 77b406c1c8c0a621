package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/zuffd/uffd"
	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// A rangeOp is an operation on a range, on memory and by a userfaultfd on which
// nothing but what a test provokes can make it fail.
type rangeOp struct {
	name     string
	features userfaultfd.Features
	register userfaultfd.RegisterMode
	memory   memory.Kind
	badMode  uint64 // a bit that is not of its mode; 0 where it has none
	call     func(f *userfaultfd.File, r userfaultfd.Range, src *memory.Mapping, mode uint64) (uint64, error)
}

// rangeOps are all of them but Register, Unregister and Wake.
var rangeOps = []rangeOp{
	{
		"Copy", 0, userfaultfd.RegisterMissing, memory.Anonymous, 1 << 9,
		func(f *userfaultfd.File, r userfaultfd.Range, src *memory.Mapping, mode uint64) (uint64, error) {
			n, err := f.Copy(r.Start, src.Bytes()[:r.Len], userfaultfd.CopyMode(mode))
			return uint64(n), err
		},
	}, {
		"Zeropage", 0, userfaultfd.RegisterMissing, memory.Anonymous, 1 << 9,
		func(f *userfaultfd.File, r userfaultfd.Range, _ *memory.Mapping, mode uint64) (uint64, error) {
			return f.Zeropage(r, userfaultfd.ZeropageMode(mode))
		},
	}, {
		"Continue", userfaultfd.FeatureMinorShmem, userfaultfd.RegisterMinor, memory.Shmem, 1 << 9,
		func(f *userfaultfd.File, r userfaultfd.Range, _ *memory.Mapping, mode uint64) (uint64, error) {
			return f.Continue(r, userfaultfd.ContinueMode(mode))
		},
	}, {
		"Poison", userfaultfd.FeaturePoison, userfaultfd.RegisterMissing, memory.Anonymous, 1 << 9,
		func(f *userfaultfd.File, r userfaultfd.Range, _ *memory.Mapping, mode uint64) (uint64, error) {
			return f.Poison(r, userfaultfd.PoisonMode(mode))
		},
	}, {
		"Move", userfaultfd.FeatureMove, userfaultfd.RegisterMissing, memory.Anonymous, 1 << 9,
		func(f *userfaultfd.File, r userfaultfd.Range, src *memory.Mapping, mode uint64) (uint64, error) {
			return f.Move(r.Start, src.Range().Start, r.Len, userfaultfd.MoveMode(mode))
		},
	}, {
		"WriteProtect", userfaultfd.FeaturePagefaultFlagWP, userfaultfd.RegisterWP, memory.Anonymous, 0,
		func(f *userfaultfd.File, r userfaultfd.Range, _ *memory.Mapping, _ uint64) (uint64, error) {
			return 0, f.WriteProtect(r)
		},
	}, {
		"WriteUnprotect", userfaultfd.FeaturePagefaultFlagWP, userfaultfd.RegisterWP, memory.Anonymous, uffd.UFFDIO_WRITEPROTECT_MODE_WP,
		func(f *userfaultfd.File, r userfaultfd.Range, _ *memory.Mapping, mode uint64) (uint64, error) {
			return 0, f.WriteUnprotect(r, userfaultfd.WriteUnprotectMode(mode))
		},
	}, {
		"RWProtect", userfaultfd.FeatureRWP, userfaultfd.RegisterRWP, memory.Anonymous, 0,
		func(f *userfaultfd.File, r userfaultfd.Range, _ *memory.Mapping, _ uint64) (uint64, error) {
			return 0, f.RWProtect(r)
		},
	}, {
		"RWUnprotect", userfaultfd.FeatureRWP, userfaultfd.RegisterRWP, memory.Anonymous, uffd.UFFDIO_RWPROTECT_MODE_RWP,
		func(f *userfaultfd.File, r userfaultfd.Range, _ *memory.Mapping, mode uint64) (uint64, error) {
			return 0, f.RWUnprotect(r, userfaultfd.RWUnprotectMode(mode))
		},
	},
}

// eachRangeOp runs a test for each operation with a userfaultfd and four pages
// that are registered for it, and four as its source.
func eachRangeOp(t *testing.T, features userfaultfd.Features, test func(t *testing.T, op rangeOp, f *userfaultfd.File, m, src *memory.Mapping)) {
	for _, op := range rangeOps {
		t.Run(op.name, func(t *testing.T) {
			f := uffdtest.Open(t, features|op.features|uffdtest.Missing(op.memory))
			m := uffdtest.Map(t, op.memory, 4)
			src := uffdtest.Map(t, memory.Anonymous, 4)
			copy(src.Bytes(), bytes.Repeat([]byte{1}, len(src.Bytes())))
			if alias, err := m.Alias(); err == nil {
				copy(alias.Bytes(), src.Bytes())
				alias.Close()
			}
			uffdtest.Register(t, f, m, op.register)
			test(t, op, f, m, src)
		})
	}
}

// fails checks an operation's result: no byte was done, and why.
func fails(t *testing.T, n uint64, err error, want unix.Errno) {
	t.Helper()
	var e *userfaultfd.Error
	if n != 0 || !errors.Is(err, want) || !errors.As(err, &e) {
		t.Errorf("%d, %v; want 0 and an Error of %v", n, err, unix.ErrnoName(want))
	}
}

func TestInvalidArguments(t *testing.T) {
	eachRangeOp(t, 0, func(t *testing.T, op rangeOp, f *userfaultfd.File, m, src *memory.Mapping) {
		page := m.Page(0)
		t.Run("at an unaligned address is EINVAL", func(t *testing.T) {
			n, err := op.call(f, userfaultfd.Range{Start: page.Start + 8, Len: page.Len}, src, 0)
			fails(t, n, err, unix.EINVAL)
		})
		t.Run("of an unaligned length is EINVAL", func(t *testing.T) {
			n, err := op.call(f, userfaultfd.Range{Start: page.Start, Len: page.Len - 8}, src, 0)
			fails(t, n, err, unix.EINVAL)
		})
		t.Run("of nothing is EINVAL", func(t *testing.T) {
			n, err := op.call(f, userfaultfd.Range{Start: page.Start}, src, 0)
			fails(t, n, err, unix.EINVAL)
		})
		if op.badMode != 0 {
			t.Run("in an unknown mode is EINVAL", func(t *testing.T) {
				for _, mode := range []uint64{op.badMode, 1 << 12} {
					n, err := op.call(f, page, src, mode)
					fails(t, n, err, unix.EINVAL)
				}
			})
		}
		t.Run("works otherwise", func(t *testing.T) {
			if _, err := op.call(f, page, src, 0); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("Register and Unregister of unaligned, empty or unmapped ranges", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		m := uffdtest.Map(t, memory.Anonymous, 2)
		page := m.Page(0)
		for _, r := range []userfaultfd.Range{
			{Start: page.Start + 1, Len: page.Len},
			{Start: page.Start, Len: page.Len + 1},
			{Start: page.Start},
		} {
			if _, err := f.Register(r, userfaultfd.RegisterMissing); !errors.Is(err, unix.EINVAL) {
				t.Errorf("Register %v: %v, want EINVAL", r, err)
			}
			if err := f.Unregister(r); !errors.Is(err, unix.EINVAL) {
				t.Errorf("Unregister %v: %v, want EINVAL", r, err)
			}
			if err := f.Wake(r); !errors.Is(err, unix.EINVAL) {
				t.Errorf("Wake %v: %v, want EINVAL", r, err)
			}
		}
		uffdtest.Torn[m] = m.Page(1)
		if err := uffdtest.Munmap(m.Page(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Register(m.Page(1), userfaultfd.RegisterMissing); !errors.Is(err, unix.EINVAL) {
			t.Errorf("Register of unmapped memory: %v, want EINVAL", err)
		}
	})
	t.Run("Register in no mode, or an unknown one, is EINVAL", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		for _, mode := range []userfaultfd.RegisterMode{0, 1 << 40} {
			if _, err := f.Register(m.Range(), mode); !errors.Is(err, unix.EINVAL) {
				t.Errorf("mode %v: %v, want EINVAL", mode, err)
			}
		}
	})
	t.Run("Register of memory that another userfaultfd has is EBUSY", func(t *testing.T) {
		f, g := uffdtest.Open(t, 0), uffdtest.Open(t, 0)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		if _, err := g.Register(m.Range(), userfaultfd.RegisterMissing); !errors.Is(err, unix.EBUSY) {
			t.Errorf("got %v, want EBUSY", err)
		}
	})
	t.Run("Register of memory that may never be written is EPERM", func(t *testing.T) {
		f := uffdtest.Open(t, userfaultfd.FeatureMissingShmem)
		m := uffdtest.Map(t, memory.Shmem, 1)
		readOnly, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", m.File().Fd()))
		if err != nil {
			t.Fatal(err)
		}
		defer readOnly.Close()
		b, err := unix.Mmap(int(readOnly.Fd()), 0, m.PageSize(), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(b)
		if _, err := f.Register(userfaultfd.RangeOf(b), userfaultfd.RegisterMissing); !errors.Is(err, unix.EPERM) {
			t.Errorf("got %v, want EPERM", err)
		}
	})
}

func TestUnregistered(t *testing.T) {
	eachRangeOp(t, 0, func(t *testing.T, op rangeOp, f *userfaultfd.File, m, src *memory.Mapping) {
		if err := f.Unregister(m.Range()); err != nil {
			t.Fatal(err)
		}
		want := unix.ENOENT
		if op.name == "Move" {
			want = unix.EINVAL
		}
		n, err := op.call(f, m.Page(0), src, 0)
		fails(t, n, err, want)
		uffdtest.Torn[m] = m.Page(1)
		if err := uffdtest.Munmap(m.Page(1)); err != nil {
			t.Fatal(err)
		}
		n, err = op.call(f, m.Page(1), src, 0)
		fails(t, n, err, unix.ENOENT)
	})
}

// TestChangingAddressSpace has every operation meet a REMOVE that nobody has
// read yet.
func TestChangingAddressSpace(t *testing.T) {
	eachRangeOp(t, userfaultfd.FeatureEventRemove, func(t *testing.T, op rangeOp, f *userfaultfd.File, m, src *memory.Mapping) {
		removed := uffdtest.During(func() error { return memory.Discard(m.Page(3)) })
		uffdtest.Eventually(t, "the discarding thread to wait", func() bool { return unread(t, f) > 0 })
		n, err := op.call(f, m.Page(0), src, 0)
		fails(t, n, err, unix.EAGAIN)
		if msg := uffdtest.Next(t, f); msg.Event() != userfaultfd.EventRemove || msg.Remove() != m.Page(3) {
			t.Errorf("got %v, want REMOVE %v", msg, m.Page(3))
		}
		if err := uffdtest.Within(t, "madvise", removed); err != nil {
			t.Fatal(err)
		}
		if _, err := op.call(f, m.Page(0), src, 0); err != nil {
			t.Errorf("after the event: %v", err)
		}
	})
}

// unread reports how many messages are there to be read, so far as poll(2)
// can tell: 0 or 1.
func unread(t testing.TB, f *userfaultfd.File) int {
	t.Helper()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(rawDescriptor(t, f)), Events: unix.POLLIN}}, 0)
	if err != nil && err != unix.EINTR {
		t.Fatal(err)
	}
	return max(n, 0)
}

// TestRaceToFill has two sides fill the same pages: for each page one wins,
// and the other is told that it is there.
func TestRaceToFill(t *testing.T) {
	const pages = 256
	f := uffdtest.Open(t, 0)
	m := uffdtest.Map(t, memory.Anonymous, pages)
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	var won [2][pages]bool
	var wg sync.WaitGroup
	start := make(chan struct{})
	for side := range won {
		wg.Go(func() {
			src := bytes.Repeat([]byte{byte(side + 1)}, m.PageSize())
			<-start
			for i := range pages {
				n, err := f.Copy(m.Page(i).Start, src, 0)
				won[side][i] = err == nil
				if err != nil && (n != 0 || !errors.Is(err, unix.EEXIST)) {
					t.Errorf("page %d: %d, %v; want 0 and EEXIST", i, n, err)
				}
			}
		})
	}
	close(start)
	wg.Wait()
	for i := range pages {
		if won[0][i] == won[1][i] {
			t.Fatalf("page %d: filled by both, or by none", i)
		}
		side := byte(1)
		if won[1][i] {
			side = 2
		}
		uffdtest.Filled(t, m.Bytes()[i*m.PageSize():(i+1)*m.PageSize()], side)
	}
}

// TestDeadProcess issues every operation for a process that is no more.
func TestDeadProcess(t *testing.T) {
	for _, op := range rangeOps {
		t.Run(op.name, func(t *testing.T) {
			uffdtest.Open(t, op.features|uffdtest.Missing(op.memory)) // or skip
			f, r := orphan(t, op)
			src := uffdtest.Map(t, memory.Anonymous, 1)
			src.Bytes()[0] = 1
			want := unix.ESRCH
			if op.name == "Move" {
				want = unix.EINVAL // it is for one's own memory alone
			}
			n, err := op.call(f, r, src, 0)
			fails(t, n, err, want)
		})
	}
	t.Run("Register and Unregister", func(t *testing.T) {
		uffdtest.Open(t, 0) // or skip
		f, r := orphan(t, rangeOps[0])
		if _, err := f.Register(r, userfaultfd.RegisterMissing); !errors.Is(err, unix.ENOMEM) {
			t.Errorf("Register: %v, want ENOMEM", err)
		}
		if err := f.Unregister(r); !errors.Is(err, unix.ENOMEM) {
			t.Errorf("Unregister: %v, want ENOMEM", err)
		}
		if err := f.Wake(r); err != nil {
			t.Errorf("Wake: %v", err)
		}
	})
}

// orphan returns a userfaultfd of a child that has registered a page for an
// operation and exited, and where that page was.
func orphan(t *testing.T, op rangeOp) (*userfaultfd.File, userfaultfd.Range) {
	t.Helper()
	here, there := uffdtest.Socketpair(t, unix.SOCK_STREAM)
	file, err := there.File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := uffdtest.Child(t, "orphan", op.name)
	cmd.ExtraFiles = []*os.File{file}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	var p [64]byte
	f, n, err := userfaultfd.ReceiveFrom(here, p[:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var r userfaultfd.Range
	if _, err := fmt.Sscan(string(p[:n]), &r.Start, &r.Len); err != nil {
		t.Fatal(err)
	}
	return f, r
}

func init() {
	uffdtest.Children["orphan"] = func(args []string) error {
		var op rangeOp
		for _, op = range rangeOps {
			if op.name == args[0] {
				break
			}
		}
		f, err := userfaultfd.Open(userfaultfd.Config{Features: op.features | uffdtest.Missing(op.memory)})
		if err != nil {
			return err
		}
		m, err := memory.Map(op.memory, os.Getpagesize(), 0)
		if err != nil {
			return err
		}
		if _, err := f.Register(m.Range(), op.register); err != nil {
			return err
		}
		c, err := net.FileConn(os.NewFile(3, "socket"))
		if err != nil {
			return err
		}
		return f.SendTo(c.(*net.UnixConn), fmt.Append(nil, m.Range().Start, m.Range().Len))
	}
}

func TestErrorText(t *testing.T) {
	page := userfaultfd.Range{Start: 0x7f0000001000, Len: 0x2000}
	for _, test := range []struct {
		name string
		err  *userfaultfd.Error
		want []string
	}{
		{
			"says where, how far, why and what to do",
			&userfaultfd.Error{Op: "UFFDIO_COPY", Range: page, Done: 4096, Err: unix.EAGAIN},
			[]string{"UFFDIO_COPY", "7f0000001000-7f0000003000", "after 4096 bytes", unix.EAGAIN.Error(), "read the pending events"},
		}, {
			"knows what an errno means for one operation",
			&userfaultfd.Error{Op: "UFFDIO_REGISTER", Range: page, Err: unix.EBUSY},
			[]string{"another userfaultfd"},
		}, {
			"leaves an errno alone that it knows nothing of",
			&userfaultfd.Error{Op: "UFFDIO_COPY", Range: page, Err: unix.EXDEV},
			[]string{unix.EXDEV.Error()},
		}, {
			"says what a closed File is",
			&userfaultfd.Error{Op: "read", Err: os.ErrClosed},
			[]string{"it was closed, or never opened"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, w := range test.want {
				if !strings.Contains(test.err.Error(), w) {
					t.Errorf("%q does not say %q", test.err, w)
				}
			}
		})
	}
}
