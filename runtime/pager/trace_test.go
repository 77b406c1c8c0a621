package pager

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zuffd/uffd/runtime/internal/uffdtest"
)

var digest = []byte("sha256 of something")

func randomTrace(random *rand.Rand) *Trace {
	t := &Trace{Digest: digest, Runs: 1 + random.IntN(5), Extents: []Extent{}}
	at := int64(0)
	for range random.IntN(20) {
		e := Extent{at + random.Int64N(50), 1 + random.Int64N(100), random.IntN(10), 1 + random.IntN(4)}
		t.add(e)
		at = t.Extents[len(t.Extents)-1].end()
	}
	return t
}

func TestTracesAreReadAsTheyWereWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		want := randomTrace(random)
		var b bytes.Buffer
		if n, err := want.WriteTo(&b); err != nil || n != int64(b.Len()) {
			t.Fatal(n, err)
		}
		got, err := ReadTrace(bytes.NewReader(b.Bytes()), digest)
		if err != nil {
			t.Fatal(err)
		}
		if got.Extents == nil {
			got.Extents = []Extent{}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("read %+v, want %+v", got, want)
		}
		if _, err := ReadTrace(bytes.NewReader(b.Bytes()), []byte("another")); err == nil {
			t.Error("a trace of other content was read")
		}
		// Whatever is damaged is noticed.
		i := random.IntN(b.Len())
		damaged := bytes.Clone(b.Bytes())
		damaged[i] ^= 1 << random.IntN(8)
		if _, err := ReadTrace(bytes.NewReader(damaged), digest); err == nil {
			t.Errorf("a trace that was damaged at %d was read", i)
		}
		if _, err := ReadTrace(bytes.NewReader(b.Bytes()[:i]), digest); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a trace that was cut at %d: %v", i, err)
		}
	}
}

func TestSetsOfTraces(t *testing.T) {
	// Byte by byte.
	at := func(t *Trace, off int64) (Extent, bool) {
		for _, e := range t.Extents {
			if e.Offset <= off && off < e.end() {
				return e, true
			}
		}
		return Extent{Rank: 9}, false
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		a, b := randomTrace(random), randomTrace(random)
		union, err := Union(a, b)
		if err != nil {
			t.Fatal(err)
		}
		both, err := Intersect(a, b)
		if err != nil {
			t.Fatal(err)
		}
		aged, kept := a.Age(), a.AtLeast(3)
		for off := range int64(3100) {
			x, inA := at(a, off)
			y, inB := at(b, off)
			rank, count := min(x.Rank, y.Rank), x.Count+y.Count
			if e, ok := at(union, off); ok != (inA || inB) || ok && (e.Rank != rank || e.Count != count) {
				t.Fatalf("union at %d: %+v %v, of %+v and %+v", off, e, ok, a, b)
			}
			if e, ok := at(both, off); ok != (inA && inB) || ok && (e.Rank != rank || e.Count != count) {
				t.Fatalf("intersection at %d: %+v %v, of %+v and %+v", off, e, ok, a, b)
			}
			if e, ok := at(aged, off); ok != (inA && x.Count > 1) || ok && e.Count != x.Count/2 {
				t.Fatalf("aged at %d: %+v %v, of %+v", off, e, ok, a)
			}
			if _, ok := at(kept, off); ok != (inA && x.Count >= 3) {
				t.Fatalf("kept at %d: %v, of %+v", off, ok, a)
			}
		}
	}
	if _, err := Union(&Trace{Digest: []byte("a")}, &Trace{Digest: []byte("b")}); err == nil {
		t.Error("traces of different content were united")
	}
}

func FuzzReadTrace(f *testing.F) {
	var b bytes.Buffer
	randomTrace(rand.New(rand.NewPCG(5, 6))).WriteTo(&b)
	f.Add(b.Bytes())
	f.Add([]byte(traceMagic + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		trace, err := ReadTrace(bytes.NewReader(raw), digest)
		if err != nil {
			return
		}
		var b bytes.Buffer
		trace.WriteTo(&b)
		again, err := ReadTrace(&b, digest)
		if err != nil || !reflect.DeepEqual(again, trace) {
			t.Fatalf("%+v is read back as %+v, %v", trace, again, err)
		}
		trace.Age()
		if _, err := Union(trace, trace); err != nil {
			t.Fatal(err)
		}
		OpenWorkingSet(bytes.NewReader(raw), bytes.NewReader(nil), digest)
	})
}

