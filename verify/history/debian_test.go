package history_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/since"
)

// TestHeaders holds our headers against Debian's kernel headers: those of
// every release for one architecture, and those of our own release for each.
func TestHeaders(t *testing.T) {
	cache, err := debian.Open()
	if err != nil {
		t.Skip(err)
	}
	cache.Log = os.Stderr
	cache.Offline = os.Getenv("UFFD_VERIFY") == "" // only make verify fetches
	edition, err := since.Edition(headers.FS)
	if err != nil {
		t.Fatal(err)
	}
	trees, err := history.Trees(t.Context(), cache, edition)
	if err != nil {
		t.Skipf("kernel headers cannot be had (make verify fetches them): %v", err)
	}
	ours, err := filepath.Abs("../../headers")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range bindings.Sources {
		header := source.Header
		symbols, err := since.Documented(headers.FS, header)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cc.Compilers {
			t.Run(header+" for "+c.Arch, func(t *testing.T) {
				if !c.Installed() {
					t.Skipf("%s is not installed (Debian's %s)", c.Command[0], c.Package)
				}
				m, err := c.Describe([]string{ours}, header, nil)
				if err != nil {
					t.Fatal(err)
				}
				chosen := trees[len(trees)-1:]
				if c.Arch == "amd64" {
					chosen = trees
				}
				releases, err := history.Describe(chosen, c, header)
				if err != nil {
					t.Fatal(err)
				}
				if len(releases) == 0 {
					t.Skip(history.ErrNoArch)
				}
				_, wrong := history.Check(m, symbols, releases)
				for _, line := range wrong {
					t.Error(line)
				}
				newest := releases[len(releases)-1]
				if newest.Linux != edition {
					t.Skipf("the newest headers are of %v, ours of %v", newest.Linux, edition)
				}
				compared, differ := history.Edition(m, newest.Truth)
				if compared < 50 {
					t.Errorf("only %d facts compared", compared)
				}
				for _, d := range differ {
					t.Error(d)
				}
			})
		}
	}
}
