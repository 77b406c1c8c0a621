package demand_test

import (
	"container/list"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// benchSize is the size of what is read cold.
const benchSize = 1 << 30

// benchFile returns a file of the benchmark's size in the page cache.
func benchFile(b *testing.B) *os.File {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	p := make([]byte, 1<<20)
	for off := int64(0); off < benchSize; off += int64(len(p)) {
		fill(p, off)
		if _, err := f.WriteAt(p, off); err != nil {
			b.Fatal(err)
		}
	}
	return f
}

// touch reads a byte of each page.
func touch(b []byte) (sum int) {
	for i := 0; i < len(b); i += 4096 {
		sum += int(b[i])
	}
	return sum
}

var sum int

// BenchmarkViewOfNothingMissing is what View costs beside its function.
func BenchmarkViewOfNothingMissing(b *testing.B) {
	for _, limit := range []int64{0, 1 << 20} {
		b.Run(fmt.Sprintf("budget=%d", limit), func(b *testing.B) {
			m, _ := open(b, 1<<20, demand.Config{Budget: demand.NewBudget(limit)})
			m.Prefetch(0, 1<<20)
			b.ReportAllocs()
			for b.Loop() {
				m.View(func(p []byte) error { sink = p[0]; return nil })
			}
		})
	}
}

// BenchmarkResident compares accesses to what is in memory with those to a
// slice and to a mapped file, in turns: all bytes of 64 MiB one after the
// other, and one of each 64 all over.
func BenchmarkResident(b *testing.B) {
	const size = 64 << 20
	f := benchFile(b)
	m := openSource(b, f, size, demand.Config{})
	if err := m.Prefetch(0, size); err != nil {
		b.Fatal(err)
	}
	slice := make([]byte, size)
	fill(slice, 0)
	mapped, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Munmap(mapped)
	// The memory of a slice is in huge pages if the kernel likes; that of the
	// others is not.
	plain, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Munmap(plain)
	unix.Madvise(plain, unix.MADV_NOHUGEPAGE)
	fill(plain, 0)
	for name, read := range map[string]func(p []byte) int{
		"sequential": func(p []byte) (sum int) {
			for _, v := range p {
				sum += int(v)
			}
			return sum
		},
		"random": func(p []byte) (sum int) {
			at := uint32(1)
			for range size / 64 {
				at = at*1664525 + 1013904223
				sum += int(p[at%size])
			}
			return sum
		},
	} {
		b.Run(name, func(b *testing.B) {
			took := make([][]float64, 4)
			for b.Loop() {
				for i, run := range []func(){
					func() { m.View(func(p []byte) error { sum = read(p); return nil }) },
					func() { sum = read(slice) },
					func() { sum = read(plain) },
					func() { sum = read(mapped) },
				} {
					start := time.Now()
					run()
					took[i] = append(took[i], time.Since(start).Seconds())
				}
			}
			for i, name := range []string{"", "ratio-to-slice", "ratio-to-4K-slice", "ratio-to-mmap"} {
				if i > 0 {
					b.ReportMetric(uffdtest.Median(took[0])/uffdtest.Median(took[i]), name)
				}
			}
		})
	}
}

// BenchmarkColdPage touches one page after the other, all over a file in the
// page cache, each in a view of its own; and a C program whose second thread
// serves its faults does the same, on one CPU and wherever the kernel likes.
func BenchmarkColdPage(b *testing.B) {
	const chunks, step = 8192, 2657
	for _, place := range []string{"one-CPU", "all-CPUs"} {
		for _, size := range []int64{page, 64 << 10} {
			b.Run(fmt.Sprintf("%s/chunk=%d", place, size), func(b *testing.B) {
				f := benchFile(b)
				if err := f.Truncate(chunks * size); err != nil {
					b.Fatal(err)
				}
				program := uffdtest.CompileC(b, "handler.c")
				if place == "one-CPU" {
					uffdtest.OnCPU(b, uffdtest.UsableCPUs(b)[0])
				}
				var m *demand.Mapping
				reset := func(int) error {
					if m != nil {
						m.Close()
					}
					m = openSource(b, f, chunks*size, demand.Config{ChunkSize: int(size), Window: 1, Budget: demand.NewBudget(chunks * size)})
					return nil
				}
				reset(0)
				c := uffdtest.Comparison{
					Round: func(n int) error {
						at := int64(0)
						for range n {
							if err := m.View(func(p []byte) error { sink = p[at]; return nil }); err != nil {
								return err
							}
							at = (at + step*size) % (chunks * size)
						}
						return nil
					},
					Reset: reset,
					C:     uffdtest.StartPeer(b, program, f.Name(), strconv.FormatInt(size, 10), strconv.Itoa(step)),
				}
				c.Run(b, chunks)
			})
		}
	}
}

// An lru is what people write today: chunks in a map, the oldest one dropped.
type lru struct {
	source io.ReaderAt
	chunk  int64
	limit  int

	mu     sync.Mutex
	chunks map[int64]*list.Element
	order  list.List
}

type lruChunk struct {
	number int64
	p      []byte
}

func (l *lru) get(n int64) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.chunks[n]; e != nil {
		l.order.MoveToFront(e)
		return e.Value.(*lruChunk).p
	}
	c := &lruChunk{number: n}
	if len(l.chunks) == l.limit {
		old := l.order.Remove(l.order.Back()).(*lruChunk)
		delete(l.chunks, old.number)
		c.p = old.p
	} else {
		c.p = make([]byte, l.chunk)
	}
	l.source.ReadAt(c.p, n*l.chunk)
	l.chunks[n] = l.order.PushFront(c)
	return c.p
}