// record has a process touch some pages of a source, and returns the trace.
func record(t *testing.T, pages int, touch []int, cfg Config) *Trace {
	t.Helper()
	s := startServed(t, "anonymous", pages, allEvents, missing)
	r := NewRecorder(digest)
	cfg.Regions = s.region(pattern{})
	cfg.Regions[0].Recorder = r
	s.serve(cfg)
	for _, i := range touch {
		s.want(offsets(i*s.memory.PageSize), "read %d 1", i)
	}
	return r.Trace()
}

func TestReplayBringsInWhatWasRecorded(t *testing.T) {
	touch := []int{60, 3, 4, 5, 200, 7, 60, 100, 101}
	trace := record(t, 256, touch, Config{})
	size := int64(os.Getpagesize())
	if trace.Bytes() != 8*size {
		t.Errorf("the trace has %d bytes, want 8 pages: %+v", trace.Bytes(), trace)
	}
	if e := trace.Extents[len(trace.Extents)-1]; e.Offset != 200*size || e.Rank == 0 {
		t.Errorf("the last extent is %+v", e)
	}
	s := startServed(t, "anonymous", 256, allEvents, missing)
	again := NewRecorder(digest)
	regions := s.region(pattern{})
	regions[0].Recorder = again
	p := s.serve(Config{Regions: regions})
	s.want(offsets(7*int(size)), "read 7 1") // before
	worth, err := p.Replay(t.Context(), Replay{Trace: trace, Source: pattern{}, Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range touch {
		s.want(offsets(i*int(size)), "read %d 1", i)
	}
	if n := p.Stats().Missing; n != 1 {
		t.Errorf("%d faults, want 1", n)
	}
	if got, want := worth(), (Replayed{Recorded: uint64(8 * size), Already: uint64(size), Early: uint64(7 * size)}); got != want {
		t.Errorf("it was worth %+v, want %+v", got, want)
	}
	if got := again.Trace(); got.Bytes() != size {
		t.Errorf("what replay brought in was recorded: %+v", got)
	}
	if _, err := p.Replay(t.Context(), Replay{Trace: trace, Source: pattern{}, Digest: []byte("another")}); err == nil {
		t.Error("a trace of other content was replayed")
	}
}

func TestASampleTellsWhatReplayWasWorth(t *testing.T) {
	var all []int
	for i := range 1024 {
		all = append(all, i)
	}
	size := os.Getpagesize()
	trace := &Trace{Digest: digest, Runs: 1, Extents: []Extent{{0, int64(1024 * size), 0, 1}}}
	s := startServed(t, "anonymous", 1024, allEvents, missing)
	p := s.serve(Config{Regions: s.region(pattern{})})
	worth, err := p.Replay(t.Context(), Replay{Trace: trace, Source: pattern{}, Digest: digest, Sample: 8})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all[:512] { // the other half is waste
		s.want(offsets(i*size), "read %d 1", i)
	}
	got := worth()
	if half := got.Early / 2; got.Hits < half*7/10 || got.Hits > half*13/10 || got.Hits+got.Waste != got.Early {
		t.Errorf("it was worth %+v: half was asked for", got)
	}
}

func TestReplayThatIsLateSaysSo(t *testing.T) {
	size := os.Getpagesize()
	trace := &Trace{Digest: digest, Runs: 1, Extents: []Extent{{0, int64(4 * size), 0, 1}}}
	s := startServed(t, "anonymous", 8, allEvents, missing)
	reading, release := make(chan struct{}, 8), make(chan struct{})
	source := sourceFunc(func(p []byte, off int64) (int, error) {
		reading <- struct{}{}
		<-release
		return pattern{}.ReadAt(p, off)
	})
	at := &source
	p := s.serve(Config{Regions: s.region(at)})
	var worth func() Replayed
	replayed := make(chan error, 1)
	go func() {
		var err error
		worth, err = p.Replay(t.Context(), Replay{Trace: trace, Source: at, Digest: digest})
		replayed <- err
	}()
	<-reading
	read := s.begin("read 2 1")
	uffdtest.Eventually(t, "the fault", func() bool { return p.Stats().Joined == 1 })
	close(release)
	if err := uffdtest.Within(t, "Replay", replayed); err != nil {
		t.Fatal(err)
	}
	if got := s.result(read, "read"); got != offsets(2*size) {
		t.Error(got)
	}
	if got, want := worth(), (Replayed{Recorded: uint64(4 * size), Late: uint64(size), Early: uint64(3 * size)}); got != want {
		t.Errorf("it was worth %+v, want %+v", got, want)
	}
}

func TestAWorkingSetIsASource(t *testing.T) {
	size := int64(os.Getpagesize())
	trace := &Trace{Digest: digest, Runs: 1, Extents: []Extent{{size, 2 * size, 5, 1}, {7 * size, size, 0, 1}, {9 * size, size / 2, 3, 1}}}
	var b bytes.Buffer
	if err := WriteWorkingSet(&b, trace, pattern{}); err != nil {
		t.Fatal(err)
	}
	var from []int64
	w, err := OpenWorkingSet(bytes.NewReader(b.Bytes()), sourceFunc(func(p []byte, off int64) (int, error) {
		from = append(from, off)
		return pattern{}.ReadAt(p, off)
	}), digest)
	if err != nil {
		t.Fatal(err)
	}
	got, want := make([]byte, 16*size), make([]byte, 16*size)
	pattern{}.ReadAt(want, 0)
	if n, err := w.ReadAt(got, 0); n != len(got) || err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %d, %v; the bytes are right: %v", n, err, bytes.Equal(got, want))
	}
	if want := []int64{0, 3 * size, 8 * size, 9*size + size/2}; !reflect.DeepEqual(from, want) {
		t.Errorf("the other source was asked for %v, want %v", from, want)
	}
	s := startServed(t, "anonymous", 16, allEvents, missing)
	from = nil
	p := s.serve(Config{Regions: s.region(w)})
	if _, err := p.Replay(t.Context(), Replay{Trace: w.Trace(), Source: w, Digest: digest}); err != nil {
		t.Fatal(err)
	}
	s.want(offsets(int(size), int(2*size)), "read 1 2")
	s.want(offsets(int(7*size)), "read 7 1")
	if len(from) != 1 { // of the page of which the set has half
		t.Errorf("the other source was asked for %v", from)
	}
}

// What the file and the source can do is asked of their working set.
func TestAWorkingSetLendsAndEndsAsItsSources(t *testing.T) {
	const pages = 16
	size := os.Getpagesize()
	trace := &Trace{Digest: digest, Runs: 1, Extents: []Extent{{0, int64(size), 1, 1}, {int64(2 * size), int64(size), 0, 1}}}
	var b bytes.Buffer
	if err := WriteWorkingSet(&b, trace, pattern{}); err != nil {
		t.Fatal(err)
	}
	t.Run("lent", func(t *testing.T) {
		f := tempFile(t, 8)
		if err := f.Truncate(int64(pages * size)); err != nil {
			t.Fatal(err)
		}
		m, err := MapFile(f)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		w, err := OpenWorkingSet(&lending{b.Bytes()}, m, digest)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.ReadAt(make([]byte, size), int64(pages*size)); n != 0 || err != io.EOF {
			t.Errorf("ReadAt the end: %d, %v", n, err)
		}
		s := startServed(t, "anonymous", pages, allEvents, missing)
		p, stop := s.serveUntil(Config{Regions: s.region(w)})
		defer stop()
		s.want(offsets(0, size, 2*size, 3*size), "read 0 4")
		s.want("zero zero", "read 8 2")
		wantStats(t, p, func(got Stats) bool {
			return got.Copied == uint64(4*size) && got.Zeroed == uint64(2*size) && got.Reads == 0
		})
	})
	t.Run("ended by a context", func(t *testing.T) {
		remote := contextSource{reading: make(chan struct{}, 8)}
		w, err := OpenWorkingSet(bytes.NewReader(b.Bytes()), remote, digest)
		if err != nil {
			t.Fatal(err)
		}
		s := startServed(t, "anonymous", pages, allEvents, missing)
		_, stop := s.serveUntil(Config{Regions: s.region(w), Retry: Retry{Times: 1}})
		s.want(offsets(2*size), "read 2 1")
		s.begin("read 1 1")
		select {
		case <-remote.reading:
		case <-time.After(deadline):
			t.Fatal("it was not asked with a context")
		}
		stop()
	})
}

func TestTheExtentsBetween(t *testing.T) {
	trace := &Trace{Extents: []Extent{{0, 10, 0, 1}, {20, 10, 2, 1}, {30, 10, 1, 1}, {50, 10, 0, 1}}}
	for _, test := range []struct {
		start, end  int64
		first, last int
	}{
		{0, 100, 0, 4}, {9, 21, 0, 2}, {10, 20, 1, 1}, {25, 26, 1, 2}, {29, 31, 1, 3}, {40, 50, 3, 3}, {60, 70, 4, 4}, {59, 60, 3, 4},
	} {
		if got := trace.between(test.start, test.end).Extents; !slices.Equal(got, trace.Extents[test.first:test.last]) {
			t.Errorf("between %d and %d: %v", test.start, test.end, got)
		}
	}
}

// What ReadTrace would refuse is not written, and a working set whose header lies is
// refused.
func TestTracesThatAreWrongAreNotWritten(t *testing.T) {
	good := Extent{4096, 4096, 0, 1}
	for name, bad := range map[string]*Trace{
		"a long digest":           {Digest: make([]byte, 1025), Runs: 1},
		"runs below zero":         {Runs: -1},
		"extents that overlap":    {Extents: []Extent{good, good}},
		"a negative offset":       {Extents: []Extent{{-1, 4096, 0, 1}}},
		"no bytes":                {Extents: []Extent{{0, 0, 0, 1}}},
		"an end beyond all bytes": {Extents: []Extent{{1 << 61, 1<<63 - 1, 0, 1}}},
		"a rank of ten":           {Extents: []Extent{{0, 1, 10, 1}}},
		"nobody who asked":        {Extents: []Extent{{0, 1, 0, 0}}},
	} {
		var b bytes.Buffer
		if _, err := bad.WriteTo(&b); err == nil || b.Len() != 0 {
			t.Errorf("%s: %v, and %d bytes", name, err, b.Len())
		}
		if err := WriteWorkingSet(&b, bad, pattern{}); err == nil || b.Len() != 0 {
			t.Errorf("the working set of %s: %v, and %d bytes", name, err, b.Len())
		}
	}
	var b bytes.Buffer
	if err := WriteWorkingSet(&b, &Trace{Digest: digest, Runs: 1, Extents: []Extent{good}}, pattern{}); err != nil {
		t.Fatal(err)
	}
	head := b.Bytes()
	binary.LittleEndian.PutUint64(head[len(workingSetMagic):], 4096+binary.LittleEndian.Uint64(head[len(workingSetMagic):]))
	if _, err := OpenWorkingSet(bytes.NewReader(append(head, make([]byte, 8192)...)), pattern{}, digest); err == nil {
		t.Error("a working set whose header lies is opened")
	}
}

func TestReplayOfNothing(t *testing.T) {
	p := &Pager{cfg: Config{Regions: []Region{{Source: pattern{}}, {Source: sourceFunc(nil)}}}}
	for name, r := range map[string]Replay{
		"no trace":                         {},
		"no source":                        {Trace: new(Trace)},
		"a source of no region":            {Trace: new(Trace), Source: bytes.NewReader(nil)},
		"a source that cannot be compared": {Trace: new(Trace), Source: sourceFunc(nil)},
	} {
		if _, err := p.Replay(t.Context(), r); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What cannot be read is told, and all else is warmed; nobody's memory is touched.
func TestWarmingBringsContentIntoACache(t *testing.T) {
	const pages, chunk = 64, 64 << 10
	s := startServed(t, "anonymous", pages, allEvents, missing)
	size := int64(s.memory.PageSize)
	sad := errors.New("the disk is sad")
	var reads atomic.Int32
	cached, err := NewCache(1<<30).Source(sourceFunc(func(p []byte, off int64) (int, error) {
		if reads.Add(1); off == 0 {
			return 0, sad
		}
		return pattern{}.ReadAt(p, off)
	}), "content", chunk)
	if err != nil {
		t.Fatal(err)
	}
	p := s.serve(Config{Regions: s.region(cached)})
	trace := &Trace{Runs: 1, Extents: []Extent{{0, size, 0, 1}, {2 * chunk, 2 * chunk, 1, 1}}}
	if _, err := p.Replay(t.Context(), Replay{Trace: trace, Source: cached, WarmOnly: true}); !errors.Is(err, sad) {
		t.Errorf("Replay: %v, want %v", err, sad)
	}
	if got := p.Pages(); len(got) != 1 || got[0].State != Untouched {
		t.Errorf("the pages are %+v", got)
	}
	before := reads.Load()
	page := int(3 * chunk / size)
	s.want(offsets(page*int(size)), "read %d 1", page)
	if n := reads.Load(); n != before || n > 3 {
		t.Errorf("%d reads, and before the fault %d; want 3, or fewer, both times", n, before)
	}
}
