package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/cc"
)

// TestEveryFileHasACompiler: no architecture is committed that nobody judges.
func TestEveryFileHasACompiler(t *testing.T) {
	var want []string
	for _, c := range cc.Compilers {
		want = append(want, c.Arch)
	}
	slices.Sort(want)
	for _, source := range bindings.Sources {
		prefix := "../" + source.Stem + "_linux_"
		files, err := filepath.Glob(prefix + "*.go")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(f, prefix), ".go"))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: files for %v, compilers for %v", source.Header, got, want)
		}
	}
}
