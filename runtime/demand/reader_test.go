package demand_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
	"time"

	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

func TestReaders(t *testing.T) {
	const size = 300<<10 + 1234
	content := make([]byte, size)
	fill(content, 0)
	for name, c := range map[string]demand.Config{
		"everything in memory": {},
		"two chunks in memory": {Budget: demand.NewBudget(128 << 10)},
	} {
		t.Run("with "+name, func(t *testing.T) {
			m, _ := open(t, size, c)
			t.Run("Section is a reader", func(t *testing.T) {
				if err := iotest.TestReader(m.Section(1000, 80_000), content[1000:81_000]); err != nil {
					t.Error(err)
				}
			})
			t.Run("ReadAt at the end is EOF", func(t *testing.T) {
				p := make([]byte, 100)
				for _, test := range []struct {
					off  int64
					n    int
					want error
				}{{size - 40, 40, io.EOF}, {size - 100, 100, nil}, {size, 0, io.EOF}, {1 << 62, 0, io.EOF}, {-1, 0, unix.EINVAL}} {
					n, err := m.ReadAt(p, test.off)
					if n != test.n || !errors.Is(err, test.want) {
						t.Errorf("at %d: %d, %v", test.off, n, err)
					}
					check(t, p[:n], test.off)
				}
				if n, err := m.ReadAt(nil, size); n != 0 || err != nil {
					t.Errorf("nothing at the end: %d, %v", n, err)
				}
			})
			t.Run("WriteTo a file", func(t *testing.T) {
				file, err := os.Create(t.TempDir() + "/out")
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				if n, err := m.WriteTo(file); n != size || err != nil {
					t.Fatal(n, err)
				}
				got, err := os.ReadFile(file.Name())
				if err != nil || !bytes.Equal(got, content) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
			t.Run("a section that was read in part is copied to a pipe", func(t *testing.T) {
				r, w, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				go func() {
					defer w.Close()
					s := m.Section(5000, 1<<63-1) // beyond the end
					s.Seek(1000, io.SeekStart)
					if n, err := io.Copy(w, s); n != size-6000 || err != nil {
						t.Error(n, err)
					}
					if at, _ := s.Seek(0, io.SeekCurrent); at != size-5000 {
						t.Errorf("at %d afterwards", at)
					}
				}()
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, content[6000:]) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
			t.Run("WriteTo stops where writing fails", func(t *testing.T) {
				n, err := m.WriteTo(&limitedWriter{100_000})
				if n != 100_000 || !errors.Is(err, errSource) {
					t.Error(n, err)
				}
			})
			t.Run("slices must be within", func(t *testing.T) {
				for _, r := range [][2]int64{{-1, 1}, {0, -1}, {size, 1}, {1, size}, {1, 1<<63 - 1}} {
					_, err := m.Slice(r[0], r[1])
					for _, err := range []error{err, m.Prefetch(r[0], r[1]), m.Retry(r[0], r[1])} {
						if !errors.Is(err, unix.EINVAL) {
							t.Errorf("%v: %v, want EINVAL", r, err)
						}
					}
				}
				s, err := m.Slice(size, 0)
				if err != nil || len(s.Bytes()) != 0 {
					t.Errorf("the empty slice: %v", err)
				}
				s.Release()
			})
		})
	}
	t.Run("write to who is slow without filling the budget", func(t *testing.T) {
		m, _ := open(t, 64*chunk, demand.Config{ChunkSize: chunk, Budget: demand.NewBudget(4 * chunk)})
		release := make(chan struct{})
		var all []<-chan error
		for range 8 {
			all = append(all, uffdtest.During(func() error { _, err := m.WriteTo(slowWriter{release}); return err }))
		}
		time.Sleep(50 * time.Millisecond)
		if err := look(m, 60); err != nil {
			t.Errorf("a view beside them: %v", err)
		}
		close(release)
		for _, done := range all {
			if err := uffdtest.Within(t, "WriteTo", done); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("read ahead no more than was asked for", func(t *testing.T) {
		m, s := open(t, 1<<30, demand.Config{})
		if _, err := m.ReadAt(make([]byte, 300<<10), 64<<10); err != nil {
			t.Fatal(err)
		}
		if got := m.Stats(); s.reads.Load() != 1 || got.ReadBytes != 320<<10 {
			t.Errorf("%+v", got)
		}
	})
}

type slowWriter struct{ release chan struct{} }

func (w slowWriter) Write(p []byte) (int, error) {
	<-w.release
	return len(p), nil
}

type limitedWriter struct{ left int }

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return w.left, errSource
	}
	w.left -= len(p)
	return len(p), nil
}
