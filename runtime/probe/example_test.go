package probe_test

import (
	"fmt"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/probe"
)

func ExampleKernel() {
	s, err := probe.Kernel()
	if err != nil {
		fmt.Println(err) // no way to open works
	}
	for _, way := range s.Ways {
		_ = way.Err // nil, or why this way does not work
	}
	if s.Features&userfaultfd.FeaturePoison == 0 {
		// This kernel is older than userfaultfd.FeaturePoison.Since().
	}
	fmt.Println(userfaultfd.FeaturePoison, "came with Linux", userfaultfd.FeaturePoison.Since())
	// Output: POISON came with Linux 6.6
}
