package claim_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/verify/claim"
)

// load returns the claims, and of those for amd64 when each symbol came.
func load(t *testing.T) (claim.All, map[string]abi.Release) {
	t.Helper()
	all, err := claim.Load(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	symbols := map[string]abi.Release{}
	for _, c := range all["amd64"] {
		for what, f := range claim.Facts(c.Model, false) {
			if release, err := abi.ParseRelease(f.Since); err == nil {
				_, symbol, _ := strings.Cut(what, " of ")
				symbols[symbol] = release
			}
		}
	}
	return all, symbols
}

func TestRuntimeKnowsWhenFeaturesCame(t *testing.T) {
	features := 0
	_, symbols := load(t)
	for name, release := range symbols {
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

// documented matches a line that documents a constant of package uffd.
var documented = regexp.MustCompile(`\buffd\.X?(_?[A-Z_]+)\b.*//.*since Linux (\d+\.\d+)`)

func TestRuntimeDocumentsWhenSymbolsCame(t *testing.T) {
	_, all := load(t)
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
		for _, m := range documented.FindAllStringSubmatch(string(text), -1) {
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
