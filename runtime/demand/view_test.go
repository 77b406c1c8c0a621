package demand_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"text/template"
	"unsafe"

	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

var page = int64(os.Getpagesize())

func TestView(t *testing.T) {
	const size = 3<<20 + 12345
	for _, c := range []struct {
		name string
		demand.Config
	}{
		{"by default", demand.Config{}},
		{"a page at a time", demand.Config{ChunkSize: int(page), Window: 1}},
		{"within a budget", demand.Config{Budget: demand.NewBudget(4 << 20)}},
	} {
		t.Run("shows the source "+c.name, func(t *testing.T) {
			m, s := open(t, size, c.Config)
			if m.Size() != size {
				t.Errorf("Size: %d", m.Size())
			}
			if s.reads.Load() != 0 {
				t.Error("read before anybody wanted it")
			}
			if err := m.View(func(b []byte) error { return verify(b, 0) }); err != nil {
				t.Error(err)
			}
			var got [sha256.Size]byte
			if err := m.View(func(b []byte) error { got = sha256.Sum256(b); return nil }); err != nil {
				t.Error(err)
			}
			p := make([]byte, size)
			fill(p, 0)
			if got != sha256.Sum256(p) {
				t.Error("the sum is another one")
			}
			stats := m.Stats()
			if stats.Reads != s.reads.Load() || stats.ReadBytes != size || stats.Misses == 0 || stats.Evictions != 0 {
				t.Errorf("%+v, after %d reads", stats, s.reads.Load())
			}
		})
	}
	t.Run("of no bytes", func(t *testing.T) {
		m, _ := open(t, 0, demand.Config{})
		if err := m.View(func(b []byte) error { return verify(b, int64(len(b))) }); err != nil || m.Size() != 0 {
			t.Error(err, m.Size())
		}
	})
	t.Run("reads what was touched, and no more", func(t *testing.T) {
		m, _ := open(t, 1<<30, demand.Config{})
		if err := m.View(func(b []byte) error { return verify(b[1<<29:][:100], 1<<29) }); err != nil {
			t.Error(err)
		}
		if stats := m.Stats(); stats.Reads != 1 || stats.ReadBytes != 64<<10 || stats.Misses != 1 || stats.Resident != 64<<10 {
			t.Errorf("%+v", stats)
		}
	})
	t.Run("reads nothing ahead with a window of a chunk", func(t *testing.T) {
		m, s := open(t, 1<<20, demand.Config{Window: 1})
		if err := m.View(func(b []byte) error { return verifySome(b[:700<<10], 0) }); err != nil {
			t.Error(err)
		}
		if n := s.reads.Load(); n != 11 || m.Stats().ReadBytes != 11*chunk {
			t.Errorf("%d reads, %+v", n, m.Stats())
		}
	})
	t.Run("starts seldom where it goes on sequentially", func(t *testing.T) {
		const size = 32 << 20
		m, _ := open(t, size, demand.Config{})
		if err := m.View(func(b []byte) error { return verifySome(b, 0) }); err != nil {
			t.Error(err)
		}
		if stats := m.Stats(); stats.Misses > 12 || stats.ReadBytes != size {
			t.Errorf("%+v", stats)
		}
	})
	t.Run("notices views that go on where another one was", func(t *testing.T) {
		const size = 8 << 20
		m, _ := open(t, size, demand.Config{})
		for off := int64(0); off < size; off += 64 << 10 {
			if err := m.View(func(b []byte) error { return verifySome(b[off:][:64<<10], off) }); err != nil {
				t.Fatal(err)
			}
		}
		if stats := m.Stats(); stats.Misses > 4+size>>20 {
			t.Errorf("%+v", stats)
		}
	})
}

