package pager

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// soakTime is how long TestOracle runs in all: $UFFD_SOAK ("1h"), or a minute, or
// a moment with -short.
func soakTime(t *testing.T) time.Duration {
	if s := os.Getenv("UFFD_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("$UFFD_SOAK: %v", err)
		}
		return d
	}
	if testing.Short() {
		return time.Second
	}
	return time.Minute
}

// TestOracle has a process that knows its memory's truth discard, unmap, move,
// fork and check while the pager serves it from sources that are slow, stop short
// and fail.
func TestOracle(t *testing.T) {
	type round struct {
		kind    string
		threads int
		lends   bool
	}
	var rounds []round
	for _, kind := range kinds {
		for _, threads := range []int{4, 16} {
			for _, lends := range []bool{true, false} {
				if !testing.Short() || threads == 4 && lends == (kind == "shmem") {
					rounds = append(rounds, round{kind, threads, lends})
				}
			}
		}
	}
	each := soakTime(t) / time.Duration(len(rounds))
	var faults uint64
	for _, r := range rounds {
		t.Run(fmt.Sprintf("%s memory, %d threads, lent %v", r.kind, r.threads, r.lends), func(t *testing.T) {
			// A process is used up after some seconds: all that is left of the
			// source's content is little.
			for end := time.Now().Add(each); ; {
				faults += oracleRound(t, r.kind, r.threads, r.lends, min(each, 3*time.Second))
				if t.Failed() || !time.Now().Before(end) {
					return
				}
			}
		})
	}
	t.Logf("%d faults", faults)
}

// fails returns n: page i of a source fails if i%n is n-1. None does where nothing
// can be poisoned.
func fails(features userfaultfd.Features) int {
	if features&userfaultfd.FeaturePoison == 0 {
		return 1 << 30
	}
	return 97
}

func oracleRound(t *testing.T, kind string, threads int, lends bool, d time.Duration) (faults uint64) {
	t.Helper()
	features := havePoison(t, allEvents) | missingFeature(kind)
	needFeatures(t, features)
	blocks, pages := 512, 8
	if testing.Short() {
		blocks = 64
	}
	if kind == "hugetlb" {
		blocks, pages = 32, 2
		needMovableHugePages(t)
		needHugePages(t, 72)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	o := startOracle(t, kind, blocks, pages, threads, d, seed, features)
	source := &oracleSource{pageSize: o.memory.PageSize, fails: fails(features)}
	if kind == "hugetlb" {
		source.delay = 3 * time.Millisecond
	}
	var logged lockedBuffer
	cfg := Config{
		Regions: []Region{o.memory}, Process: o.process, ZeroOutside: true,
		Workers:   1 + random.IntN(8),
		Readahead: [...]Readahead{{}, {16 << 10, 16 << 10}, {64 << 10, 64 << 10}, {4 << 10, 256 << 10}}[random.IntN(4)],
		NoPoison:  LeaveWaiting,
		Retry:     Retry{Times: 12, Backoff: time.Microsecond},
		Logger:    slog.New(slog.NewTextHandler(&logged, nil)),
	}
	cfg.Regions[0].Source = source
	if lends {
		cfg.Regions[0].Source = &oracleLender{oracleSource: source, lent: newLending(int(o.memory.Range.Len))}
	}
	closeKept(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the pagers said:\n%s", logged.String())
		}
	})
	var children atomic.Uint64
	cfg.Forked = func(c *Pager) { children.Add(1) }
	p, err := New(o.file, cfg)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(context.Background()) }()
	if random.IntN(2) == 0 {
		populated := make(chan error, 1)
		go func() { populated <- p.Populate(t.Context()) }()
		defer func() {
			select {
			case <-populated:
			case <-time.After(deadline):
				t.Error("Populate does not return")
			}
		}()
	}
	o.conn.Write([]byte{1})
	said, err := o.wait()
	if err != nil {
		t.Errorf("%s: seed %d, %+v: %v", said, seed, cfg.Readahead, err)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
	case <-time.After(deadline):
		t.Fatal("the process has ended, and Serve has not")
	}
	s := p.Stats()
	t.Logf("%s; %d faults, %d joined, %d deferred, %d existed, %d outside, %d children, p99 %v",
		said, s.Missing, s.Joined, s.Deferred, s.Existed, s.Outside, children.Load(), s.Latency.Quantile(0.99))
	return s.Missing
}

