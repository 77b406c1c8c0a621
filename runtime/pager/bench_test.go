package pager

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// BenchmarkFault measures a fault's round trip beside the same in C: another
// process touches pages one by one, a handler puts each in place. Processes that
// the pager serves and that a handler in C serves take turns, in rounds, and
// measure themselves. Both sides wait in the same way.
//
// Of the rounds' medians are reported p50 and p99 of a touch, and touches a
// second, and how they relate to C's; the limits are 1.05, 1.25 and 0.95.
func BenchmarkFault(b *testing.B) {
	for _, place := range []struct {
		name string
		cpu  int
	}{{"on-one-CPU", 0}, {"across-CPUs", 1}} {
		for _, threads := range []int{1, 4} {
			for _, strategy := range []string{"poll", "spin", "blocking"} {
				b.Run(fmt.Sprintf("%s/%d-threads/%s", place.name, threads, strategy), func(b *testing.B) {
					cpus := uffdtest.UsableCPUs(b)
					if place.cpu >= len(cpus) {
						b.Skip("this process may use one CPU only")
					}
					uffdtest.OnCPU(b, cpus[0])
					benchmarkFault(b, cpus[0], cpus[place.cpu], threads, strategy)
				})
			}
		}
	}
}

// A round is long enough for the Go scheduler's monitor to calm down: for about a
// millisecond after a program was idle it looks in every 20 us, on the one CPU that
// there is here, and took a twentieth of a round of 5 ms.
const (
	roundPages  = 4096 // of all threads
	leastRounds = 16
)

