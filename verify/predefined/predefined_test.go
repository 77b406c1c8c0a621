// Package predefined holds the macros that the generator takes compilers to
// define by themselves against the compilers.
package predefined

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/arch"
)

var update = flag.Bool("update", false, "have the generator know what the compilers say")

// table is where the generator has them.
const table = "../../gen/internal/cheader/predefined.txt"

// TestPredefined makes the generator's table anew. Macros about floating-point
// numbers are not in it: no header of the kernel asks for them.
func TestPredefined(t *testing.T) {
	macros := map[string]map[string]string{}
	for _, c := range arch.All {
		if err := c.Missing(); err != nil && os.Getenv("UFFD_VERIFY") != "" {
			t.Fatal(err)
		} else if err != nil {
			t.Skip(err)
		}
		macros[c.Go] = predefined(t, c)
	}
	common := maps.Clone(macros["amd64"])
	for arch, m := range macros {
		if arch != "loong64" {
			maps.DeleteFunc(common, func(name, value string) bool { return m[name] != value })
		}
	}
	// Of loong64, for which Debian 12 has a clang alone, those are taken that gcc
	// has on amd64, or that are loong64's own.
	maps.DeleteFunc(macros["loong64"], func(name, _ string) bool {
		_, everywhere := common[name]
		_, gccs := macros["amd64"][name]
		return everywhere || !gccs && !strings.Contains(name, "loongarch")
	})
	var want bytes.Buffer
	fmt.Fprintln(&want, "Written by go test ./verify/predefined -update from what Debian 12's compilers print with -dM -E; do not edit.")
	section := func(name string, m map[string]string) {
		fmt.Fprintf(&want, "\n[%s]\n", name)
		for _, macro := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintln(&want, strings.TrimSpace(macro+" "+m[macro]))
		}
	}
	section("common", common)
	for _, arch := range slices.Sorted(maps.Keys(macros)) {
		maps.DeleteFunc(macros[arch], func(name, value string) bool { v, ok := common[name]; return ok && v == value })
		section(arch, macros[arch])
	}
	if *update {
		if err := os.WriteFile(table, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%s is not what the compilers say; go test ./verify/predefined -update writes it anew", table)
	}
}

var floating = regexp.MustCompile(`^__(FLT|DBL|LDBL|DEC|FP_FAST|FLOAT_|FLT_|BFLT)|HAS_INFINITY`)

// predefined returns the macros of a compiler, with their parameters.
func predefined(t *testing.T, c arch.Arch) map[string]string {
	t.Helper()
	out, err := c.Compile("", "-dM", "-E", "-xc", "-")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "#define ")), " ")
		if !floating.MatchString(name) {
			all[name] = value
		}
	}
	return all
}