// BenchmarkCold reads 1 GiB of a file in the page cache, a byte of each page, in
// several ways; each round does all of them, in turns.
//
// parts is reading the file into a buffer, and putting a buffer in place, each
// alone. The ratios are to what this package takes with views of a window.
func BenchmarkCold(b *testing.B) {
	for _, chunk := range []int64{64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("chunk=%d", chunk), func(b *testing.B) {
			f := benchFile(b)
			program := uffdtest.CompileC(b, "handler.c")
			ours := demand.Config{ChunkSize: int(chunk), Budget: demand.NewBudget(benchSize)}
			mapping := func(read func(m *demand.Mapping) error) func() time.Duration {
				return func() time.Duration {
					m := openSource(b, f, benchSize, ours)
					defer m.Close()
					start := time.Now()
					if err := read(m); err != nil {
						b.Fatal(err)
					}
					return time.Since(start)
				}
			}
			timed := func(run func()) func() time.Duration {
				return func() time.Duration {
					start := time.Now()
					run()
					return time.Since(start)
				}
			}
			window := make([]byte, 1<<20)
			touchPieces := func(m *demand.Mapping, piece, step int64, prefetch bool) error {
				off := int64(0)
				for range benchSize / piece {
					if err := m.View(func(p []byte) error {
						if prefetch {
							if err := m.Prefetch(off, piece); err != nil {
								return err
							}
						}
						sum = touch(p[off:][:piece])
						return nil
					}); err != nil {
						return err
					}
					off = (off + step*piece) % benchSize
				}
				return nil
			}
			peer := uffdtest.StartPeer(b, program, f.Name(), strconv.FormatInt(chunk, 10), "1")
			ways := []struct {
				name string
				run  func() time.Duration
			}{
				{"views", mapping(func(m *demand.Mapping) error { return touchPieces(m, 1<<20, 1, false) })},
				{"one-view-prefetching", mapping(func(m *demand.Mapping) error {
					return m.View(func(p []byte) error {
						for off := int64(0); off < benchSize; off += 1 << 20 {
							if err := m.Prefetch(off, 1<<20); err != nil {
								return err
							}
							sum = touch(p[off:][:1<<20])
						}
						return nil
					})
				})},
				{"one-view", mapping(func(m *demand.Mapping) error {
					return m.View(func(p []byte) error { sum = touch(p); return nil })
				})},
				{"random-views", mapping(func(m *demand.Mapping) error { return touchPieces(m, chunk, 379, false) })},
				{"ReadAt", mapping(func(m *demand.Mapping) error {
					for off := int64(0); off < benchSize; off += 1 << 20 {
						if _, err := m.ReadAt(window, off); err != nil {
							return err
						}
						sum = touch(window)
					}
					return nil
				})},
				{"parts", func() time.Duration { return readAlone(b, f) + installAlone(b, window) }},
				{"mmap", timed(func() {
					p, err := unix.Mmap(int(f.Fd()), 0, benchSize, unix.PROT_READ, unix.MAP_SHARED)
					if err != nil {
						b.Fatal(err)
					}
					sum = touch(p)
					unix.Munmap(p)
				})},
				{"pread", timed(func() {
					for off := int64(0); off < benchSize; off += 1 << 20 {
						f.ReadAt(window, off)
						sum = touch(window)
					}
				})},
				{"LRU", timed(func() {
					l := lru{source: f, chunk: chunk, limit: benchSize / int(chunk), chunks: map[int64]*list.Element{}}
					for n := range benchSize / chunk {
						sum = touch(l.get(n))
					}
				})},
				{"C", func() time.Duration {
					peer.Ask(b, benchSize/int(chunk))
					return time.Duration(peer.Number(b))
				}},
			}
			took := make([][]float64, len(ways))
			rounds := 0
			for b.Loop() {
				for i, way := range ways {
					took[i] = append(took[i], way.run().Seconds())
				}
				rounds++
			}
			for i, way := range ways {
				b.ReportMetric(float64(benchSize)/(1<<30)/uffdtest.Median(took[i]), way.name+"-GiB/s")
			}
			b.ReportMetric(uffdtest.Median(took[5])/uffdtest.Median(took[0]), "views-of-parts")
			b.ReportMetric(uffdtest.Median(took[5])/uffdtest.Median(took[1]), "prefetching-of-parts")
		})
	}
}

