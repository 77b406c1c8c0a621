// Predefined writes the macros that C compilers define by themselves, as the
// generator knows them, or compares what it knows with the compilers.
//
// Usage, from the root of the repository:
//
//	go run ./verify/predefined [-check]
//
// The macros about floating-point numbers are left out: no header of the
// kernel asks for them. Of loong64, for which Debian 12 has a clang alone,
// those are taken that gcc has on amd64, or that are loong64's own.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/arch"
)

const path = "gen/internal/cheader/predefined.txt"

func main() {
	check := flag.Bool("check", false, "write nothing; exit with 1 where the file is not what the compilers say")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "predefined:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	text, err := file()
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(path, text, 0o644)
	}
	have, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(have, text) {
		err = fmt.Errorf("%s is not what the compilers say; run go run ./verify/predefined", path)
	}
	return err
}

var floating = regexp.MustCompile(`^__(FLT|DBL|LDBL|DEC|FP_FAST|FLOAT_|FLT_|BFLT)|HAS_INFINITY`)

// file returns the macros of every architecture: those that all gccs define
// alike, then each one's own.
func file() ([]byte, error) {
	macros := map[string]map[string]string{}
	for _, c := range arch.All {
		m, err := predefined(c)
		if err != nil {
			return nil, err
		}
		macros[c.Go] = m
	}
	common := maps.Clone(macros["amd64"])
	for arch, m := range macros {
		if arch != "loong64" {
			maps.DeleteFunc(common, func(name, value string) bool { return m[name] != value })
		}
	}
	maps.DeleteFunc(macros["loong64"], func(name, _ string) bool {
		_, everywhere := common[name]
		_, gccs := macros["amd64"][name]
		return everywhere || !gccs && !strings.Contains(name, "loongarch")
	})
	var b bytes.Buffer
	fmt.Fprintf(&b, "Written by go run ./verify/predefined from what Debian 12's compilers print with -dM -E; do not edit.\n")
	section := func(name string, m map[string]string) {
		fmt.Fprintf(&b, "\n[%s]\n", name)
		for _, macro := range slices.Sorted(maps.Keys(m)) {
			fmt.Fprintf(&b, "%s\n", strings.TrimSpace(macro+" "+m[macro]))
		}
	}
	section("common", common)
	for _, arch := range slices.Sorted(maps.Keys(macros)) {
		maps.DeleteFunc(macros[arch], func(name, value string) bool { v, ok := common[name]; return ok && v == value })
		section(arch, macros[arch])
	}
	return b.Bytes(), nil
}

// predefined returns the macros of a compiler, with their parameters.
func predefined(c arch.Arch) (map[string]string, error) {
	out, err := c.Compile("", "-dM", "-E", "-xc", "-")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "#define ")), " ")
		if !floating.MatchString(name) {
			all[name] = value
		}
	}
	return all, nil
}
