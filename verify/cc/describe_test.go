package cc_test

import (
	"path/filepath"
	"testing"

	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/facts"
)

// TestDescribeAgreesWithTheGenerator holds every macro and every struct that
// the compiler sees in a header against the generator's model, so that a
// symbol that the generator left out is found, too.
func TestDescribeAgreesWithTheGenerator(t *testing.T) {
	headers, err := filepath.Abs(root + "/headers")
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"linux/userfaultfd.h", "linux/fs.h"} {
		t.Run("on "+header, func(t *testing.T) {
			eachCompiler(t, func(t *testing.T, c cc.Compiler) {
				truth, err := c.Describe([]string{headers}, header, nil)
				if err != nil {
					t.Fatal(err)
				}
				compared, wrong := facts.Compare(facts.Of(generate(t, headers, c.Arch, header)), facts.Of(truth))
				if compared < 50 {
					t.Errorf("only %d facts compared", compared)
				}
				for _, d := range wrong {
					t.Error(d)
				}
			})
		})
	}
}
