package demand_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"os"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// allowed is what a function may do in a view, with memory that is not there;
// each reports whether it came out right.
var allowed = map[string]func(b []byte) bool{
	"an array's copy in an interface": func(b []byte) bool {
		v := any(*(*[512]byte)(b))
		a := v.([512]byte)
		return verify(a[:], 0) == nil
	},
	"arrays compared": func(b []byte) bool {
		var a [512]byte
		fill(a[:], 0)
		return a == *(*[512]byte)(b)
	},
	"an atomic load": func(b []byte) bool {
		return atomic.LoadUint32((*uint32)(unsafe.Pointer(&b[0]))) == *(*uint32)(unsafe.Pointer(&b[0]))
	},
	"a channel, of a copy": func(b []byte) bool {
		c := make(chan byte, 1)
		v := b[0]
		c <- v
		return <-c == at(0)
	},
	"a map's key, copied out": func(b []byte) bool {
		m := map[string]int{}
		m[string(b[:100])]++
		return m[string(b[:100])] == 1
	},
	"an array as a map's key": func(b []byte) bool {
		m := map[[64]byte]int{}
		m[[64]byte(b)]++
		return m[[64]byte(b)] == 1
	},
	"a lookup by a string of the memory": func(b []byte) bool {
		m := map[string]int{string(make([]byte, 100)): 1}
		for i := range 100 {
			m[fmt.Sprint(i)] = i
		}
		return m[unsafe.String(&b[0], 100)] == 0
	},
	"a mutex, unlocked by defer": func(b []byte) bool {
		defer mutex.Unlock()
		mutex.Lock()
		return b[0] == at(0)
	},
	"formatting": func(b []byte) bool {
		return fmt.Sprintf("%x", b[:4]) == fmt.Sprintf("%x", []byte{at(0), at(1), at(2), at(3)})
	},
	"sorting and searching": func(b []byte) bool {
		p := slices.Clone(b[:100])
		slices.Sort(p)
		i := sort.Search(1000, func(i int) bool { return b[i*int(page)%(1<<20)] == at(int64(i)*page%(1<<20)) })
		return i == 0 && bytes.IndexByte(b[:100], p[0]) >= 0
	},
	"hashing by the runtime": func(b []byte) bool {
		s := maphash.MakeSeed()
		return maphash.Bytes(s, b[:1000]) == maphash.Bytes(s, bytes.Clone(b[:1000]))
	},
	"stacks that grow": func(b []byte) bool { return deep(b, 2000) == at(0) },
	"strings": func(b []byte) bool {
		s := unsafe.String(&b[0], 1000)
		return strings.Clone(s) == s && strings.Contains(s, s[500:600]) && strings.ToUpper(s) != ""
	},
}

var mutex sync.Mutex

func deep(b []byte, n int) byte {
	var pad [64]byte
	pad[n%64] = byte(n)
	if n == 0 {
		return b[0]
	}
	return deep(b, n-1) + pad[n%64] - byte(n)
}