// A lockedBuffer is what pagers have logged, which may still be at it.
type lockedBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}

// An oracle is a process of oracle.c.
type oracle struct {
	conn    *net.UnixConn
	file    *userfaultfd.File
	process *os.File
	memory  Region
	cmd     *exec.Cmd
	out     *bufio.Reader
}

func startOracle(t *testing.T, kind string, blocks, pages, threads int, d time.Duration, seed uint64, features userfaultfd.Features) *oracle {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{conn: conn.(*net.UnixConn)}
	o.cmd = exec.Command(uffdtest.CompileC(t, "oracle.c"), kind, strconv.Itoa(blocks), strconv.Itoa(pages), strconv.Itoa(threads),
		strconv.FormatInt(d.Milliseconds(), 10), strconv.FormatUint(seed, 10), fmt.Sprint(uint64(features)), strconv.Itoa(fails(features)), "15")
	var pidfd int
	o.cmd.SysProcAttr = &unix.SysProcAttr{PidFD: &pidfd}
	o.cmd.ExtraFiles = []*os.File{theirs}
	o.cmd.Stderr = os.Stderr
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.out = bufio.NewReader(out)
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	o.process = os.NewFile(uintptr(pidfd), "pidfd")
	t.Cleanup(func() {
		o.cmd.Process.Kill()
		o.cmd.Wait()
		o.conn.Close()
		o.process.Close()
	})
	theirs.Close()
	var text [128]byte
	o.conn.SetReadDeadline(time.Now().Add(deadline))
	f, n, err := userfaultfd.ReceiveFrom(o.conn, text[:])
	if err != nil {
		t.Fatal(err)
	}
	o.file = openFile(t, f, features)
	var memfd int
	if _, err := fmt.Sscan(string(text[:n]), &o.memory.Range.Start, &o.memory.Range.Len, &o.memory.PageSize, &memfd); err != nil {
		t.Fatal(err)
	}
	o.memory.Shared = kind == "shmem"
	return o
}

// wait waits for the process's end and returns what it said.
func (o *oracle) wait() (string, error) {
	said, _ := io.ReadAll(o.out)
	return strings.TrimSpace(string(said)), o.cmd.Wait()
}

// An oracleSource is slow, stops short and fails, at random; some pages fail
// always.
type oracleSource struct {
	pageSize int
	fails    int
	delay    time.Duration // at most; 0 is 300 us
}

var errRandom = errors.New("a source that fails at random")

func (s *oracleSource) ReadAt(p []byte, off int64) (int, error) {
	delay := s.delay
	if delay == 0 {
		delay = 300 * time.Microsecond
	}
	if rand.IntN(2) == 0 {
		time.Sleep(rand.N(delay))
	}
	for page := off / int64(s.pageSize); page < (off+int64(len(p)))/int64(s.pageSize); page++ {
		if page%int64(s.fails) == int64(s.fails)-1 {
			return 0, errors.New("a page that fails always")
		}
	}
	pattern{}.ReadAt(p, off)
	switch rand.IntN(20) {
	case 0:
		return 0, errRandom
	case 1:
		return rand.IntN(len(p)), nil
	case 2:
		return rand.IntN(len(p)), io.EOF
	case 3:
		clear(p)
		panic("a source that panics at random")
	}
	return len(p), nil
}

// An oracleLender lends at times.
type oracleLender struct {
	*oracleSource
	lent *lending
}

func (l *oracleLender) Lend(off int64, n int) []byte {
	for i := 0; i < n; i += l.pageSize {
		if (off+int64(i))/int64(l.pageSize)%int64(l.fails) == int64(l.fails)-1 {
			n = i
		}
	}
	switch rand.IntN(8) {
	case 0:
		return nil
	case 1:
		n = rand.IntN(n + 1)
	}
	return l.lent.Lend(off, n)
}
