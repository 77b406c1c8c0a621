package pager

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// deadline is how long a test waits for what must come.
const deadline = 20 * time.Second

// needFeatures skips the test where the kernel lacks one.
func needFeatures(t testing.TB, features userfaultfd.Features) {
	t.Helper()
	f, err := userfaultfd.Open(userfaultfd.Config{Features: features})
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, unix.EPERM) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// needHugePages has the system have n huge pages more until the test ends, or skips
// the test: where they are of 32 MiB, a guest has not the memory for many, twice,
// since a source has their content too.
func needHugePages(t testing.TB, n int) {
	t.Helper()
	size := memory.PageSize(memory.Hugetlb)
	if size*n > 160<<20 {
		t.Skipf("hugetlb: %d pages of %d MiB are too much for a test", n, size>>20)
	}
	uffdtest.MoreHugePages(t, n)
}

// needMovableHugePages skips the test where huge pages can be neither discarded nor
// moved.
func needMovableHugePages(t testing.TB) {
	t.Helper()
	if sys.ReleaseLess(sys.Release(), "5.18") {
		t.Skip("madvise(MADV_DONTNEED) of huge pages (Linux 5.18)")
	}
}

// A served is a process of served.c.
type served struct {
	t      testing.TB
	cmd    *exec.Cmd
	conn   *net.UnixConn
	file   *userfaultfd.File
	memory Region // where it is
	memfd  int    // its number there, -1 if there is none
	pidfd  *os.File
	hooks  hooks // of its pager
	old    bool  // its pager takes the kernel for one whose REMAPs tell a wrong length
	oldest bool  // ... or for one that forgets what it owes, too

	mu      sync.Mutex
	tag     int
	waiting map[string]chan string
}

// needPoison skips the test where a page cannot be poisoned.
func needPoison(t testing.TB) {
	t.Helper()
	needFeatures(t, userfaultfd.FeaturePoison)
}

// havePoison returns features, without FeaturePoison where the kernel has none.
func havePoison(t testing.TB, features userfaultfd.Features) userfaultfd.Features {
	t.Helper()
	f, err := userfaultfd.Open(userfaultfd.Config{Optional: userfaultfd.FeaturePoison})
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	return features &^ (userfaultfd.FeaturePoison &^ f.Features())
}

// allEvents are the features of a process that the pager is to follow.
// FeaturePoison is asked for where the kernel has it: tests that cannot do without
// say so, by needPoison.
const allEvents = userfaultfd.FeatureEventFork | userfaultfd.FeatureEventRemap | userfaultfd.FeatureEventRemove |
	userfaultfd.FeatureEventUnmap | userfaultfd.FeaturePoison

func missingFeature(kind string) userfaultfd.Features {
	switch kind {
	case "shmem":
		return userfaultfd.FeatureMissingShmem
	case "hugetlb", "hugetlb-shared":
		return userfaultfd.FeatureMissingHugetlbfs
	}
	return 0
}

// startServed starts a process with pages of a kind of memory.
func startServed(t testing.TB, kind string, pages int, features userfaultfd.Features, mode userfaultfd.RegisterMode) *served {
	t.Helper()
	features = havePoison(t, features) | missingFeature(kind)
	needFeatures(t, features)
	path := uffdtest.CompileC(t, "served.c")
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, conn: c.(*net.UnixConn), waiting: make(map[string]chan string)}
	s.cmd = exec.Command(path, kind, strconv.Itoa(pages), fmt.Sprint(uint64(features)), fmt.Sprint(uint64(mode)))
	s.cmd.Stderr = os.Stderr
	s.cmd.ExtraFiles = []*os.File{theirs}
	pidfd := -1
	s.cmd.SysProcAttr = &unix.SysProcAttr{PidFD: &pidfd}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if pidfd >= 0 {
		s.pidfd = os.NewFile(uintptr(pidfd), "pidfd")
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.conn.Close()
		s.cmd.Wait()
		s.pidfd.Close()
	})
	theirs.Close()
	var text [128]byte
	s.conn.SetReadDeadline(time.Now().Add(deadline))
	f, n, err := userfaultfd.ReceiveFrom(s.conn, text[:])
	if err != nil {
		t.Fatalf("receiving the userfaultfd: %v", err)
	}
	s.conn.SetReadDeadline(time.Time{})
	s.file = openFile(t, f, features)
	t.Cleanup(func() { s.file.Close() })
	if _, err := fmt.Sscan(string(text[:n]), &s.memory.Range.Start, &s.memory.Range.Len, &s.memory.PageSize, &s.memfd); err != nil {
		t.Fatalf("%q: %v", text[:n], err)
	}
	s.memory.Shared = kind == "shmem" || kind == "hugetlb-shared"
	go s.receive()
	return s
}

// openFile checks that a received userfaultfd knows its features.
func openFile(t testing.TB, f *userfaultfd.File, want userfaultfd.Features) *userfaultfd.File {
	t.Helper()
	if f.Features()&want != want {
		t.Fatalf("the received userfaultfd has the features %v, want %v", f.Features(), want)
	}
	return f
}

func (s *served) receive() {
	buf := make([]byte, 1<<16)
	for {
		n, err := s.conn.Read(buf)
		if err != nil || n == 0 {
			return
		}
		tag, result, _ := strings.Cut(string(buf[:n]), " ")
		s.mu.Lock()
		c := s.waiting[tag]
		delete(s.waiting, tag)
		s.mu.Unlock()
		if c != nil {
			c <- strings.TrimSpace(result)
		}
	}
}