// readAlone reads the file into a buffer, a window at a time.
func readAlone(b *testing.B, f *os.File) time.Duration {
	window := make([]byte, 1<<20)
	start := time.Now()
	for off := int64(0); off < benchSize; off += int64(len(window)) {
		if _, err := f.ReadAt(window, off); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// installAlone puts one window in place again and again.
func installAlone(b *testing.B, window []byte) time.Duration {
	f := uffdtest.OpenConfig(b, userfaultfd.Config{UserModeOnly: true})
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, benchSize, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	for off := 0; off < benchSize; off += len(window) {
		if _, err := f.Copy(m.Range().Start+uint64(off), window, 0); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// BenchmarkInstall compares the two ways from a file to memory: into a buffer
// and by UFFDIO_COPY into place, or into the second mapping of shared memory and
// into place by UFFDIO_CONTINUE.
func BenchmarkInstall(b *testing.B) {
	for _, window := range []int{int(page), 64 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			const size = 256 << 20
			file := benchFile(b)
			buf := make([]byte, window)
			each := func(kind memory.Kind, features userfaultfd.Features, mode userfaultfd.RegisterMode, read func(f *userfaultfd.File, m, alias *memory.Mapping, off int) error) float64 {
				f := uffdtest.OpenConfig(b, userfaultfd.Config{Features: features, UserModeOnly: true})
				defer f.Close()
				m, err := memory.Map(kind, size, 0)
				if err != nil {
					b.Fatal(err)
				}
				defer m.Close()
				var alias *memory.Mapping
				if kind == memory.Shmem {
					if alias, err = m.Alias(); err != nil {
						b.Fatal(err)
					}
					defer alias.Close()
				}
				if _, err := f.Register(m.Range(), mode); err != nil {
					b.Fatal(err)
				}
				start := time.Now()
				for off := 0; off < size; off += window {
					if err := read(f, m, alias, off); err != nil {
						b.Fatal(err)
					}
				}
				return time.Since(start).Seconds()
			}
			var copied, continued []float64
			for b.Loop() {
				copied = append(copied, each(memory.Anonymous, 0, userfaultfd.RegisterMissing, func(f *userfaultfd.File, m, _ *memory.Mapping, off int) error {
					if _, err := file.ReadAt(buf, int64(off)); err != nil {
						return err
					}
					_, err := f.Copy(m.Range().Start+uint64(off), buf, 0)
					return err
				}))
				continued = append(continued, each(memory.Shmem, userfaultfd.FeatureMinorShmem, userfaultfd.RegisterMinor, func(f *userfaultfd.File, m, alias *memory.Mapping, off int) error {
					if _, err := file.ReadAt(alias.Bytes()[off:][:window], int64(off)); err != nil {
						return err
					}
					_, err := f.Continue(userfaultfd.Range{Start: m.Range().Start + uint64(off), Len: uint64(window)}, 0)
					return err
				}))
			}
			b.ReportMetric(size/float64(1<<30)/uffdtest.Median(copied), "copy-GiB/s")
			b.ReportMetric(size/float64(1<<30)/uffdtest.Median(continued), "continue-GiB/s")
		})
	}
}
