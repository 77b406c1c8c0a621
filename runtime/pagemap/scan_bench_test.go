package pagemap_test

import (
	"fmt"
	"strconv"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"github.com/zuffd/uffd/runtime/pagemap"
)

// BenchmarkScan measures a walk over 4,096 pages that finds those written
// since the last one and protects them again, beside the same in C. Writing to
// the pages is not timed.
func BenchmarkScan(b *testing.B) {
	const pages, regions = 4096, 512
	program := uffdtest.CompileC(b, "scan.c")
	for _, written := range []struct {
		name   string
		stride int // every stride-th page is written, none if 0
	}{{"clean", 0}, {"1%", 100}, {"10%", 10}, {"all", 1}} {
		b.Run(written.name, func(b *testing.B) {
			f := uffdtest.Open(b, userfaultfd.FeatureWPAsync)
			m := uffdtest.Map(b, memory.Anonymous, pages)
			uffdtest.Fill(m.Bytes())
			uffdtest.Register(b, f, m, userfaultfd.RegisterWP)
			if err := f.WriteProtect(m.Range()); err != nil {
				b.Fatal(err)
			}
			pagemaps := openPagemap(b)

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
			buf := make([]pagemap.Region, regions)
			walk := func(int) error {
				got := uint64(0)
				for region, err := range pagemaps.Walk(pagemap.Written(m.Range(), true), buf) {
					if err != nil {
						return err
					}
					got += region.Range().Len
				}
				if got != uint64(want*m.PageSize()) {
					return fmt.Errorf("%d bytes were written, want %d", got, want*m.PageSize())
				}
				return nil
			}
			uffdtest.OnCPU(b, uffdtest.UsableCPUs(b)[0])
			peer := uffdtest.StartPeer(b, program, strconv.Itoa(pages), strconv.Itoa(written.stride), strconv.Itoa(regions))
			c := uffdtest.Comparison{Round: walk, Reset: write, C: peer}
			c.Run(b, 1)
		})
	}
}
