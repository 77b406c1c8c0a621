package demand_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
)

// touches are the ways in which Go code touches memory: by loads, by the
// runtime's assembly, by that of the standard library, by system calls. Each
// says whether a page of b, at off, is want, of which it may use sum and buf.
var touches = map[string]func(b, want, buf []byte) bool{
	"load": func(b, want, _ []byte) bool {
		for i := range want {
			if b[i] != want[i] {
				return false
			}
		}
		return true
	},
	"copy":  func(b, want, buf []byte) bool { return copy(buf, b) == len(want) && bytes.Equal(buf, want) },
	"equal": func(b, want, _ []byte) bool { return bytes.Equal(b, want) },
	"append": func(b, want, buf []byte) bool {
		return bytes.Equal(append(buf[:0:0], b...), want)
	},
	"map-key": func(b, want, _ []byte) bool {
		m := map[string]int{string(want): 1}
		m[string(b)]++
		return m[string(b)] == 2 && m[unsafe.String(&b[0], len(b))] == 2
	},
	"string": func(b, want, _ []byte) bool {
		return string(b) == string(want) && strings.Compare(string(b), string(want)) == 0
	},
	"sha256": func(b, want, _ []byte) bool { return sha256.Sum256(b) == sha256.Sum256(want) },
	"crc32":  func(b, want, _ []byte) bool { return crc32.ChecksumIEEE(b) == crc32.ChecksumIEEE(want) },
}

// A cell is one combination of what can make paging go wrong.
type cell struct {
	touch      string // of touches, or "read-at"
	procs      int
	disturb    string // "", "gc" or "memstats", in a loop
	goroutines int
	budget     int // which part of the memory is in place at most: 1, 4, 64
	pages      int
}

func (c cell) args() []string {
	return []string{c.touch, strconv.Itoa(c.procs), c.disturb, strconv.Itoa(c.goroutines), strconv.Itoa(c.budget), strconv.Itoa(c.pages)}
}

func cellOf(args []string) (c cell) {
	n := func(i int) int { v, _ := strconv.Atoi(args[i]); return v }
	return cell{touch: args[0], procs: n(1), disturb: args[2], goroutines: n(3), budget: n(4), pages: n(5)}
}

func init() {
	uffdtest.Children["matrix"] = func(args []string) error {
		for len(args) > 0 {
			c := cellOf(args)
			if err := c.run(); err != nil {
				return fmt.Errorf("%v: %w", args[:6], err)
			}
			args = args[6:]
		}
		return nil
	}
}

// run touches every page once, and checks every byte.
func (c cell) run() error {
	size := int64(c.pages) * page
	config := demand.Config{ChunkSize: 4 * int(page), Window: 16 * int(page)}
	if c.budget > 1 {
		config.Budget = demand.NewBudget(max(size/int64(c.budget), 8*page))
	}
	m, err := demand.Map(&source{size: size}, size, config)
	if err != nil {
		return err
	}
	defer m.Close()
	return c.touchAll(func(off int64, want, buf []byte) (ok bool, err error) {
		if c.touch == "read-at" {
			n, err := m.ReadAt(buf, off)
			return bytes.Equal(buf[:n], want), err
		}
		err = m.View(func(b []byte) error { ok = touches[c.touch](b[off:][:page], want, buf); return nil })
		return ok, err
	})
}

// runServed is run with memory that a pager process serves.
func (c cell) runServed() error {
	s, err := demand.MapServed("good", "", int64(c.pages)*page)
	if err != nil {
		return err
	}
	defer s.Close()
	return c.touchAll(func(off int64, want, buf []byte) (bool, error) {
		b := s.Bytes()[off:][:page]
		if c.touch != "read-at" {
			return touches[c.touch](b, want, buf), nil
		}
		if !s.SystemCalls() {
			return bytes.Equal(b, want), nil
		}
		r, w, err := os.Pipe()
		if err != nil {
			return false, err
		}
		defer r.Close()
		defer w.Close()
		if _, err := w.Write(b); err != nil {
			return false, err
		}
		_, err = io.ReadFull(r, buf)
		return bytes.Equal(buf, want), err
	})
}

