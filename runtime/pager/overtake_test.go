package pager

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

// A thread that has moved memory over other memory waits until the UNMAP of that is
// read, and tells of the move then. Another one has moved memory to where the first
// memory was in the meantime, and told of it.
func TestAMoveOvertakesAnother(t *testing.T) {
	eachKind(t, 12, func(t *testing.T, s *served, regions []Region) {
		size := s.memory.PageSize
		p, err := New(s.file, Config{Regions: regions, NoPoison: LeaveWaiting})
		if err != nil {
			t.Fatal(err)
		}
		if p.kernel == forgetsEvents {
			t.Skip("the kernel forgets that it owes events (Linux 5.16)")
		}
		first := s.begin("shrink 0 1 8")
		s.awaitStuck(1)
		second := s.begin("shrink 4 1 0")
		s.awaitStuck(2)
		s.resultBy(p, first, "the first move")
		s.resultBy(p, second, "the second move")
		for command, want := range map[string]string{"read 8 1": offsets(0), "read 0 3": offsets(4*size, size, 2*size)} {
			if got := s.serveBy(p, command); got != want {
				t.Errorf("%s: %s, want %s", command, got, want)
			}
		}
	})
}

// awaitStuck waits until n threads of the process wait in the kernel for their messages
// to be read. A thread that forks may sleep like them before it has one.
func (s *served) awaitStuck(n int) {
	s.t.Helper()
	uffdtest.Eventually(s.t, fmt.Sprintf("%d threads that wait for a message to be read", n), func() bool {
		stuck := 0
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
		for _, name := range tasks {
			stat, _ := os.ReadFile(name)
			where, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "wchan"))
			elsewhere := len(where) > 1 && !strings.Contains(string(where), "userfaultfd_")
			if _, after, ok := strings.Cut(string(stat), ") "); ok && strings.HasPrefix(after, "D") && !elsewhere {
				stuck++
			}
		}
		return stuck == n
	})
}

// A simulatedProcess is the truth of an address space whose threads work in memory of
// their own, move it to wherever there is room, and tell of it when they get round to
// it.
type simulatedProcess struct {
	random  *rand.Rand
	at      map[uint64]modelPage // registered memory
	threads []simulatedThread
	slots   uint64
	forking bool // and the FORK is unread
	haste   int  // in ten steps, so many are somebody's who has something to tell
}

type simulatedThread struct {
	blocks []userfaultfd.Range
	left   []userfaultfd.Range // by MREMAP_DONTUNMAP
	untold []change
}

const simulatedStart = 1 << 20

// newSimulatedProcess returns one whose threads have two blocks of four pages each.
func newSimulatedProcess(seed uint64, threads int) (*simulatedProcess, *space) {
	p := &simulatedProcess{random: rand.New(rand.NewPCG(seed, 5)), at: make(map[uint64]modelPage), slots: uint64(threads) * 12}
	s := &space{exact: true, follows: true}
	for i := range threads {
		var t simulatedThread
		for k := range 2 {
			b := &backing{pageSize: modelSize, region: 2*i + k, states: newStates(4)}
			r := userfaultfd.Range{Start: simulatedStart + uint64(2*i+k)*4*modelSize, Len: 4 * modelSize}
			t.blocks = append(t.blocks, r)
			s.insert(segment{r.Start, r.End(), b, 0})
			for n := range 4 {
				p.at[r.Start+uint64(n)*modelSize] = modelPage{b, n}
			}
		}
		p.threads = append(p.threads, t)
	}
	return p, s
}

func (p *simulatedProcess) each(r userfaultfd.Range, f func(addr uint64)) {
	for at := r.Start; at < r.End(); at += modelSize {
		f(at)
	}
}

// room returns where there is room for n bytes.
func (p *simulatedProcess) room(n uint64) (uint64, bool) {
	for range 20 {
		r := userfaultfd.Range{Start: simulatedStart + p.random.Uint64N(p.slots-n/modelSize)*modelSize, Len: n}
		free := true
		p.each(r, func(at uint64) { _, used := p.at[at]; free = free && !used })
		if free {
			return r.Start, true
		}
	}
	return 0, false
}

func (p *simulatedProcess) unmap(t *simulatedThread, r userfaultfd.Range) {
	p.each(r, func(at uint64) { delete(p.at, at) })
	t.untold = append(t.untold, change{kind: userfaultfd.EventUnmap, r: r})
}

// move moves a block, over another one of the thread's maybe.
func (p *simulatedProcess) move(t *simulatedThread, i int, to uint64, keeps bool) {
	from := t.blocks[i]
	moved := make(map[uint64]modelPage)
	p.each(from, func(at uint64) {
		moved[at-from.Start+to] = p.at[at]
		delete(p.at, at)
		if keeps {
			p.at[at] = modelPage{&backing{pageSize: modelSize, vacant: true}, 0}
		}
	})
	maps.Copy(p.at, moved)
	t.untold = append(t.untold, change{userfaultfd.EventRemap, from, to})
	t.blocks[i].Start = to
	if keeps {
		t.left = append(t.left, from)
	} else {
		t.untold = append(t.untold, change{kind: userfaultfd.EventUnmap, r: from})
	}
}

