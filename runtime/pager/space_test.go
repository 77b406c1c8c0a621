package pager

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// A model of a space: what every page maps, one by one.
type model struct {
	pages    map[uint64]modelPage // by address
	unmapped map[uint64]int       // of which so many UNMAPs are to come
}

type modelPage struct {
	b    *backing
	page int
}

const modelSize = 4096

func (m *model) unmap(r userfaultfd.Range) {
	for at := r.Start; at < r.End(); at += modelSize {
		if m.unmapped[at] > 0 {
			m.unmapped[at]--
			if p, ok := m.pages[at]; ok && p.b.vacant {
				delete(m.pages, at)
			}
			continue
		}
		delete(m.pages, at)
	}
}

func (m *model) move(x userfaultfd.Remap) {
	moved := make(map[uint64]modelPage)
	for off := uint64(0); off < x.Len; off += modelSize {
		if p, ok := m.pages[x.From+off]; ok {
			moved[off] = p
			delete(m.pages, x.From+off)
		}
	}
	for off := uint64(0); off < x.Len; off += modelSize {
		if p, ok := m.pages[x.To+off]; ok {
			if !p.b.vacant || m.unmapped[x.To+off] == 0 {
				m.unmapped[x.To+off]++
			}
			delete(m.pages, x.To+off)
		}
	}
	for off, p := range moved {
		m.pages[x.To+off] = p
	}
	for off := uint64(0); off < x.Len; off += modelSize {
		m.unmapped[x.From+off]++
		if _, there := m.pages[x.From+off]; !there {
			if _, was := moved[off]; was {
				m.pages[x.From+off] = modelPage{&backing{vacant: true}, 0}
			}
		}
	}
}

func (m *model) check(t *testing.T, s *space) {
	t.Helper()
	seen := 0
	for i, seg := range s.segments {
		if seg.start >= seg.end || i > 0 && s.segments[i-1].end > seg.start {
			t.Fatalf("segment %d of %+v", i, s.segments)
		}
		for at := seg.start; at < seg.end; at += modelSize {
			seen++
			want, ok := m.pages[at]
			switch {
			case !ok:
				t.Fatalf("%#x is mapped", at)
			case want.b.vacant != seg.b.vacant:
				t.Fatalf("%#x: vacant is %v", at, seg.b.vacant)
			case !seg.b.vacant && (want.b != seg.b || want.page != seg.pageOf(at)):
				t.Fatalf("%#x maps page %d, want %d", at, seg.pageOf(at), want.page)
			case s.find(at) == nil || s.find(at).start > at || s.find(at).end <= at:
				t.Fatalf("%#x is not found", at)
			}
		}
	}
	if seen != len(m.pages) {
		t.Fatalf("%d pages are mapped, want %d", seen, len(m.pages))
	}
}

func TestSpaceFollowsWhatAModelDoes(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		s, m := new(space), &model{make(map[uint64]modelPage), make(map[uint64]int)}
		for i := range 4 {
			b := &backing{pageSize: modelSize, region: i, states: newStates(16)}
			start := uint64(1<<20 + i*16*modelSize)
			s.insert(segment{start, start + 16*modelSize, b, 0})
			for k := range 16 {
				m.pages[start+uint64(k)*modelSize] = modelPage{b, k}
			}
		}
		for range 100 {
			r := userfaultfd.Range{Start: 1<<20 + random.Uint64N(96)*modelSize, Len: (1 + random.Uint64N(20)) * modelSize}
			if random.IntN(3) == 0 {
				if s.moves.shrunk(r) >= 0 {
					continue // which the model does not know
				}
				s.unmap(r)
				m.unmap(r)
			} else {
				x := userfaultfd.Remap{From: r.Start, To: 1<<20 + random.Uint64N(96)*modelSize, Len: r.Len}
				if x.From < x.To+x.Len && x.To < x.From+x.Len {
					continue // the kernel refuses that
				}
				s.move(x)
				m.move(x)
			}
			m.check(t, s)
		}
	}
}

