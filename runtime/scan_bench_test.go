package userfaultfd_test

import (
	"fmt"
	"strconv"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// BenchmarkScan measures a walk over 4,096 pages that finds those written
// since the last one and protects them again, beside the same in C. Writing to
// the pages is not timed.
func BenchmarkScan(b *testing.B) {
	const pages, regions = 4096, 512
	program := compileC(b, "scan.c")
	for _, written := range []struct {
		name   string
		stride int // every stride-th page is written, none if 0
	}{{"clean", 0}, {"1%", 100}, {"10%", 10}, {"all", 1}} {
		b.Run(written.name, func(b *testing.B) {
			f := open(b, userfaultfd.FeatureWPAsync)
			m := mapMemory(b, userfaultfd.Anonymous, pages)
			fill(m.Bytes())
			register(b, f, m, userfaultfd.RegisterWP)
			if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
				b.Fatal(err)
			}
			pagemap := openPagemap(b)

			want := 0
			write := func(int) error {
				want = 0
				for i := 0; written.stride > 0 && i < pages; i += written.stride {
					m.Bytes()[i*m.PageSize()]++
					want++
				}
				return nil
			}
			write(0)
			walker := userfaultfd.NewWalker(pagemap, userfaultfd.Scan{}, make([]userfaultfd.PageRegion, regions))
			walk := func(int) error {
				walker.Reset(userfaultfd.ScanWritten(m.Range(), true))
				got := uint64(0)
				for walker.Next() {
					got += walker.Region().Range().Len
				}
				if err := walker.Err(); err != nil {
					return err
				}
				if got != uint64(want*m.PageSize()) {
					return fmt.Errorf("%d bytes were written, want %d", got, want*m.PageSize())
				}
				return nil
			}
			onCPU(b, usableCPUs(b)[0])
			peer := startPeer(b, program, strconv.Itoa(pages), strconv.Itoa(written.stride), strconv.Itoa(regions))
			c := comparison{round: walk, reset: write, c: peer}
			c.run(b, 1)
		})
	}
}
