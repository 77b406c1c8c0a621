package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	udiff "github.com/aymanbagabas/go-udiff"
	"github.com/zuffd/uffd/gen/internal/ccheck"
	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/gen/internal/golang"
	"github.com/zuffd/uffd/headers"
)

var update = flag.Bool("update", false, "write the expected output of testdata/spec anew")

// specArches are a 64-bit little-endian architecture, whose output is in the
// golden files whole, and others, whose output is there as the difference: one
// of 32 bits, one that is big-endian, and one of the two where a bit-field
// without a name aligns its struct. The compilers are Debian's.
var specArches = []struct{ arch, compiler string }{
	{"amd64", "x86_64-linux-gnu-gcc"},
	{"386", "i686-linux-gnu-gcc"},
	{"s390x", "s390x-linux-gnu-gcc"},
	{"arm64", "aarch64-linux-gnu-gcc"},
}

// TestSpecification is the specification by example: a header for each idea,
// held against its golden file and against compilers.
func TestSpecification(t *testing.T) {
	all, err := filepath.Glob("testdata/spec/*.h")
	if err != nil || len(all) == 0 {
		t.Fatalf("no headers (%v)", err)
	}
	sysroot := specSysroot(t)
	for _, path := range all {
		header := filepath.Base(path)
		t.Run(strings.TrimSuffix(header, ".h"), func(t *testing.T) {
			golden := strings.TrimSuffix(path, ".h") + ".golden"
			got := specOutput(t, sysroot, header)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("not as expected:\n%s", udiff.Unified(golden, "now", string(want), got))
			}
		})
	}
}

// specSysroot is a directory with the headers of testdata/spec, and this
// project's own, which have linux/ioctl.h.
func specSysroot(t *testing.T) *cheader.Sysroot {
	t.Helper()
	dir := t.TempDir()
	for _, err := range []error{os.CopyFS(dir, headers.FS), os.CopyFS(dir, os.DirFS("testdata/spec"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := cheader.OpenSysroot(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// specOutput returns what the generator makes of a header, and holds it against
// the compilers that are installed.
func specOutput(t *testing.T, sysroot *cheader.Sysroot, header string) string {
	t.Helper()
	var b strings.Builder
	first := ""
	for i, a := range specArches {
		m, err := cheader.Parse(sysroot, nil, a.arch, header)
		if err != nil {
			t.Fatal(err)
		}
		src, notes, err := golang.Render(m, "spec")
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, line := range leftOut([]*file{{model: m, notes: notes}}) {
			out.WriteString("// " + line + "\n")
		}
		out.WriteString(strings.Replace(string(src), "for linux/"+a.arch, "for linux/GOARCH", 1))
		if i == 0 {
			first = out.String()
			b.WriteString(first)
		} else {
			diff, err := udiff.ToUnified(specArches[0].arch, a.arch, first, udiff.Lines(first, out.String()), 0)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(diff)
		}
		include, libc, release, err := cheader.Include(sysroot, a.arch)
		if err != nil {
			t.Fatal(err)
		}
		claims, wrong, err := ccheck.Compare([]string{a.compiler, "-nostdinc"}, include, libc, m)
		release()
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Error(err)
		}
		for _, d := range wrong {
			t.Errorf("%s: %v (of %d claims)", a.arch, d, claims)
		}
	}
	return b.String()
}