// Memory is moved to where other memory was, whose UNMAP comes after that.
func TestAnUnmapThatComesLateIsOfWhatWasThereBefore(t *testing.T) {
	old, moved := &backing{pageSize: modelSize, states: newStates(4)}, &backing{pageSize: modelSize, states: newStates(4)}
	p := &Pager{systemPage: modelSize, file: new(userfaultfd.File)}
	p.space.insert(segment{1 << 20, 1<<20 + 4*modelSize, old, 0})
	p.space.insert(segment{2 << 20, 2<<20 + 4*modelSize, moved, 0})
	remap := messageOf(message(userfaultfd.EventRemap, 2<<20, 1<<20, 4*modelSize))
	unmap := messageOf(message(userfaultfd.EventUnmap, 1<<20, 1<<20+4*modelSize, 0))
	p.apply(&remap)
	p.apply(&unmap)
	if s := p.space.find(1 << 20); s == nil || s.b != moved {
		t.Errorf("the moved memory is forgotten: %+v", p.space.segments)
	}
	p.apply(&unmap)
	if s := p.space.find(1 << 20); s != nil {
		t.Errorf("what was unmapped is still there: %+v", p.space.segments)
	}
}

// What is moved leaves as many segments as it has, and may be what was left before: a
// process that moves all it has ever had would double them each time.
func TestMovesDoNotDoubleWhatIsKept(t *testing.T) {
	const size = 1 << 20
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared is %v", shared), func(t *testing.T) {
			s := space{exact: true}
			for start := uint64(0); start < 4*size; start += 2 * size { // and a hole behind each
				b := newBacking(0, &Region{Range: userfaultfd.Range{Len: size}, PageSize: 4096, Shared: shared}, nil)
				s.insert(segment{start, start + size, b, 0})
			}
			last := s.segments[1].b
			all := uint64(4 * size)
			for range 24 {
				s.move(userfaultfd.Remap{From: 0, To: all, Len: all})
				if all *= 2; len(s.segments) > 4*maxLeft || len(s.strange) > maxStrange {
					t.Fatalf("%d segments, and %d strange ones", len(s.segments), len(s.strange))
				}
			}
			if at := s.find(all - 2*size); at == nil || at.b != last || at.page != 0 {
				t.Errorf("what has moved is %+v", at)
			}
			if at := s.find(0); at != nil || !s.isStrange(0) {
				t.Errorf("where nobody can know any more what is, is %+v", at)
			}
		})
	}
}

func TestStates(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const n = 200
	s, want := newStates(n), make([]PageState, n)
	for range 2000 {
		from := random.IntN(n)
		to := from + random.IntN(n-from+1)
		state := PageState(random.IntN(4))
		s.set(from, to, state)
		for i := from; i < to; i++ {
			want[i] = state
		}
		for i := range want {
			if s.get(i) != want[i] {
				t.Fatalf("page %d is %v, want %v", i, s.get(i), want[i])
			}
		}
		page, limit := random.IntN(n), 0
		limit = page + random.IntN(n-page+1)
		end := page
		for end < limit && want[end] == want[page] {
			end++
		}
		if got := s.runEnd(page, limit); got != end {
			t.Fatalf("runEnd(%d, %d) is %d, want %d", page, limit, got, end)
		}
		next := limit
		if i := slices.Index(want[page:limit], state); i >= 0 {
			next = page + i
		}
		if got := s.next(page, limit, state); got != next {
			t.Fatalf("next(%d, %d, %v) is %d, want %d", page, limit, state, got, next)
		}
		count := 0
		for _, x := range want[page:limit] {
			if x == state {
				count++
			}
		}
		if got := s.count(page, limit, state); got != count {
			t.Fatalf("count(%d, %d, %v) is %d, want %d", page, limit, state, got, count)
		}
		if c := s.clone(); c.get(page) != want[page] {
			t.Fatal("a clone differs")
		}
	}
}

