package pager

import (
	"fmt"
	"math/rand/v2"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

// Up to Linux 6.16 the message of a mremap(2) that moves and shrinks tells the length
// from before: what is behind where the memory is now is still there.
func TestMemoryThatMovesAndShrinks(t *testing.T) {
	eachKind(t, 16, func(t *testing.T, s *served, regions []Region) {
		size := s.memory.PageSize
		s.serve(Config{Regions: regions})
		s.want("ok", "shrink 0 4 8")
		s.want(offsets(0, 9*size, 10*size, 11*size, 12*size), "read 8 5")
		s.want(offsets(4*size, 5*size), "read 4 2")
	})
}

func TestMemoryThatMovesAndShrinksWhileOthersDiscard(t *testing.T) {
	s := startServed(t, "anonymous", 512, allEvents, missing)
	size := s.memory.PageSize
	p := s.serve(Config{Regions: s.region(pattern{})})
	if p.kernel == forgetsEvents {
		t.Skip("the kernel forgets that it owes events (Linux 5.16): a fault waits no more than a moment for what is to come")
	}
	for i := 0; i < 512; i += 16 {
		shrink := s.begin("shrink %d 4 %d", i, i+8)
		s.want("ok", "discard %d 1", i+10)
		s.want("ok", "unmap %d 2", i+12)
		s.want(fmt.Sprintf("%d zero %d", (i+9)*size, (i+11)*size), "read %d 3", i+9)
		if got := s.result(shrink, "shrink"); got != "ok" {
			t.Fatal(got)
		}
		s.want(offsets(i*size, (i+9)*size)+" zero "+offsets((i+11)*size), "read %d 4", i+8)
		s.want(offsets((i+14)*size), "read %d 1", i+14)
	}
}

// A simulated kernel is the truth of a space, and what its messages are to be.
type simulatedKernel struct {
	at      map[uint64]modelPage
	removed map[modelPage]bool
}

func (k *simulatedKernel) each(r userfaultfd.Range, f func(addr uint64)) {
	for at := r.Start; at < r.End(); at += modelSize {
		f(at)
	}
}

func (k *simulatedKernel) unmap(r userfaultfd.Range) {
	k.each(r, func(at uint64) { delete(k.at, at) })
}

func (k *simulatedKernel) remove(r userfaultfd.Range) {
	k.each(r, func(at uint64) {
		if p, ok := k.at[at]; ok {
			k.removed[p] = true
		}
	})
}

// shrink moves the first pages of r, and returns the messages.
func (k *simulatedKernel) shrink(r userfaultfd.Range, to, moved uint64) []change {
	was := userfaultfd.Range{Start: r.Start, Len: moved}
	tail := userfaultfd.Range{Start: r.Start + moved, Len: r.Len - moved}
	now := userfaultfd.Range{Start: to, Len: moved}
	k.unmap(now)
	k.unmap(tail)
	k.each(was, func(at uint64) {
		if p, ok := k.at[at]; ok {
			delete(k.at, at)
			k.at[at-r.Start+to] = p
		}
	})
	messages := []change{{kind: userfaultfd.EventUnmap, r: now}, {userfaultfd.EventRemap, r, to}}
	if tail.Len > 0 {
		messages = append(messages, change{kind: userfaultfd.EventUnmap, r: tail})
	}
	return append(messages, change{kind: userfaultfd.EventUnmap, r: was})
}

// Others' messages come between those of a move that shrinks.
func TestSpaceFollowsMovesThatShrink(t *testing.T) {
	const pages = 64
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 3))
		s, k := new(space), &simulatedKernel{make(map[uint64]modelPage), make(map[modelPage]bool)}
		b := &backing{pageSize: modelSize, states: newStates(pages)}
		s.insert(segment{1 << 20, 1<<20 + pages*modelSize, b, 0})
		for i := range pages {
			k.at[1<<20+uint64(i)*modelSize] = modelPage{b, i}
		}
		// Another's place, of each thread, so that they are not in each other's way:
		// one has moved from the lower half to the upper, the other works in that.
		within := func(from, n uint64) userfaultfd.Range {
			at := random.Uint64N(n)
			return userfaultfd.Range{Start: 1<<20 + (from+at)*modelSize, Len: (1 + random.Uint64N(min(n-at, 8))) * modelSize}
		}
		for range 4 {
			r := within(0, pages/2)
			to := 1<<20 + (pages/2+random.Uint64N(pages/2))*modelSize
			moved := (1 + random.Uint64N(r.Len/modelSize)) * modelSize
			messages := k.shrink(r, to, moved)
			messages[0].apply(s)
			for _, m := range messages[1:] {
				m.apply(s)
				for range random.IntN(3) {
					other := change{kind: userfaultfd.EventRemove, r: within(pages/2, pages/2+8)}
					switch random.IntN(4) {
					case 0:
						other.kind = userfaultfd.EventUnmap
						k.unmap(other.r)
						other.apply(s)
					case 1:
						// Away, all of it.
						for _, m := range k.shrink(other.r, 1<<20+(2*pages+random.Uint64N(pages))*modelSize, other.r.Len) {
							m.apply(s)
						}
					default:
						k.remove(other.r)
						other.apply(s)
					}
				}
			}
		}
		for i := range uint64(4 * pages) {
			at := 1<<20 + i*modelSize
			seg := s.find(at)
			want, ok := k.at[at]
			switch {
			case !ok && seg != nil:
				t.Fatalf("seed %d: %#x is mapped", seed, at)
			case !ok:
			case seg == nil || seg.b != want.b || seg.pageOf(at) != want.page:
				t.Fatalf("seed %d: page %d of %d, at %#x, is not there: %+v", seed, want.page, i, at, s.segments)
			case b.states.get(want.page) != map[bool]PageState{false: Untouched, true: Removed}[k.removed[want]]:
				t.Fatalf("seed %d: page %d is %v", seed, want.page, b.states.get(want.page))
			}
		}
	}
}

