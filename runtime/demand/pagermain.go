package demand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/pager"
	"golang.org/x/sys/unix"
)

// sources are how pager processes open sources, by name.
var sources = map[string]func(arg string) (io.ReaderAt, error){}

// RegisterSource registers a way to open a source, for pager processes. It is
// called in init, or in main before [PagerMain].
func RegisterSource(name string, open func(arg string) (io.ReaderAt, error)) {
	sources[name] = open
}

// PagerMain is to be called first thing in main, of a program that calls
// [MapServed]. If the process was started as a pager, it serves, and ends the
// process; else it returns at once.
//
// There are two such processes for each Served: one that serves, and one that
// watches over it, and poisons what is missing if it dies. It takes both to die
// at the same time for a fault to wait for ever; it never finds zeros. So they
// ignore the signals that end whole programs (SIGINT, SIGTERM, SIGHUP, SIGQUIT):
// a terminal or a service manager sends them to all of its processes, while
// this one may go on for a while. They end when it does.
func PagerMain() {
	pagerMainCalled.Store(true)
	role := os.Getenv(roleVariable)
	if role == "" {
		return
	}
	os.Unsetenv(roleVariable) // so that what is started from here is no pager
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT)
	conn, err := connOf(os.NewFile(3, "socket"))
	if err == nil {
		switch role {
		case supervisorRole:
			err = supervise(conn)
		case pagerRole:
			unix.CloseOnExec(sharedSocket)
			err = serve(conn)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demand: pager process:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

var pagerMainCalled atomic.Bool

const (
	roleVariable   = "UFFD_DEMAND_ROLE"
	supervisorRole = "supervisor"
	pagerRole      = "pager"
)

// sharedSocket is the descriptor of the socket to the served process in the one
// that serves. It is the supervisor's, and only held: the served process knows
// by its end that both have ended.
const sharedSocket = 4

// An order says what to serve. It goes with the userfaultfd.
type order struct {
	Name, Arg  string
	Size       int64
	Start, Len uint64
}

// A report is what comes back: that serving has begun, or why it has not or
// does not any more.
type report struct{ Failure string }

// startPager starts this program in a role, with a socket to it, and gives it
// files.
func startPager(role string, files ...*os.File) (*exec.Cmd, *net.UnixConn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "socket")
	defer theirs.Close()
	conn, err := connOf(os.NewFile(uintptr(fds[0]), "socket"))
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = append([]*os.File{theirs}, files...)
	if err := cmd.Start(); err != nil {
		conn.Close()
		return nil, nil, err
	}
	return cmd, conn, nil
}

// connOf makes a connection of a socket, which is closed.
func connOf(file *os.File) (*net.UnixConn, error) {
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}

// maxOrder is room for an order, and for a report.
const maxOrder = 64 << 10

func sendReport(conn *net.UnixConn, failure error) error {
	var r report
	if failure != nil {
		r.Failure = failure.Error()
	}
	b, err := json.Marshal(r)
	if err == nil {
		_, err = conn.Write(b)
	}
	return err
}

// receiveReport waits for a report, and returns the failure that it tells of.
func receiveReport(conn *net.UnixConn) error {
	buf := make([]byte, maxOrder)
	n, err := conn.Read(buf)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return err
	}
	var r report
	if err := json.Unmarshal(buf[:n], &r); err != nil {
		return err
	}
	if r.Failure != "" {
		return errors.New(r.Failure)
	}
	return nil
}

func receiveOrder(conn *net.UnixConn) (f *userfaultfd.File, o order, text []byte, err error) {
	text = make([]byte, maxOrder)
	f, n, err := userfaultfd.ReceiveFrom(conn, text)
	if err != nil {
		return nil, o, nil, err
	}
	text = text[:n]
	return f, o, text, json.Unmarshal(text, &o)
}

// supervise is the process that watches over the one that serves.
func supervise(conn *net.UnixConn) error {
	f, o, text, err := receiveOrder(conn)
	if err != nil {
		return err
	}
	shared, err := conn.File()
	if err != nil {
		return sendReport(conn, err)
	}
	cmd, worker, err := startPager(pagerRole, shared)
	shared.Close()
	if err != nil {
		return sendReport(conn, err)
	}
	defer worker.Close() // and not sooner, by the collector: it takes that as an order to end
	if err := f.SendTo(worker, text); err != nil {
		cmd.Process.Kill()
		return sendReport(conn, err)
	}
	failed := receiveReport(worker)
	if err := sendReport(conn, failed); err != nil || failed != nil {
		cmd.Process.Kill()
		return err
	}
	over := make(chan struct{}) // the served process has closed, or is gone
	go func() {
		conn.Read(make([]byte, 1))
		close(over) // before it dies of that
		cmd.Process.Kill()
	}()
	died := cmd.Wait()
	select {
	case <-over:
		return nil
	default:
	}
	if died == nil {
		died = errors.New("it has stopped")
	}
	poison(f, userfaultfd.Range{Start: o.Start, Len: o.Len})
	sendReport(conn, fmt.Errorf("the pager process has died: %w; what was missing is poisoned", died))
	<-over
	return nil
}

// poison poisons what is missing, and wakes who waits for it.
func poison(f *userfaultfd.File, r userfaultfd.Range) {
	page := uint64(os.Getpagesize())
	for r.Len > 0 {
		n, err := f.Poison(r, 0)
		switch {
		case err == nil:
		case errors.Is(err, unix.EEXIST):
			f.Wake(userfaultfd.Range{Start: r.Start + n, Len: page})
			n += page
		case errors.Is(err, unix.EAGAIN):
			time.Sleep(time.Millisecond)
		default:
			return // the memory, or its process, is gone
		}
		r.Start, r.Len = r.Start+n, r.Len-n
	}
}

// serve is the process that serves.
func serve(conn *net.UnixConn) error {
	f, o, _, err := receiveOrder(conn)
	if err != nil {
		return err
	}
	source, err := openSource(o)
	if err != nil {
		return sendReport(conn, err)
	}
	p, err := pager.New(f, pager.Config{
		Regions: []pager.Region{{
			Range:   userfaultfd.Range{Start: o.Start, Len: o.Len},
			Source:  padded{source, o.Size},
			Refetch: true,
		}},
		Readahead: pager.Readahead{Min: 64 << 10, Max: 1 << 20},
	})
	if err != nil {
		return sendReport(conn, err)
	}
	if err := sendReport(conn, nil); err != nil {
		return err
	}
	// Without its supervisor it poisons what is missing, and ends.
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		conn.Read(make([]byte, 1))
		stop()
	}()
	if err := p.Serve(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func openSource(o order) (io.ReaderAt, error) {
	open := sources[o.Name]
	if open == nil {
		return nil, fmt.Errorf("%w: no source is registered as %q", unix.EINVAL, o.Name)
	}
	return open(o.Arg)
}

// padded is a source with zeros from its end to the end of its last page.
type padded struct {
	io.ReaderAt
	size int64
}

func (s padded) ReadAt(p []byte, off int64) (int, error) {
	have := min(int64(len(p)), max(0, s.size-off))
	n, err := s.ReaderAt.ReadAt(p[:have], off)
	if int64(n) < have {
		return n, err
	}
	clear(p[have:])
	return len(p), nil
}