// TestViewOfTheLastPage looks behind the end, as assembly does that loads whole
// words.
func TestViewOfTheLastPage(t *testing.T) {
	size := page + 10
	m, _ := open(t, size, demand.Config{ChunkSize: int(page), Window: int(page)})
	err := m.View(func(b []byte) error {
		if v := *(*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), size)); v != 0 {
			return fmt.Errorf("%#x behind the end", v)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestMapTakes(t *testing.T) {
	t.Run("a window beyond all measure", func(t *testing.T) {
		m, _ := open(t, 1<<20, demand.Config{Window: int(^uint(0) >> 1)})
		if err := m.View(func(b []byte) error { return verify(b, 0) }); err != nil {
			t.Error(err)
		}
	})
	t.Run("memory that the program locks", func(t *testing.T) {
		for name, how := range map[string]int{"before": unix.MCL_FUTURE, "after": unix.MCL_CURRENT} {
			func() {
				if how == unix.MCL_FUTURE {
					lockAll(t, how)
				}
				m, _ := open(t, 16*chunk, demand.Config{ChunkSize: chunk, Budget: demand.NewBudget(4 * chunk)})
				if how == unix.MCL_CURRENT {
					lockAll(t, how)
				}
				defer unix.Munlockall()
				for c := range 16 {
					if err := look(m, c); err != nil {
						t.Fatalf("locked %s: %v", name, err)
					}
				}
				if n := resident(t, m); n > 4*chunk || n != m.Stats().Resident {
					t.Errorf("locked %s: %d bytes in memory, %d counted", name, n, m.Stats().Resident)
				}
			}()
		}
	})
}

func lockAll(t *testing.T, how int) {
	t.Helper()
	if err := unix.Mlockall(how); err != nil {
		t.Skip("mlockall: ", err)
	}
}

// verifySome is verify for a few bytes of each page.
func verifySome(b []byte, off int64) error {
	for i := int64(0); i < int64(len(b)); i += page {
		if err := verify(b[i:min(i+8, int64(len(b)))], off+i); err != nil {
			return err
		}
	}
	return nil
}

func TestViewLetsPass(t *testing.T) {
	m, _ := open(t, 1<<20, demand.Config{})
	touch := func(b []byte) { sink = b[len(b)-1] }
	t.Run("errors", func(t *testing.T) {
		if err := m.View(func(b []byte) error { touch(b); return io.EOF }); err != io.EOF {
			t.Errorf("got %v", err)
		}
	})
	t.Run("panics", func(t *testing.T) {
		for name, f := range map[string]func(b []byte){
			"a value":         func([]byte) { panic(errSource) },
			"a runtime error": func(b []byte) { sink = b[len(b)] },
			"a nil pointer":   func([]byte) { sink = *(*byte)(nil) },
			"nil":             func([]byte) { panic(nil) },
		} {
			func() {
				defer func() {
					p := recover()
					if p == nil || name == "a value" && p != errSource {
						t.Errorf("%s: recovered %v", name, p)
					}
				}()
				m.View(func(b []byte) error { touch(b); f(b); return nil })
				t.Errorf("%s: View returned", name)
			}()
		}
	})
	t.Run("faults of other memory", func(t *testing.T) {
		other, err := unix.Mmap(-1, 0, int(page), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(other)
		defer func() {
			if _, ok := recover().(runtime.Error); !ok {
				t.Error("no panic")
			}
		}()
		m.View(func([]byte) error { sink = other[0]; return nil })
	})
	t.Run("Goexit", func(t *testing.T) {
		done := make(chan error, 1)
		go func() {
			defer func() { done <- nil }()
			m.View(func(b []byte) error { touch(b); runtime.Goexit(); return nil })
			t.Error("View returned")
		}()
		uffdtest.Within(t, "the goroutine", done)
	})
	t.Run("what faults do outside", func(t *testing.T) {
		for _, was := range []bool{false, true} {
			debug.SetPanicOnFault(was)
			m, _ := open(t, 1<<20, demand.Config{})
			m.View(func(b []byte) error { touch(b); return nil })
			if is := debug.SetPanicOnFault(false); is != was {
				t.Errorf("faults panic: %v before, %v after", was, is)
			}
		}
	})
	if err := m.Close(); err != nil {
		t.Error(err) // nobody has stayed inside
	}
}

var sink byte

func TestViewSeesThroughErrorsOfPanics(t *testing.T) {
	m, _ := open(t, 1<<20, demand.Config{})
	tmpl := template.Must(template.New("").Funcs(template.FuncMap{"first": func(b []byte) string { return fmt.Sprint(b[0]) }}).Parse("{{first .}}"))
	var out bytes.Buffer
	err := m.View(func(b []byte) error {
		out.Reset()
		return tmpl.Execute(&out, b) // makes an error of the panic of a function
	})
	if err != nil || out.String() != fmt.Sprint(at(0)) {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestViewWithinViews(t *testing.T) {
	a, _ := open(t, 1<<20, demand.Config{})
	b, _ := open(t, 1<<20, demand.Config{})
	outer := 0
	err := a.View(func(p []byte) error {
		outer++
		if err := verify(p[:10], 0); err != nil {
			return err
		}
		if err := b.View(func(q []byte) error {
			if !bytes.Equal(p[1<<19:][:100], q[1<<19:][:100]) {
				return errors.New("they differ")
			}
			return nil
		}); err != nil {
			return err
		}
		return a.View(func(q []byte) error { return verify(q[1<<18:][:100], 1<<18) })
	})
	if err != nil {
		t.Error(err)
	}
	if outer != 3 { // the miss of the inner view of a is its own
		t.Errorf("the outer view ran %d times, want 3", outer)
	}
}

func TestViewMustNotWrite(t *testing.T) {
	for _, warm := range []bool{false, true} {
		m, _ := open(t, 1<<20, demand.Config{})
		if warm {
			m.Prefetch(0, 1<<20)
		}
		err := m.View(func(b []byte) error { b[page+5] = 1; return nil })
		var e *demand.Error
		if !errors.Is(err, unix.EACCES) || !errors.As(err, &e) || e.Off != page {
			t.Errorf("got %v, want EACCES at %d", err, page)
		}
		if err := m.View(func(b []byte) error { return verify(b[:2*page], 0) }); err != nil {
			t.Error(err)
		}
	}
}

// TestViewAllocatesNothing counts a view that meets no missing page.
func TestViewAllocatesNothing(t *testing.T) {
	m, _ := open(t, 1<<20, demand.Config{Budget: demand.NewBudget(1 << 20)})
	p := make([]byte, 100)
	for name, f := range map[string]func(){
		"View":   func() { m.View(func(b []byte) error { sink = b[0]; return nil }) },
		"ReadAt": func() { m.ReadAt(p, 1000) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestMapRefuses(t *testing.T) {
	open(t, 1, demand.Config{})
	for _, test := range []struct {
		name string
		size int64
		demand.Config
	}{
		{"a size below zero", -1, demand.Config{}},
		{"a size beyond the address space", 1<<63 - 1, demand.Config{}},
		{"a chunk that is no power of two", 1, demand.Config{ChunkSize: 3 * int(page)}},
		{"a chunk below zero", 1, demand.Config{ChunkSize: -1 << 31}},
		{"a chunk of less than a page", 1, demand.Config{ChunkSize: int(page) / 2}},
		{"a window below zero", 1, demand.Config{Window: -1}},
		{"a budget of less than a chunk", 1, demand.Config{ChunkSize: 2 * int(page), Budget: demand.NewBudget(page)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := demand.Map(&source{}, test.size, test.Config)
			if m != nil || !errors.Is(err, unix.EINVAL) {
				t.Errorf("got %v, want EINVAL", err)
			}
		})
	}
}