// After MREMAP_DONTUNMAP nothing needs to be unmapped where the memory was; if its tail
// is, and then the rest, that is no message of a shorter move.
func TestMemoryIsUnmappedInTwoPartsWhereOtherMemoryWasMovedAwayFrom(t *testing.T) {
	for _, old := range []bool{false, true} {
		s := startServed(t, "anonymous", 8, allEvents, missing)
		s.old = old
		size := s.memory.PageSize
		p := s.serve(Config{Regions: s.region(pattern{})})
		if p.kernel == forgetsEvents {
			t.Skip("the kernel forgets that it owes events (Linux 5.16)")
		}
		s.want("ok", "move_keep 0 4")
		s.want("0", "read 8 1")
		uffdtest.Eventually(t, "the end of doubts", func() bool {
			p.order.beginInstall()
			defer p.order.endInstall()
			return len(p.space.moves) == 0
		})
		s.want("ok", "unmap 2 2")
		s.want("ok", "unmap 0 2")
		s.want(offsets(0, size, 2*size, 3*size), "read 8 4")
		s.want(offsets(4*size), "read 4 1")
	}
}

// A child that was forked between the messages of a move has heard none of the UNMAPs.
func TestAChildThatIsForkedInTheMidstOfAMoveThatShrinks(t *testing.T) {
	const start = 1 << 20
	p := &Pager{systemPage: modelSize, file: new(userfaultfd.File)}
	for i := range 2 {
		p.space.insert(segment{start + uint64(i)*8*modelSize, start + uint64(i+1)*8*modelSize, &backing{pageSize: modelSize, region: i, states: newStates(8)}, 0})
	}
	p.recent = &recent{before: p.space.layout()}
	tell := func(c change) {
		p.recent.note(c)
		c.apply(&p.space)
	}
	pages := func(from, to uint64) userfaultfd.Range {
		return userfaultfd.Range{Start: start + from*modelSize, Len: (to - from) * modelSize}
	}
	tell(change{kind: userfaultfd.EventUnmap, r: pages(8, 9)})
	tell(change{userfaultfd.EventRemap, pages(0, 4), start + 8*modelSize}) // one page of it, in truth
	h := &inheritance{before: p.recent.before.clone(make(heirs)), read: len(p.recent.changes)}
	tell(change{kind: userfaultfd.EventUnmap, r: pages(1, 4)})
	change{kind: userfaultfd.EventRemove, r: pages(12, 13)}.apply(&p.space) // of the parent
	tell(change{kind: userfaultfd.EventUnmap, r: pages(0, 1)})
	h.changes = p.recent.changes
	child := h.layout(func(addr uint64) bool { return addr >= start+4*modelSize })
	for i := range uint64(8) {
		at := start + (8+i)*modelSize
		mine, its := p.space.find(at), child.find(at)
		if its == nil || mine.b.region != its.b.region || mine.pageOf(at) != its.pageOf(at) {
			t.Fatalf("page %d is of region %d, and in the child %+v", i, mine.b.region, its)
		}
		if want := min(i, 1); uint64(mine.b.region) != want {
			t.Errorf("page %d is of region %d, want %d", i, mine.b.region, want)
		}
		if mine.b == its.b {
			t.Errorf("page %d has the same state in both", i)
		}
	}
	if s := child.find(start + 12*modelSize); s.b.states.get(4) != Untouched {
		t.Error("what the parent has discarded the child has too")
	}
}