// call has a thread do a system call.
func (p *simulatedProcess) call(t *simulatedThread) {
	if len(t.blocks) == 0 {
		return
	}
	i := p.random.IntN(len(t.blocks))
	from := t.blocks[i]
	switch k := p.random.IntN(len(t.blocks)); p.random.IntN(12) {
	case 0:
		p.unmap(t, from)
		t.blocks = slices.Delete(t.blocks, i, i+1)
	case 1, 2:
		if i != k && t.blocks[i].Len == t.blocks[k].Len {
			to := t.blocks[k].Start
			p.unmap(t, t.blocks[k])
			p.move(t, i, to, false)
			t.blocks = slices.Delete(t.blocks, k, k+1)
		}
	case 3:
		if n := len(t.left); n > 0 {
			p.unmap(t, t.left[n-1])
			t.left = t.left[:n-1]
		}
	case 4:
		// What one cannot tell from the move of memory that was overtaken is the
		// MREMAP_DONTUNMAP of what has overtaken memory that was unmapped.
		if to, ok := p.room(from.Len); ok && !p.owesEvents() && !p.forking {
			p.move(t, i, to, true)
		}
	default:
		if to, ok := p.room(from.Len); ok {
			p.move(t, i, to, false)
		}
	}
}

// step has a thread go on, and returns what it tells, if it does.
func (p *simulatedProcess) step() (told change, ok bool) {
	t := &p.threads[p.random.IntN(len(p.threads))]
	if i := slices.IndexFunc(p.threads, func(t simulatedThread) bool { return len(t.untold) > 0 }); i >= 0 && p.random.IntN(10) < p.haste {
		t = &p.threads[i]
	}
	if len(t.untold) == 0 {
		p.call(t)
		return told, false
	}
	told = t.untold[0]
	t.untold = t.untold[1:]
	return told, true
}

func (p *simulatedProcess) owesEvents() bool {
	return slices.ContainsFunc(p.threads, func(t simulatedThread) bool { return len(t.untold) > 0 })
}

// simulations returns how many of so many to do.
func simulations(n uint64) uint64 {
	if testing.Short() {
		return n / 10
	}
	return n
}

// check compares a space with the truth, and returns how many pages it knows, and of
// how many it does not know what they are.
func (p *simulatedProcess) check(s *space, at map[uint64]modelPage) (known, strange int, err error) {
	for i := range p.slots {
		addr := simulatedStart + i*modelSize
		seg := s.find(addr)
		want, ok := at[addr]
		switch {
		case !ok && seg != nil:
			return 0, 0, fmt.Errorf("%#x is mapped", addr)
		case !ok || want.b.vacant && (seg == nil || seg.b.vacant):
		case seg == nil && s.isStrange(addr):
			strange++
		case seg == nil:
			return 0, 0, fmt.Errorf("%#x is not mapped, and is page %d of %d", addr, want.page, want.b.region)
		case seg.b.region != want.b.region || seg.pageOf(addr) != want.page:
			return 0, 0, fmt.Errorf("%#x is page %d of %d, want page %d of %d", addr, seg.pageOf(addr), seg.b.region, want.page, want.b.region)
		default:
			known++
		}
	}
	return known, strange, nil
}

// Of more memory than is remembered nobody knows what it is. None of it is taken for memory
// of which nobody has heard, in a child neither.
func TestWhereNobodyKnowsWhatIsThereIsNotForgotten(t *testing.T) {
	s := space{exact: true, follows: true}
	at := func(i int) uint64 { return simulatedStart + uint64(i)*2*modelSize }
	known := &backing{pageSize: modelSize, states: newStates(1)}
	s.insert(segment{at(-1), at(-1) + modelSize, known, 0})
	for i := range 2 * maxStrange {
		s.estrange(userfaultfd.Range{Start: at(i), Len: modelSize}, known)
	}
	for name, s := range map[string]space{"a process": s, "its child": s.clone(make(heirs)), "what may be": s.copy()} {
		for i := range 2 * maxStrange {
			if !s.isStrange(at(i)) {
				t.Fatalf("%s: number %d of %d is no longer strange", name, i, 2*maxStrange)
			}
		}
		if s.isStrange(at(-1)) {
			t.Errorf("%s: what is known is strange", name)
		}
	}
}

func TestSpaceFollowsThreadsThatOvertakeEachOther(t *testing.T) {
	known, strange := 0, 0
	for seed := range simulations(3000) {
		p, s := newSimulatedProcess(seed, 4)
		var told []change
		for range 60 {
			if c, ok := p.step(); ok {
				c.apply(s)
				told = append(told, c)
			}
			if p.owesEvents() {
				continue
			}
			s.settle()
			k, n, err := p.check(s, p.at)
			if err != nil {
				for _, c := range told {
					t.Logf("%v %#x-%#x to %#x", c.kind, c.r.Start, c.r.End(), c.to)
				}
				t.Fatalf("seed %d: %v", seed, err)
			}
			known, strange = known+k, strange+n
			told = nil
		}
	}
	t.Logf("%d pages are known, and %d not", known, strange)
	if known < 10*strange {
		t.Errorf("%d pages are known, and %d not", known, strange)
	}
}
