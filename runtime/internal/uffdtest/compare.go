package uffdtest

import (
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// OnCPU keeps this process, and what it starts, on one CPU until the benchmark
// ends. Both sides of a comparison then meet the
// same caches, and no thread on another CPU whose TLB has to be flushed.
func OnCPU(b *testing.B, cpu int) {
	b.Helper()
	cpus := UsableCPUs(b)
	setAffinity(cpu)
	procs := runtime.GOMAXPROCS(1)
	b.Cleanup(func() {
		setAffinity(cpus...)
		runtime.GOMAXPROCS(procs)
	})
}

// UsableCPUs returns the numbers of the CPUs that this process may use.
func UsableCPUs(b *testing.B) (cpus []int) {
	b.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		b.Fatal(err)
	}
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// setAffinity sets that of every thread; a new one has its creator's.
func setAffinity(cpus ...int) {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	tasks, _ := os.ReadDir("/proc/self/task")
	for _, task := range tasks {
		if tid, err := strconv.Atoi(task.Name()); err == nil {
			unix.SchedSetaffinity(tid, &set)
		}
	}
}

// A Peer is a C program that does a benchmark's work when it is told to: for
// "N" on its socket it does N operations and answers with numbers. Nothing
// here allocates, as that would count as the benchmark's.
type Peer struct {
	Conn   *net.UnixConn
	buf    [64]byte
	answer []byte // what is left of it, in buf
}

func StartPeer(b *testing.B, program string, args ...string) *Peer {
	b.Helper()
	ours, theirs := SocketFiles(b, unix.SOCK_STREAM)
	Start(b, program, args, theirs)
	return &Peer{Conn: FileConn(b, ours)}
}

// do has the program do n operations, and returns its answer: how many
// nanoseconds they took.
func (p *Peer) do(b *testing.B, n int) time.Duration {
	p.Ask(b, n)
	return time.Duration(p.Number(b))
}

// Ask has the program do n operations; Number then returns the numbers of its
// answer, one after the other. It sets no deadline: where a Go program has a timer, its
// poller sleeps with a timeout, which takes a hundredth to a twentieth of a fault. The C
// programs have an alarm(2) instead.
func (p *Peer) Ask(b *testing.B, n int) {
	if _, err := p.Conn.Write(append(strconv.AppendInt(p.buf[:0], int64(n), 10), '\n')); err != nil {
		b.Fatal(err)
	}
	got, err := p.Conn.Read(p.buf[:])
	if err != nil {
		b.Fatalf("waiting for the C program's answer: %v", err)
	}
	p.answer = p.buf[:got]
}

func (p *Peer) Number(b *testing.B) (n int64) {
	i := 0
	for ; i < len(p.answer) && '0' <= p.answer[i] && p.answer[i] <= '9'; i++ {
		n = n*10 + int64(p.answer[i]-'0')
	}
	if i == 0 || i == len(p.answer) {
		b.Fatalf("no number in the C program's answer: %q", p.answer)
	}
	p.answer = p.answer[i+1:]
	return n
}

// A Comparison is the same work in Go and in C.
type Comparison struct {
	Round, Reset func(n int) error // in Go; a round does n operations
	C, Lone      *Peer             // in C; lone, which may be nil, with one thread
}

// Run does b.N operations in rounds of at most size, each in Go and then in C,
// and reports the medians of the rounds. The reset after each round is not
// timed. The ratio is the median of the rounds' ratios, not that of the medians:
// a round in Go and the next in C share what the machine does beside them.
//
// The benchmark's own clock runs on through resets and through C's turn, so
// that -benchtime is the time that all of it takes; ns/op is not from that
// clock.
func (c *Comparison) Run(b *testing.B, size int) {
	rounds := b.N/size + 1
	ours, theirs, lone := make([]float64, 0, rounds), make([]float64, 0, rounds), make([]float64, 0, rounds)
	c.turn(b, size) // meets cold caches, and page tables that are not there yet
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= size {
		n := min(left, size)
		took := c.turn(b, n)
		ours = append(ours, float64(took[0])/float64(n))
		theirs = append(theirs, float64(took[1])/float64(n))
		lone = append(lone, float64(took[2])/float64(n))
	}
	b.StopTimer()
	Report(b, ours, theirs)
	if c.Lone != nil {
		b.ReportMetric(MedianRatio(ours, lone), "ratio-to-lone-C")
	}
}

// turn does n operations in Go, in C and in C with one thread.
func (c *Comparison) turn(b *testing.B, n int) (took [3]time.Duration) {
	start := time.Now()
	err := c.Round(n)
	took[0] = time.Since(start)
	if err == nil {
		err = c.Reset(n)
	}
	if err != nil {
		b.Fatal(err)
	}
	took[1] = c.C.do(b, n)
	if c.Lone != nil {
		took[2] = c.Lone.do(b, n)
	}
	return took
}

// Report reports what an operation took in Go and in C, in nanoseconds, of
// rounds that took turns.
func Report(b *testing.B, ours, theirs []float64) {
	b.ReportMetric(Median(ours), "ns/op")
	b.ReportMetric(Median(theirs), "C-ns/op")
	b.ReportMetric(MedianRatio(ours, theirs), "ratio-to-C")
}

// MedianRatio returns the median of the rounds' ratios.
func MedianRatio(ours, theirs []float64) float64 {
	ratios := make([]float64, len(ours))
	for i := range ratios {
		ratios[i] = ours[i] / theirs[i]
	}
	return Median(ratios)
}

// Median returns the median.
func Median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}
