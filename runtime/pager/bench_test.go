package pager

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
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

const benchPages = 512 // of a thread, a round

func benchmarkFault(b *testing.B, handler, toucher, threads int, strategy string) {
	ours := startToucher(b, toucher, threads, benchPages, "anonymous", 0, missing)
	ours.serve(b, Config{Spin: map[bool]time.Duration{true: 20 * time.Microsecond}[strategy == "spin"]})
	blocking := []string{}
	if strategy == "blocking" {
		blocking = append(blocking, "blocking")
	}
	theirs := startToucher(b, toucher, threads, benchPages, "anonymous", 0, missing, blocking...)
	theirs.serveInC(b, handler, strategy, 1)

	ours.ask(b, benchPages)
	theirs.ask(b, benchPages)
	var p50, p99, total [2][]float64
	rounds := b.N/(benchPages*threads) + 1
	for i := range p50 {
		p50[i], p99[i], total[i] = make([]float64, 0, rounds), make([]float64, 0, rounds), make([]float64, 0, rounds)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range rounds {
		for i, t := range []*benchProcess{ours, theirs} {
			answer := t.ask(b, benchPages)
			p50[i], p99[i], total[i] = append(p50[i], answer[0]), append(p99[i], answer[1]), append(total[i], answer[2])
		}
	}
	b.StopTimer()
	ratio := func(x [2][]float64) float64 { return uffdtest.Median(x[0]) / uffdtest.Median(x[1]) }
	b.ReportMetric(uffdtest.Median(p50[0]), "p50-ns")
	b.ReportMetric(uffdtest.Median(p99[0]), "p99-ns")
	b.ReportMetric(ratio(p50), "p50-to-C(max-1.05)")
	b.ReportMetric(ratio(p99), "p99-to-C(max-1.25)")
	b.ReportMetric(1/ratio(total), "rate-to-C(min-0.95)")
	b.ReportMetric(0, "ns/op")
}

// A benchProcess is a process of bench.c that touches its memory.
type benchProcess struct {
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
	startBench(b, args, itsHandler, itsDriver)
	return &benchProcess{driver: uffdtest.FileConn(b, driver), handler: handler}
}

func startBench(b *testing.B, args []string, files ...*os.File) {
	uffdtest.Start(b, uffdtest.CompileC(b, "bench.c"), args, files...)
}

// ask has each thread touch n pages.
func (t *benchProcess) ask(b *testing.B, n int) [3]float64 { return t.askFor(b, "", n) }

// askFor does so without allocating, as that would count as the pager's.
func (t *benchProcess) askFor(b *testing.B, what string, n int) [3]float64 {
	t.driver.SetDeadline(time.Now().Add(time.Minute))
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
		r.Source = cfg.Regions[0].Source
	}
	r.Refetch = true // rounds discard, without events
	cfg.Regions = []Region{r}
	cfg.NoPoison = LeaveWaiting
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

// serveInC has a handler in C serve it.
func (t *benchProcess) serveInC(b *testing.B, cpu int, strategy string, pages int) {
	keep, theirs := uffdtest.SocketFiles(b, unix.SOCK_STREAM)
	theirs.Close()
	b.Cleanup(func() { keep.Close() })
	startBench(b, []string{"serve", strconv.Itoa(cpu), strategy, strconv.Itoa(pages)}, t.handler)
}