// begin gives a command, whose result comes by the channel.
func (s *served) begin(format string, args ...any) <-chan string {
	s.t.Helper()
	s.mu.Lock()
	s.tag++
	tag := strconv.Itoa(s.tag)
	c := make(chan string, 1)
	s.waiting[tag] = c
	s.mu.Unlock()
	if _, err := s.conn.Write([]byte(tag + " " + fmt.Sprintf(format, args...))); err != nil {
		s.t.Errorf("telling the served process: %v", err)
	}
	return c
}

// do gives a command and returns its result.
func (s *served) do(format string, args ...any) string {
	s.t.Helper()
	return s.result(s.begin(format, args...), fmt.Sprintf(format, args...))
}

func (s *served) result(c <-chan string, what string) string {
	s.t.Helper()
	select {
	case r := <-c:
		return r
	case <-time.After(deadline):
		s.t.Fatalf("%s: no answer", what)
		return ""
	}
}

// want gives a command and checks the result.
func (s *served) want(want, format string, args ...any) {
	s.t.Helper()
	if got := s.do(format, args...); got != want {
		s.t.Errorf("%s: %s, want %s", fmt.Sprintf(format, args...), got, want)
	}
}

// address returns where a page is.
func (s *served) address(page int) (at uint64) {
	s.t.Helper()
	if _, err := fmt.Sscan(s.do("where %d", page), &at); err != nil {
		s.t.Fatal(err)
	}
	return at
}

// offsets returns what reading pages with these contents is answered with.
func offsets(all ...int) string {
	var b strings.Builder
	for _, o := range all {
		fmt.Fprintf(&b, "%d ", o)
	}
	return strings.TrimSpace(b.String())
}

// serve serves the process's memory until the test ends, and returns the pager.
func (s *served) serve(cfg Config) *Pager {
	s.t.Helper()
	p, _ := s.serveUntil(cfg)
	return p
}

// serveUntil returns the pager, and a function that ends its context and returns
// what Serve did.
func (s *served) serveUntil(cfg Config) (*Pager, func() error) {
	s.t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if cfg.NoPoison == 0 && s.file.Features()&userfaultfd.FeaturePoison == 0 {
		cfg.NoPoison = LeaveWaiting
	}
	closeKept(s.t)
	p, err := New(s.file, cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	p.hooks = s.hooks
	if s.old && p.kernel == tellsLengths {
		p.kernel, p.space.exact = countsEvents, false
	}
	if s.oldest {
		p.kernel, p.space.exact, p.space.follows = forgetsEvents, false, false
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx) }()
	once := sync.OnceValue(func() error {
		cancel()
		return s.wait(served)
	})
	s.t.Cleanup(func() { once() })
	return p, once
}

// closeKept closes, when the test ends, what pagers of children have kept open because
// nothing could be poisoned.
func closeKept(t testing.TB) {
	t.Cleanup(func() {
		kept.mu.Lock()
		defer kept.mu.Unlock()
		for _, f := range kept.files {
			f.Close()
		}
	})
}

func (s *served) wait(served <-chan error) error {
	select {
	case err := <-served:
		return err
	case <-time.After(deadline):
		s.t.Error("Serve does not return")
		return nil
	}
}

// region returns the process's memory as a region with a source.
func (s *served) region(source io.ReaderAt) []Region {
	r := s.memory
	r.Source = source
	return []Region{r}
}

// pattern is a source in which the 8 bytes at offset o are (o/8+1)*multiplier.
type pattern struct{}

const multiplier = 0x9e3779b97f4a7c15

func (pattern) ReadAt(p []byte, off int64) (int, error) {
	for i := 0; i+8 <= len(p); i += 8 {
		binary.NativeEndian.PutUint64(p[i:], ((uint64(off)+uint64(i))/8+1)*multiplier)
	}
	return len(p), nil
}

// lending is a source that lends.
type lending struct{ bytes []byte }

func newLending(size int) *lending {
	l := &lending{make([]byte, size)}
	pattern{}.ReadAt(l.bytes, 0)
	return l
}

func (l *lending) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(l.bytes).ReadAt(p, off)
}

func (l *lending) Lend(off int64, n int) []byte {
	if off >= int64(len(l.bytes)) {
		return nil
	}
	return l.bytes[off:min(off+int64(n), int64(len(l.bytes)))]
}

// sourceFunc is a source of a function.
type sourceFunc func(p []byte, off int64) (int, error)

func (f sourceFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// tempFile returns a file with so many pages of the pattern.
func tempFile(t testing.TB, pages int) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	b := make([]byte, pages*os.Getpagesize())
	pattern{}.ReadAt(b, 0)
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	return f
}

// self returns a pidfd of this process.
func self(t testing.TB) *os.File {
	t.Helper()
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Skipf("pidfd_open (Linux 5.3): %v", err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() { f.Close() })
	return f
}

// wantStats waits until a pager's counters are as they should be: the process
// may know of an operation before the pager has counted it.
func wantStats(t *testing.T, p *Pager, right func(Stats) bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Second); !right(p.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("the counters are %+v", p.Stats())
			return
		}
	}
}