// touchAll has goroutines touch each page.
func (c cell) touchAll(touch func(off int64, want, buf []byte) (bool, error)) error {
	runtime.GOMAXPROCS(c.procs)
	stop := make(chan struct{})
	defer close(stop)
	go c.disturbUntil(stop)
	failed := make(chan error, c.goroutines)
	var wg sync.WaitGroup
	for g := range c.goroutines {
		wg.Go(func() {
			want, buf := make([]byte, page), make([]byte, page)
			for i := g; i < c.pages; i += c.goroutines {
				p := i
				if g%2 == 1 {
					p = int(int64(i) * 7919 % int64(c.pages)) // all over
				}
				fill(want, int64(p)*page)
				ok, err := touch(int64(p)*page, want, buf)
				if err == nil && !ok {
					err = fmt.Errorf("page %d is wrong", p)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (c cell) disturbUntil(stop <-chan struct{}) {
	var stats runtime.MemStats
	for {
		select {
		case <-stop:
			return
		default:
		}
		switch c.disturb {
		case "gc":
			runtime.GC()
		case "memstats":
			runtime.ReadMemStats(&stats)
		default:
			return
		}
	}
}

// matrixVariable says how much of the matrix is run: nothing, a part of it on
// few pages; "full", all of it on 40,000 pages, which takes hours on two CPUs.
// -run takes a part of that: its rows, and in each the ways to touch, are
// subtests.
const matrixVariable = "UFFD_DEMAND_MATRIX"

// TestMatrix touches memory in every way, under everything that makes paging
// by goroutines hang. Each row is a process of its own, since asynchronous
// preemption is switched by GODEBUG. By itself it runs a part, on few pages;
// UFFD_DEMAND_MATRIX=full runs all of it on 40,000 pages a cell.
func TestMatrix(t *testing.T) {
	open(t, 1, demand.Config{})
	served := canServe(t)
	procs, disturbs, goroutines, budgets, pages, deadline := []int{1, 2}, []string{"gc"}, []int{4}, []int{1, 64}, 64, time.Minute
	names := []string{"load", "copy", "equal", "append", "map-key", "string", "sha256", "crc32", "read-at"}
	full := os.Getenv(matrixVariable) == "full"
	if full {
		procs, disturbs, goroutines, budgets, pages, deadline = []int{1, 2, 4}, []string{"", "gc", "memstats"}, []int{1, 4, 64}, []int{1, 4, 64}, 40_000, 10*time.Minute
	}
	for _, p := range procs {
		for _, disturb := range disturbs {
			for _, preempt := range []string{"0", "1"} {
				run := func(t *testing.T, child string, budgets []int, names ...string) {
					var args []string
					for _, name := range names {
						for _, g := range goroutines {
							for _, b := range budgets {
								args = append(args, cell{touch: name, procs: p, disturb: disturb, goroutines: g, budget: b, pages: pages}.args()...)
							}
						}
					}
					cmd := uffdtest.ChildFor(t, deadline, child, args...)
					cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff="+preempt)
					if err := cmd.Run(); err != nil {
						t.Error(err)
					}
				}
				t.Run(fmt.Sprintf("GOMAXPROCS=%d/disturbed by %q/asyncpreemptoff=%s", p, disturb, preempt), func(t *testing.T) {
					if full {
						for _, name := range names {
							t.Run(name, func(t *testing.T) {
								run(t, "matrix", budgets, name)
								if served {
									run(t, "served matrix", []int{1}, name)
								}
							})
						}
						return
					}
					run(t, "matrix", budgets, names...)
					if served && (!testing.Short() || p == 1 && preempt == "0") {
						run(t, "served matrix", []int{1}, "load", "copy", "read-at") // each takes two processes
					}
				})
			}
		}
	}
}

func init() {
	// handler has a goroutine serve what another one of this process touches.
	uffdtest.Children["handler"] = func(args []string) error {
		runtime.GOMAXPROCS(1)
		f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true})
		if errors.Is(err, errors.ErrUnsupported) {
			f, err = userfaultfd.Open(userfaultfd.Config{})
		}
		if err != nil {
			return err
		}
		m, err := memory.Map(memory.Anonymous, int(page), 0)
		if err != nil {
			return err
		}
		if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
			return err
		}
		content := bytes.Repeat([]byte{1}, int(page))
		go func() {
			msgs := make([]userfaultfd.Msg, 1)
			for {
				if _, err := f.Read(msgs); err != nil {
					return
				}
				f.Copy(m.Range().Start, content, 0)
			}
		}()
		runtime.Gosched() // to where it reads
		fmt.Println("ready")
		copy(content, m.Bytes())
		return nil
	}
}

// TestGoroutineThatServesItsProcessHangs shows that the matrix can tell: what
// it does hangs where a goroutine serves the faults of another one.
func TestGoroutineThatServesItsProcessHangs(t *testing.T) {
	open(t, 1, demand.Config{})
	child := uffdtest.Child(t, "handler")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 16)); err != nil || n == 0 {
		t.Fatal("the child did not begin: ", err)
	}
	done := uffdtest.During(child.Wait)
	select {
	case err := <-done:
		t.Errorf("a goroutine served its own process: %v", err)
	case <-time.After(2 * time.Second):
	}
	child.Process.Kill()
	<-done
}