func benchmarkFault(b *testing.B, handler, toucher, threads int, strategy string) {
	pages := roundPages / threads
	ours := startToucher(b, toucher, threads, pages, "anonymous", 0, missing)
	ours.serve(b, Config{Spin: map[bool]time.Duration{true: 20 * time.Microsecond}[strategy == "spin"]})
	blocking := []string{}
	if strategy == "blocking" {
		blocking = append(blocking, "blocking")
	}
	theirs := startToucher(b, toucher, threads, pages, "anonymous", 0, missing, blocking...)
	theirs.serveInC(b, handler, strategy, 1)

	ours.ask(b, pages)
	theirs.ask(b, pages)
	var p50, p99, total [2][]float64
	rounds := max(b.N/roundPages, leastRounds)
	for i := range p50 {
		p50[i], p99[i], total[i] = make([]float64, 0, rounds), make([]float64, 0, rounds), make([]float64, 0, rounds)
	}
	var cpu time.Duration // of this process, a fault
	b.ReportAllocs()
	b.ResetTimer()
	for range rounds {
		for i, t := range []*benchProcess{ours, theirs} {
			before := cpuTime()
			answer := t.ask(b, pages)
			if i == 0 {
				cpu += cpuTime() - before
			}
			p50[i], p99[i], total[i] = append(p50[i], answer[0]), append(p99[i], answer[1]), append(total[i], answer[2])
		}
	}
	b.StopTimer()
	ratio := func(x [2][]float64) float64 { return uffdtest.Median(x[0]) / uffdtest.Median(x[1]) }
	b.ReportMetric(float64(cpu)/float64(rounds*roundPages), "cpu-ns")
	b.ReportMetric(uffdtest.Median(p50[0]), "p50-ns")
	b.ReportMetric(uffdtest.Median(p99[0]), "p99-ns")
	b.ReportMetric(ratio(p50), "p50-to-C(max-1.05)")
	b.ReportMetric(ratio(p99), "p99-to-C(max-1.25)")
	b.ReportMetric(1/ratio(total), "rate-to-C(min-0.95)")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRestore has a process read its memory from front to back, once with
// one page a fault and once with read-ahead, in turns. The limit is 6.
func BenchmarkRestore(b *testing.B) {
	const pages = 64 << 10
	for _, ahead := range []int{64 << 10, 256 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("readahead-%dK", ahead>>10), func(b *testing.B) {
			var all [2]*benchProcess
			for i := range all {
				all[i] = startToucher(b, -1, 1, pages, "anonymous", 0, missing)
			}
			all[0].serve(b, Config{Readahead: Readahead{ahead, ahead}})
			all[1].serve(b, Config{})
			var took [2][]float64
			for b.Loop() {
				for i, t := range all {
					took[i] = append(took[i], t.ask(b, pages)[2])
				}
			}
			b.ReportMetric(uffdtest.Median(took[1])/uffdtest.Median(took[0]), "times-one-page(min-6)")
			b.ReportMetric(float64(pages*os.Getpagesize())/uffdtest.Median(took[0]), "GB/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkPopulate populates memory of another process, and beside it the kernel
// does the same for a C program, 2 MiB at a time, in turns. The limit is 0.95 of
// the C program's speed; half zeros are to be faster. Memory of one's own would be
// quicker by a few hundredths (Linux 6.18).
func BenchmarkPopulate(b *testing.B) {
	const size = 1 << 30
	ones := bytes.Repeat([]byte{1}, size)
	for _, test := range []struct {
		name, operation, kind string
		source                io.ReaderAt
		mode                  userfaultfd.RegisterMode
		features              userfaultfd.Features
	}{
		{"copy", "copy", "anonymous", &lending{ones}, missing, 0},
		{"half-zeros", "copy", "anonymous", &halfZeros{lending{ones}}, missing, 0},
		{"zeropage", "zeropage", "anonymous", nil, missing, 0},
		{"continue", "continue", "shmem", nil, missing | userfaultfd.RegisterMinor, userfaultfd.FeatureMinorShmem},
	} {
		b.Run(test.name, func(b *testing.B) {
			t := startToucher(b, -1, 1, size/os.Getpagesize(), test.kind, test.features, test.mode)
			p := t.serve(b, Config{Regions: []Region{{Source: test.source}}})
			driver, its := uffdtest.SocketFiles(b, unix.SOCK_STREAM)
			dummy, null := uffdtest.SocketFiles(b, unix.SOCK_STREAM)
			defer dummy.Close()
			startBench(b, []string{"populate", test.operation}, null, its)
			c := &benchProcess{driver: uffdtest.FileConn(b, driver)}
			var took [2][]float64
			sides := [2]func() float64{
				func() float64 {
					begin := time.Now()
					if err := p.Populate(b.Context()); err != nil {
						b.Fatal(err)
					}
					took := float64(time.Since(begin))
					t.ask(b, 1) // discards all of it
					p.order.beginRead()
					p.space.remove(userfaultfd.Range{Start: 0, Len: ^uint64(0)})
					p.order.endRead()
					return took
				},
				func() float64 { return c.ask(b, size>>20)[0] },
			}
			// Each comes first every other time: what the other one has just given
			// back is taken up, and the machine's speed drifts.
			round := func(first int) {
				for _, i := range []int{first, 1 - first} {
					took[i] = append(took[i], sides[i]())
				}
			}
			// Memory that the machine has not used for long costs whoever comes
			// first; and a second has room for one round, which is no median.
			round(0)
			took = [2][]float64{}
			for b.Loop() {
				for i := range 10 {
					round(i % 2)
				}
			}
			b.ReportMetric(uffdtest.Median(took[1])/uffdtest.Median(took[0]), "rate-to-C(min-0.95)")
			b.ReportMetric(size/uffdtest.Median(took[0]), "GB/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// halfZeros has a hole in every other MiB.
type halfZeros struct{ lending }

func (h *halfZeros) NextData(off int64) (start, end int64, err error) {
	const mib = 1 << 20
	start = max(off, (off+mib)/(2*mib)*(2*mib))
	if off%(2*mib) < mib {
		start = off
	}
	if start >= int64(len(h.bytes)) {
		return 0, 0, io.EOF
	}
	return start, start/(2*mib)*(2*mib) + mib, nil
}

// BenchmarkReplay has a process touch recorded pages, scattered, of a source that
// takes 200 us a read: faults alone, and with a replay that begins at the same
// moment. The limits are 5 times sooner, and 97 of 100 faults gone.
//
// The source waits in a system call, and the runtime's monitor is slow when the replay
// begins, which is the worst that it can find (see reads).
func BenchmarkReplay(b *testing.B) {
	const pages, touched = 64 << 10, 4000
	source := &slow{lending{bytes.Repeat([]byte{1}, pages*os.Getpagesize())}}
	var speed, gone []float64
	round := func() {
		t := startToucher(b, -1, 1, pages, "anonymous", 0, missing)
		r := NewRecorder(nil)
		p := t.serve(b, Config{Regions: []Region{{Source: source, Recorder: r}}})
		alone := t.askFor(b, "scatter ", touched)[2]
		trace, before := r.Trace(), p.Stats().Missing
		t = startToucher(b, -1, 1, pages, "anonymous", 0, missing)
		p = t.serve(b, Config{Regions: []Region{{Source: source}}, Workers: 32})
		slowMonitor()
		begin := time.Now()
		if _, err := p.Replay(b.Context(), Replay{Trace: trace, Source: source}); err != nil {
			b.Fatal(err)
		}
		ready := float64(time.Since(begin))
		t.askFor(b, "scatter ", touched)
		speed = append(speed, alone/ready)
		gone = append(gone, 1-float64(p.Stats().Missing)/float64(before))
	}
	for b.Loop() {
		for range 3 { // a second has room for one, which is no median
			round()
		}
	}
	b.ReportMetric(uffdtest.Median(speed), "times-sooner(min-5)")
	b.ReportMetric(uffdtest.Median(gone), "faults-gone(min-0.97)")
	b.ReportMetric(0, "ns/op")
}

// slow is a source that takes 200 us a read.
type slow struct{ lending }

func (s *slow) Lend(int64, int) []byte { return nil }

func (s *slow) ReadAt(p []byte, off int64) (int, error) {
	nap := unix.Timespec{Nsec: 200_000}
	unix.Nanosleep(&nap, nil)
	return s.lending.ReadAt(p, off)
}

// A benchProcess is a process of bench.c that touches its memory.
type benchProcess struct {
	cmd     *exec.Cmd
	driver  *net.UnixConn
	handler *os.File // the socket that its userfaultfd comes from
	buf     [128]byte
	answer  [3]float64
}

func startToucher(b *testing.B, cpu, threads, pages int, kind string, features userfaultfd.Features, mode userfaultfd.RegisterMode, more ...string) *benchProcess {
	b.Helper()
	needFeatures(b, features)
	args := append([]string{"touch", strconv.Itoa(cpu), strconv.Itoa(threads), strconv.Itoa(pages), kind, fmt.Sprint(uint64(features)), fmt.Sprint(uint64(mode))}, more...)
	handler, itsHandler := uffdtest.SocketFiles(b, unix.SOCK_STREAM)
	driver, itsDriver := uffdtest.SocketFiles(b, unix.SOCK_STREAM)
	cmd := startBench(b, args, itsHandler, itsDriver)
	return &benchProcess{cmd: cmd, driver: uffdtest.FileConn(b, driver), handler: handler}
}

func startBench(b *testing.B, args []string, files ...*os.File) *exec.Cmd {
	return uffdtest.Start(b, uffdtest.CompileC(b, "bench.c"), args, files...)
}

// ask has each thread touch n pages.
func (t *benchProcess) ask(b *testing.B, n int) [3]float64 { return t.askFor(b, "", n) }

// askFor does so without allocating, as that would count as the pager's, and without a
// deadline, as uffdtest.Peer does.
func (t *benchProcess) askFor(b *testing.B, what string, n int) [3]float64 {
	line := append(strconv.AppendInt(append(t.buf[:0], what...), int64(n), 10), '\n')
	if _, err := t.driver.Write(line); err != nil {
		b.Fatal(err)
	}
	got, err := t.driver.Read(t.buf[:])
	if err != nil {
		b.Fatalf("waiting for the C program's answer: %v", err)
	}
	k, x := 0, int64(0)
	for _, c := range t.buf[:got] {
		if '0' <= c && c <= '9' {
			x = 10*x + int64(c-'0')
		} else if k < len(t.answer) {
			t.answer[k], x = float64(x), 0
			k++
		}
	}
	return t.answer
}

// serve serves it with a pager until the benchmark ends.
func (t *benchProcess) serve(b *testing.B, cfg Config) *Pager {
	var text [128]byte
	conn := uffdtest.FileConn(b, t.handler)
	f, n, err := userfaultfd.ReceiveFrom(conn, text[:])
	if err != nil {
		b.Fatal(err)
	}
	var r Region
	var memfd int
	if _, err := fmt.Sscan(string(text[:n]), &r.Range.Start, &r.Range.Len, &r.PageSize, &memfd); err != nil {
		b.Fatal(err)
	}
	if cfg.Regions == nil {
		r.Source = &lending{bytes.Repeat([]byte{1}, int(r.Range.Len))}
	} else {
		r.Source, r.Recorder = cfg.Regions[0].Source, cfg.Regions[0].Recorder
	}
	if memfd >= 0 {
		r.Source = t.fill(b, memfd, int64(r.Range.Len))
	}
	r.Refetch = true // rounds discard, without events
	cfg.Regions = []Region{r}
	cfg.NoPoison = LeaveWaiting
	if pidfd, err := unix.PidfdOpen(t.cmd.Process.Pid, 0); err == nil {
		cfg.Process = os.NewFile(uintptr(pidfd), "pidfd")
		b.Cleanup(func() { cfg.Process.Close() })
	}
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	p, err := New(f, cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx) }()
	b.Cleanup(func() {
		cancel()
		<-served
		if f := p.File(); f != nil {
			f.Close()
		}
	})
	return p
}

// fill fills its memfd, which is then the source.
func (t *benchProcess) fill(b *testing.B, memfd int, size int64) io.ReaderAt {
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/%d", t.cmd.Process.Pid, memfd), os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	// By its pages, as the C program does: write(2) makes larger folios, which
	// take the kernel longer to map.
	alias, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		b.Fatal(err)
	}
	for i := range alias {
		alias[i] = 1
	}
	b.Cleanup(func() { unix.Munmap(alias) })
	m, err := Memfd(f)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	return m
}

// serveInC has a handler in C serve it.
func (t *benchProcess) serveInC(b *testing.B, cpu int, strategy string, pages int) {
	keep, theirs := uffdtest.SocketFiles(b, unix.SOCK_STREAM)
	theirs.Close()
	b.Cleanup(func() { keep.Close() })
	startBench(b, []string{"serve", strconv.Itoa(cpu), strategy, strconv.Itoa(pages)}, t.handler)
}

// BenchmarkLook measures the longest that a fault waits while all pages are looked at, of
// 100 GiB with pages in place here and there.
func BenchmarkLook(b *testing.B) {
	r := Region{Range: userfaultfd.Range{Start: 1 << 40, Len: 100 << 30}, PageSize: 4096}
	p := &Pager{order: new(order)}
	of := newBacking(0, &r, &content{ReaderAt: pattern{}})
	p.space.insert(segment{r.Range.Start, r.Range.End(), of, 0})
	random := rand.New(rand.NewPCG(1, 2))
	for range of.states.n / 50 {
		page := random.IntN(of.states.n)
		of.states.set(page, page+1, Installed)
	}
	for name, look := range map[string]func(){
		"populate": func() { untouchedPieces(p.layout()) },
		"pages":    func() { p.Pages() },
		"progress": func() { p.Progress() },
	} {
		b.Run(name, func(b *testing.B) {
			done, longest := make(chan struct{}), make(chan time.Duration)
			go func() {
				var most time.Duration
				for {
					began := time.Now()
					p.order.beginRead()
					most = max(most, time.Since(began))
					p.order.endRead()
					select {
					case <-done:
						longest <- most
						return
					case <-time.After(100 * time.Microsecond):
					}
				}
			}()
			for b.Loop() {
				look()
			}
			close(done)
			b.ReportMetric(float64((<-longest).Microseconds())/1000, "ms-longest-wait")
		})
	}
}
