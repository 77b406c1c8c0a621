package userfaultfd_test

import (
	"errors"
	"net"
	"os"
	"strconv"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// BenchmarkFault measures a fault's round trip: another process touches a
// page, a handler reads the message and copies a page in, the process goes on.
// One such process is served by Read and Copy here, another one by the same
// loop in C, in turns; both measure themselves.
//
// What is served here never blocks; "C-polls" is beside C that waits in
// poll(2) and "C-blocks" beside C that waits in read(2).
//
// ns/op is of the mean, p50-ns of the median touch of a round, and the median
// of the rounds is reported. On one CPU it is what the handler costs; across
// CPUs mostly what it takes to wake another CPU up.
func BenchmarkFault(b *testing.B) {
	program := uffdtest.CompileC(b, "faults.c")
	for _, place := range []struct {
		name    string
		toucher int // the handler is on 0
	}{{"on-one-CPU", 0}, {"across-CPUs", 1}} {
		for _, mode := range []string{"C-polls", "C-blocks"} {
			b.Run(place.name+"/"+mode, func(b *testing.B) {
				uffdtest.Open(b, 0)
				cpus := uffdtest.UsableCPUs(b)
				if place.toucher >= len(cpus) {
					b.Skip("this process may use one CPU only")
				}
				touch := []string{"touch", strconv.Itoa(cpus[place.toucher])}
				if mode == "C-blocks" {
					touch = append(touch, "blocking")
				}
				uffdtest.OnCPU(b, cpus[0])
				benchmarkFault(b, program, touch, []string{"serve", strconv.Itoa(cpus[0])})
			})
		}
	}
}

// faultPages is how many pages faults.c has.
const faultPages = 256

func benchmarkFault(b *testing.B, program string, touch, serve []string) {
	ours, handler := startToucher(b, program, touch)
	serveInGo(b, uffdtest.FileConn(b, handler))
	theirs, handler := startToucher(b, program, touch)
	uffdtest.Start(b, program, serve, handler)

	ours.Ask(b, faultPages) // meets cold caches
	theirs.Ask(b, faultPages)
	rounds := b.N/faultPages + 1
	var p50, mean [2][]float64 // in Go and in C
	for i := range p50 {
		p50[i], mean[i] = make([]float64, 0, rounds), make([]float64, 0, rounds)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= faultPages {
		for i, peer := range [...]*uffdtest.Peer{ours, theirs} {
			peer.Ask(b, min(left, faultPages))
			p50[i] = append(p50[i], float64(peer.Number(b)))
			mean[i] = append(mean[i], float64(peer.Number(b)))
		}
	}
	b.StopTimer()
	uffdtest.Report(b, mean[0], mean[1])
	b.ReportMetric(uffdtest.Median(p50[0]), "p50-ns")
	b.ReportMetric(uffdtest.Median(p50[1]), "C-p50-ns")
	b.ReportMetric(uffdtest.MedianRatio(p50[0], p50[1]), "p50-ratio-to-C")
}

// startToucher starts a process that touches its memory when it is asked to,
// and returns the socket that its userfaultfd comes from.
func startToucher(b *testing.B, program string, args []string) (*uffdtest.Peer, *os.File) {
	handler, its := uffdtest.SocketFiles(b, unix.SOCK_STREAM)
	driver, itsDriver := uffdtest.SocketFiles(b, unix.SOCK_STREAM)
	uffdtest.Start(b, program, args, its, itsDriver)
	return &uffdtest.Peer{Conn: uffdtest.FileConn(b, driver)}, handler
}

// serveInGo serves a process's faults until the benchmark ends.
func serveInGo(b *testing.B, conn *net.UnixConn) {
	f, _, err := userfaultfd.ReceiveFrom(conn, make([]byte, 64))
	if err != nil {
		b.Fatal(err)
	}
	page := make([]byte, os.Getpagesize())
	served := make(chan error, 1)
	go func() {
		msgs := make([]userfaultfd.Msg, 16)
		for {
			n, err := f.Read(msgs)
			if err != nil {
				served <- err
				return
			}
			for i := range n {
				_, err := f.Copy(msgs[i].Pagefault().Address, page, 0)
				if err != nil && !errors.Is(err, unix.EEXIST) {
					served <- err
					return
				}
			}
		}
	}()
	b.Cleanup(func() {
		f.Close()
		if err := <-served; !errors.Is(err, os.ErrClosed) {
			b.Errorf("serving: %v", err)
		}
	})
}
