package since_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/headers"
	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/since"
)

// symbols are those of both headers.
func symbols(t *testing.T) since.Symbols {
	t.Helper()
	all := since.Symbols{}
	for _, source := range bindings.Sources {
		s, err := since.Documented(headers.FS, source.Header)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(all, s)
	}
	return all
}

func TestRuntimeKnowsWhenFeaturesCame(t *testing.T) {
	features := 0
	for name, release := range symbols(t) {
		if !strings.HasPrefix(name, "UFFD_FEATURE_") {
			continue
		}
		features++
		f, err := userfaultfd.ParseFeatures(name)
		if err != nil {
			t.Error(err)
		} else if got := f.Since(); got != release.String() {
			t.Errorf("%s: Since returns %q; headers/ says %v", name, got, release)
		}
	}
	if features < 19 {
		t.Errorf("headers/ has %d features", features)
	}
}

// constant matches a line that documents a constant of package uffd.
var constant = regexp.MustCompile(`\buffd\.X?(_?[A-Z_]+)\b.*//.*since Linux (\d+\.\d+)`)

func TestRuntimeDocumentsWhenSymbolsCame(t *testing.T) {
	all := symbols(t)
	files, err := filepath.Glob("../../runtime/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range constant.FindAllStringSubmatch(string(text), -1) {
			seen = append(seen, m[1])
			if got := all[m[1]].String(); got != m[2] {
				t.Errorf("%s: %s is said to be since %s; headers/ says %s", file, m[1], m[2], got)
			}
		}
	}
	slices.Sort(seen)
	if seen = slices.Compact(seen); len(seen) < 30 {
		t.Errorf("only %d symbols are documented so: %v", len(seen), seen)
	}
}
