package pager

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// A heldSource is read, and the reads wait.
type heldSource struct {
	pattern
	reading chan struct{}
	release func()
	held    chan struct{}
}

func newHeldSource(t *testing.T) *heldSource {
	h := &heldSource{reading: make(chan struct{}, 64), held: make(chan struct{})}
	h.release = sync.OnceFunc(func() { close(h.held) })
	t.Cleanup(h.release)
	return h
}

func (h *heldSource) ReadAt(p []byte, off int64) (int, error) {
	h.reading <- struct{}{}
	<-h.held
	return h.pattern.ReadAt(p, off)
}

// What was handed over is the successor's, and nobody else's to install in.
func TestHandingOverWaitsForWhoPopulates(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	source := newHeldSource(t)
	p, stop := s.serveUntil(Config{OnStop: HandOver, Regions: s.region(source), Forked: func(*Pager) {}})
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(context.Background()) }()
	<-source.reading
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	select {
	case <-stopped:
		t.Error("Serve has returned while Populate goes on")
		stopped <- nil
	case <-time.After(50 * time.Millisecond):
	}
	source.release()
	<-stopped
	if err := <-populated; !errors.Is(err, context.Canceled) {
		t.Errorf("Populate: %v", err)
	}
	if err := p.Populate(context.Background()); !errors.Is(err, context.Canceled) {
		t.Errorf("Populate after the end: %v", err)
	}
	if s.file = p.File(); s.file == nil {
		t.Fatal("File is nil")
	}
	s.serve(Config{Regions: s.region(pattern{}), Resume: p.Pages()})
	s.want("0", "read 0 1")
}

func TestPopulatingAProcessThatEnds(t *testing.T) {
	s := startServed(t, "anonymous", 64, allEvents, missing)
	source := newHeldSource(t)
	p := s.serve(Config{Regions: s.region(source), Process: s.pidfd})
	populated := make(chan error, 1)
	go func() { populated <- p.Populate(context.Background()) }()
	<-source.reading
	s.cmd.Process.Kill()
	uffdtest.Eventually(t, "the pager to stop", p.isStopping)
	time.Sleep(20 * time.Millisecond)
	source.release()
	if err := <-populated; err != nil {
		t.Errorf("Populate: %v", err)
	}
	if _, err := p.Replay(context.Background(), Replay{Trace: new(Trace), Source: source}); err != nil {
		t.Errorf("Replay after the end: %v", err)
	}
}

// Who asks for the end may lose its processor in the middle of that.
func TestAnEndThatIsAskedForSlowly(t *testing.T) {
	needPoison(t)
	s := startServed(t, "anonymous", 2, allEvents, missing)
	asked, cancelled := make(chan struct{}), make(chan struct{})
	s.hooks.stopping = func() {
		close(asked)
		<-cancelled
	}
	p, stop := s.serveUntil(Config{Regions: s.region(pattern{})})
	s.want("0", "read 0 1")
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	<-asked
	read := s.begin("read 1 1") // has the reader see that it is to end
	time.Sleep(20 * time.Millisecond)
	if p.hasEnded() {
		t.Error("the pager has ended while it is told to")
	}
	close(cancelled)
	if err := <-stopped; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	// The reader may have seen before that it is to end.
	if got := s.result(read, "read"); got != offsets(s.memory.PageSize) && got != "sigbus" {
		t.Errorf("the page holds %s", got)
	}
}

// A page that is poisoned in one process of those that share memory is not so in
// another, though its state is one.
func TestStoppingPoisonsWhatAChildIsOwed(t *testing.T) {
	needPoison(t)
	for _, kind := range []string{"anonymous", "shmem"} {
		t.Run(kind, func(t *testing.T) {
			s := startServed(t, kind, 4, allEvents, missing)
			p, stop := s.serveUntil(Config{Regions: s.region(pattern{})})
			s.want("0", "read 0 1")
			child := s.begin("fork held read 0 4")
			uffdtest.Eventually(t, "the fork", func() bool { return p.Stats().Forks == 1 })
			if err := stop(); !errors.Is(err, context.Canceled) {
				t.Errorf("Serve: %v", err)
			}
			s.want("0 sigbus sigbus sigbus", "read 0 4")
			s.want("ok", "release")
			if got := s.result(child, "the child"); got != "0 sigbus sigbus sigbus" {
				t.Errorf("the child reads %s", got)
			}
		})
	}
}

// A page that was to be poisoned when the address space was changing is not yet
// when the pager stops.
func TestStoppingPoisonsWhatCouldNotBe(t *testing.T) {
	for _, lends := range []bool{true, false} {
		t.Run(fmt.Sprintf("lent %v", lends), func(t *testing.T) { stopWhilePoisonIsRefused(t, lends) })
	}
}