// FuzzMessages applies messages of any content: whatever a kernel would write,
// nothing panics, and the space stays in order.
func FuzzMessages(f *testing.F) {
	f.Add(message(userfaultfd.EventRemove, 1<<20, 1<<20+4096, 0))
	f.Add(message(userfaultfd.EventUnmap, 0, ^uint64(0), 0))
	f.Add(append(message(userfaultfd.EventRemap, 1<<20, 1<<21, 1<<16), message(userfaultfd.EventRemap, 1<<21, 1<<20+4096, 1<<16)...))
	f.Add(message(userfaultfd.EventRemap, 1<<20, ^uint64(0)-4096, 1<<40))
	f.Add(message(userfaultfd.EventRemap, 0x103030, 0xffffffffffea3030, 0x303030303030302f))
	f.Add(append(message(userfaultfd.EventRemap, 1<<20, 1<<21, 0), message(userfaultfd.EventUnmap, 1<<21, 1<<21+4096, 0)...))
	f.Add(slices.Concat(message(userfaultfd.EventRemap, 1<<20, 5<<20, 4<<20), message(userfaultfd.EventRemap, 1<<20, 9<<20, 8<<20), message(userfaultfd.EventRemap, 1<<20, 17<<20, 16<<20)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := &Pager{systemPage: 4096, file: new(userfaultfd.File)}
		p.space.follows = true
		var first *backing
		for i := range 3 {
			b := newBacking(i, &Region{Range: userfaultfd.Range{Len: 1 << 20}, PageSize: []int{4096, 4096, 1 << 20}[i], Shared: i == 1}, nil)
			start := uint64(1+2*i) << 20
			p.space.insert(segment{start, start + 1<<20, b, 0})
			if i == 0 {
				first = b
			}
		}
		messages := len(raw)/userfaultfd.MsgSize + 1
		for len(raw) >= userfaultfd.MsgSize {
			m := messageOf(raw[:userfaultfd.MsgSize])
			if e := m.Event(); e != userfaultfd.EventFork && e != userfaultfd.EventPagefault {
				p.apply(&m)
			}
			raw = raw[userfaultfd.MsgSize:]
		}
		if n := len(p.space.segments); n > 4*maxLeft+8*messages {
			t.Fatalf("%d segments after %d messages", n, messages)
		}
		for i, s := range p.space.segments {
			if s.start >= s.end || i > 0 && p.space.segments[i-1].end > s.start {
				t.Fatalf("segment %d of %+v", i, p.space.segments)
			}
			if from, to := s.pages(); !s.b.vacant && (from < 0 || to > s.b.states.n || from > to) {
				t.Fatalf("segment %d of %+v has the pages %d to %d", i, p.space.segments, from, to)
			}
		}
		// A fetch that was begun before lands where it still belongs.
		p.hooks.refuse = func(o operation, r userfaultfd.Range) error { return &userfaultfd.Error{Err: unix.EEXIST} }
		p.landOnce(&fetch{r: userfaultfd.Range{Start: 1 << 20, Len: 1 << 20}, b: first}, fuzzed[:])
		c := p.space.clone(make(heirs))
		if len(c.segments) != len(p.space.segments) {
			t.Fatal("a clone differs")
		}
		p.order = new(order)
		p.Pages()
	})
}

var fuzzed [1 << 20]byte

func messageOf(raw []byte) (m userfaultfd.Msg) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&m)), userfaultfd.MsgSize), raw)
	return m
}

// message returns a message as the kernel writes it.
func message(event userfaultfd.Event, a, b, c uint64) []byte {
	m := make([]byte, userfaultfd.MsgSize)
	m[0] = byte(event)
	binary.NativeEndian.PutUint64(m[8:], a)
	binary.NativeEndian.PutUint64(m[16:], b)
	binary.NativeEndian.PutUint64(m[24:], c)
	return m
}