func TestViewMay(t *testing.T) {
	for name, f := range allowed {
		t.Run("use "+name, func(t *testing.T) {
			m, _ := open(t, 1<<20, demand.Config{})
			ok := false
			err := m.View(func(b []byte) error { ok = f(b); return nil })
			if err != nil || !ok || m.Stats().Misses == 0 {
				t.Errorf("%v, %v, %+v", ok, err, m.Stats())
			}
		})
	}
	t.Run("start a goroutine with a view of its own", func(t *testing.T) {
		m, _ := open(t, 1<<20, demand.Config{})
		err := m.View(func([]byte) error {
			return uffdtest.Within(t, "the goroutine", uffdtest.During(func() error {
				return m.View(func(b []byte) error { return verify(b, 0) })
			}))
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("give the memory to a system call only if it is there", func(t *testing.T) {
		m, _ := open(t, 1<<20, demand.Config{})
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		err = m.View(func(b []byte) error { _, err := w.Write(b[:10]); return err })
		if !errors.Is(err, unix.EFAULT) {
			t.Errorf("write(2) of what is missing: %v, want EFAULT", err)
		}
		s, err := m.Slice(0, 10)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		if _, err := w.Write(s.Bytes()); err != nil {
			t.Error(err)
		}
	})
}

const notMet = "the page was never taken in the right moment"

// A stringer prints memory.
type stringer []byte

func (s stringer) String() string { return string(s[:4]) }

// forbidden is what a function must not do in a view. Each program ends in what
// the text says, which Go prints as it crashes, or returns an error with it.
var forbidden = map[string]struct {
	run  func(m *demand.Mapping) error
	text string
}{
	"send out of the memory": {func(m *demand.Mapping) error {
		c := make(chan [1024]byte, 1)
		return m.View(func(b []byte) error {
			c <- *(*[1024]byte)(b)
			return nil
		})
	}, "unexpected signal during runtime execution"},
	"touch it in another goroutine": {func(m *demand.Mapping) error {
		return m.View(func(b []byte) error {
			done := make(chan bool)
			go func() { done <- b[0] == at(0) }()
			<-done
			return nil
		})
	}, "unexpected fault address"},
	"touch it in an iterator that is pulled": {func(m *demand.Mapping) error {
		return m.View(func(b []byte) error {
			next, stop := iter.Pull(slices.Values(b))
			defer stop()
			next()
			return nil
		})
	}, "unexpected fault address"},
	"recover": {func(m *demand.Mapping) error {
		return m.View(func(b []byte) error {
			if s := fmt.Sprint(stringer(b)); strings.Contains(s, "PANIC") {
				return errors.New("fmt has swallowed the panic: " + s)
			}
			return nil
		})
	}, "fmt has swallowed the panic"},
	"leave a lock locked": {func(m *demand.Mapping) error {
		return m.View(func(b []byte) error {
			if !mutex.TryLock() {
				return errors.New("still locked by the run before")
			}
			sink = b[0]
			mutex.Unlock()
			return nil
		})
	}, "still locked by the run before"},
	"insert a key that lies in the memory": {func(m *demand.Mapping) error {
		long := strings.Repeat("k", 8193)
		keys := map[string]int{}
		stop := make(chan struct{})
		defer close(stop)
		runtime.GOMAXPROCS(4)
		memory := make(chan []byte, 1)
		go func() {
			b := <-memory
			for {
				unix.Madvise(b, unix.MADV_DONTNEED) // as eviction does
			}
		}()
		for end := time.Now().Add(8 * time.Second); time.Now().Before(end); {
			err := m.View(func(b []byte) error {
				select {
				case memory <- b[4096:8192]:
				default:
				}
				keys[unsafe.String(&b[0], len(long))]++
				return nil
			})
			clear(keys)
			keys[long] = 1
			if err != nil && !errors.Is(err, unix.EACCES) {
				return err
			}
		}
		return errors.New(notMet)
	}, "concurrent map"},
}

func init() {
	uffdtest.Children["forbidden"] = func(args []string) error {
		size := int64(1 << 20)
		m, err := demand.Map(kSource{}, size, demand.Config{})
		if err != nil {
			return err
		}
		return forbidden[args[0]].run(m)
	}
}

// kSource has the same letter throughout.
type kSource struct{}

func (kSource) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = 'k'
	}
	return len(p), nil
}

// TestViewMustNot shows that what the package comment warns of goes wrong.
func TestViewMustNot(t *testing.T) {
	open(t, 1, demand.Config{})
	for name, test := range forbidden {
		t.Run(name, func(t *testing.T) {
			if raced && name == "send out of the memory" {
				t.Skip("the race detector has touched the memory before the runtime does")
			}
			child := uffdtest.ChildFor(t, time.Minute, "forbidden", name) // an emulated machine is slow to die
			var out bytes.Buffer
			child.Stderr = &out
			if err := child.Run(); err == nil {
				t.Fatal("nothing happened")
			}
			text, _ := out.ReadString(0)
			if strings.Contains(text, notMet) {
				t.Skip(text) // it takes two threads, and luck
			}
			if !strings.Contains(text, test.text) {
				t.Errorf("no %q in %.400q", test.text, text)
			}
		})
	}
}