func stopWhilePoisonIsRefused(t *testing.T, lends bool) {
	needPoison(t)
	s := startServed(t, "anonymous", 2, allEvents, missing)
	var refused, told atomic.Int32
	var may atomic.Bool
	s.hooks.refuse = func(o operation, r userfaultfd.Range) error {
		switch {
		case o == opCopy:
			return &userfaultfd.Error{Op: "UFFDIO_COPY", Range: r, Err: unix.ENOMEM}
		case o != opPoison || may.Load():
			return nil
		}
		refused.Add(1)
		return &userfaultfd.Error{Op: "UFFDIO_POISON", Range: r, Err: unix.EAGAIN}
	}
	regions := s.region(sourceFunc(func([]byte, int64) (int, error) { return 0, errors.New("the disk is sad") }))
	if lends {
		regions = s.region(newLending(int(s.memory.Range.Len)))
	}
	p, stop := s.serveUntil(Config{Regions: regions, Retry: Retry{Times: 1}, Events: func(e Event) {
		if e.Kind == EventFailed {
			told.Add(1)
		}
	}})
	read := s.begin("read 0 1")
	uffdtest.Eventually(t, "EAGAIN", func() bool { return refused.Load() > 3 })
	if got := p.Pages()[0].State; got != Untouched {
		t.Errorf("a page that is not poisoned yet is said to be %v", got)
	}
	uffdtest.Eventually(t, "the failure", func() bool { return told.Load() > 0 })
	time.AfterFunc(20*time.Millisecond, func() { may.Store(true) })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	if got := s.result(read, "read"); got != "sigbus" {
		t.Errorf("the page holds %s", got)
	}
	if n := told.Load(); n != 1 {
		t.Errorf("the failure was told %d times", n)
	}
}

// What is in a file that the process maps, and its holes, are right without a pager.
func TestDetachLeavesTheHolesOfAMemfd(t *testing.T) {
	s := startServed(t, "shmem", 8, allEvents|userfaultfd.FeatureMinorShmem, missing|userfaultfd.RegisterMinor)
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/%d", s.cmd.Process.Pid, s.memfd), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := s.memory.PageSize
	page := make([]byte, size)
	pattern{}.ReadAt(page, int64(5*size))
	if _, err := f.WriteAt(page, int64(5*size)); err != nil {
		t.Fatal(err)
	}
	m, err := Memfd(f)
	if err != nil {
		t.Fatal(err)
	}
	p := s.serve(Config{Regions: s.region(m)})
	if err := p.Detach(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.want("zero "+offsets(5*size)+" zero", "read 4 3")
}

// Memory lives longer than the process that a pidfd is of, if another has it too.
func TestMemoryThatOutlivesItsProcess(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	p := s.serve(Config{Regions: s.region(pattern{}), Process: s.pidfd})
	s.want("0", "read 0 1")
	share := s.begin("share 2")
	time.Sleep(50 * time.Millisecond)
	s.cmd.Process.Kill()
	if got := s.result(share, "share"); got != "1" {
		t.Error("the page that is left reads as zeros")
	}
	uffdtest.Eventually(t, "the end of Serve", p.hasEnded)
}

// The userfaultfd of a child that nobody is told of would be closed by the collector.
func TestHandingOverTakesForked(t *testing.T) {
	s := startServed(t, "anonymous", 1, allEvents, missing)
	if _, err := New(s.file, Config{Regions: s.region(nil), OnStop: HandOver, NoPoison: LeaveWaiting}); err == nil || !strings.Contains(err.Error(), "Forked") {
		t.Errorf("New: %v", err)
	}
}

// Whoever waits for Serve waits for the children, and wants to know meanwhile.
func TestAFailureIsLoggedWhileChildrenAreServed(t *testing.T) {
	s := startServed(t, "anonymous", 2, allEvents, missing)
	told := make(logged, 64)
	p, stop := s.serveUntil(Config{Regions: s.region(pattern{}), Logger: slog.New(told)})
	s.do("linger none")
	uffdtest.Eventually(t, "the fork", func() bool { return p.Stats().Forks == 1 })
	p.stop(errors.New("the read has failed"))
	select {
	case <-told:
	case <-time.After(deadline):
		t.Error("nothing is logged")
	}
	stop()
}

// logged is a slog.Handler that passes messages on.
type logged chan string

func (l logged) Enabled(context.Context, slog.Level) bool { return true }
func (l logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l logged) WithGroup(string) slog.Handler            { return l }
func (l logged) Handle(_ context.Context, r slog.Record) error {
	l <- r.Message
	return nil
}

// A thread may wait for memory in no region, with a message that a dead pager has read.
func TestASuccessorWakesWhoWaitsOutside(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	regions := s.region(pattern{})
	regions[0].Range.Len = 2 * uint64(s.memory.PageSize)
	read := s.begin("read 3 1")
	msgs := make([]userfaultfd.Msg, 4)
	if n, err := s.file.Read(msgs); err != nil || n != 1 {
		t.Fatalf("Read: %d, %v", n, err)
	}
	s.serve(Config{Regions: regions, ZeroOutside: true})
	select {
	case got := <-read:
		if got != "zero" {
			t.Errorf("the page holds %s", got)
		}
	case <-time.After(3 * time.Second):
		t.Error("the thread was not woken")
		s.cmd.Process.Kill()
	}
}
