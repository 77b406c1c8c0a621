package pager_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/pager"
)

// A process that begins without its memory is given it from a snapshot in a file,
// page by page as it touches them.
func ExamplePager_Serve() {
	conn, guest := startGuest() // it sends its userfaultfd, and where its memory is
	defer conn.Close()
	snapshot := openSnapshot() // an *os.File
	defer snapshot.Close()

	var text [64]byte
	file, n, err := userfaultfd.ReceiveFrom(conn, text[:])
	if err != nil {
		log.Fatal(err)
	}
	var memory userfaultfd.Range
	fmt.Sscan(string(text[:n]), &memory.Start, &memory.Len)

	p, err := pager.New(file, pager.Config{
		Regions:   []pager.Region{{Range: memory, Source: snapshot}},
		NoPoison:  pager.LeaveWaiting, // before Linux 6.6
		Readahead: pager.Readahead{Min: 16 << 10, Max: 16 << 10},
	})
	if err != nil {
		log.Fatal(err)
	}
	err = p.Serve(context.Background()) // until the guest has ended
	guest.Wait()
	fmt.Println("served:", err)
	// Output:
	// the guest reads: page 0 of the snapshot
	// the guest reads: page 7 of the snapshot
	// served: <nil>
}

// remote is a source whose first read of all fails.
type remote struct{ failed bool }

func (r *remote) ReadAt(p []byte, off int64) (int, error) {
	if !r.failed {
		r.failed = true
		return 0, errors.New("the connection was reset")
	}
	clear(p)
	copy(p, fmt.Sprintf("what the server has in page %d", off/int64(os.Getpagesize())))
	return len(p), nil // less would be a failure
}

// A source can be anything that is read at an offset. A read that fails is tried
// again; a page for which all fail is poisoned, and told of.
func ExampleRegion_source() {
	conn, guest := startGuest()
	file, memory := receive(conn)
	p, err := pager.New(file, pager.Config{
		Regions: []pager.Region{{Range: memory, Source: &remote{}}},
		Retry:   pager.Retry{Times: 5},
		Events: func(e pager.Event) {
			if e.Kind == pager.EventFailed {
				log.Printf("page %v: %v", e.Range, e.Err)
			}
		},
		NoPoison: pager.LeaveWaiting, // before Linux 6.6
	})
	if err != nil {
		log.Fatal(err)
	}
	p.Serve(context.Background())
	guest.Wait()
	fmt.Println("reads that failed:", p.Stats().Failures)
	// Output:
	// the guest reads: what the server has in page 0
	// the guest reads: what the server has in page 7
	// reads that failed: 1
}
