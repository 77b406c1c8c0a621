package userfaultfd_test

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

// onCPU keeps this process, and what it starts, on one CPU until the benchmark
// ends. Both sides of a comparison then meet the
// same caches, and no thread on another CPU whose TLB has to be flushed.
func onCPU(b *testing.B, cpu int) {
	b.Helper()
	cpus := usableCPUs(b)
	setAffinity(cpu)
	procs := runtime.GOMAXPROCS(1)
	b.Cleanup(func() {
		setAffinity(cpus...)
		runtime.GOMAXPROCS(procs)
	})
}

// usableCPUs returns the numbers of the CPUs that this process may use.
func usableCPUs(b *testing.B) (cpus []int) {
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

// A cPeer is a C program that does a benchmark's work when it is told to: for
// "N" on its socket it does N operations and answers with numbers. Nothing
// here allocates, as that would count as the benchmark's.
type cPeer struct {
	conn   *net.UnixConn
	buf    [64]byte
	answer []byte // what is left of it, in buf
}

func startPeer(b *testing.B, program string, args ...string) *cPeer {
	b.Helper()
	_, conn := startWithSocket(b, program, args...)
	return &cPeer{conn: conn}
}

// do has the program do n operations, and returns its answer: how many
// nanoseconds they took.
func (p *cPeer) do(b *testing.B, n int) time.Duration {
	p.ask(b, n)
	return time.Duration(p.number(b))
}

// ask has the program do n operations; number then returns the numbers of its
// answer, one after the other.
func (p *cPeer) ask(b *testing.B, n int) {
	p.conn.SetDeadline(time.Now().Add(deadline))
	if _, err := p.conn.Write(append(strconv.AppendInt(p.buf[:0], int64(n), 10), '\n')); err != nil {
		b.Fatal(err)
	}
	got, err := p.conn.Read(p.buf[:])
	if err != nil {
		b.Fatalf("waiting for the C program's answer: %v", err)
	}
	p.answer = p.buf[:got]
}

func (p *cPeer) number(b *testing.B) (n int64) {
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

// A comparison is the same work in Go and in C.
type comparison struct {
	round, reset func(n int) error // in Go; a round does n operations
	c, lone      *cPeer            // in C; lone, which may be nil, with one thread
}

// run does b.N operations in rounds of at most size, each in Go and then in C,
// and reports the medians of the rounds. The reset after each round is not
// timed.
//
// The benchmark's own clock runs on through resets and through C's turn, so
// that -benchtime is the time that all of it takes; ns/op is not from that
// clock.
func (c *comparison) run(b *testing.B, size int) {
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
	report(b, median(ours), median(theirs))
	if c.lone != nil {
		b.ReportMetric(median(ours)/median(lone), "ratio-to-lone-C")
	}
}

// turn does n operations in Go, in C and in C with one thread.
func (c *comparison) turn(b *testing.B, n int) (took [3]time.Duration) {
	start := time.Now()
	err := c.round(n)
	took[0] = time.Since(start)
	if err == nil {
		err = c.reset(n)
	}
	if err != nil {
		b.Fatal(err)
	}
	took[1] = c.c.do(b, n)
	if c.lone != nil {
		took[2] = c.lone.do(b, n)
	}
	return took
}

// report reports what an operation took in Go and in C, in nanoseconds.
func report(b *testing.B, ours, theirs float64) {
	b.ReportMetric(ours, "ns/op")
	b.ReportMetric(theirs, "C-ns/op")
	b.ReportMetric(ours/theirs, "ratio-to-C")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[len(v)/2] + v[(len(v)-1)/2]) / 2
}
