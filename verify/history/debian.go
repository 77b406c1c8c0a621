package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/since"
)

// suites are where Debian keeps kernel headers of different releases, and the
// release that each is sure to have; of backports any.
var suites = []struct{ name, release string }{
	{"bullseye", "5.10."}, {"bookworm", "6.1."}, {"trixie", "6.12."}, {"trixie-backports", ""},
}

// A Tree is the kernel headers of one release.
type Tree struct {
	Linux   since.Release
	Package string // "linux-libc-dev 6.12.117-1"
	dir     string // holds usr/include
}

// Trees returns the headers of every release that Debian's suites carry, up to
// the last, in ascending order: out of the cache, or fetched into it. It is an
// error if a suite lacks what it should have, since the history would shrink
// and nobody notice.
func Trees(ctx context.Context, cache *debian.Cache, last since.Release) ([]Tree, error) {
	newest := map[since.Release]debian.Package{}
	for _, suite := range suites {
		// This looks into a fresh index before it says that there is none.
		if _, err := cache.Extract(ctx, query(suite.name, suite.release), nil); err != nil {
			return nil, err
		}
		all, err := cache.Packages(ctx, query(suite.name, ""))
		if err != nil {
			return nil, err
		}
		for _, p := range all { // newest first
			linux, err := since.Parse(p.Version)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", p.Name, p.Version, err)
			}
			if _, ok := newest[linux]; !ok && !last.Before(linux) {
				newest[linux] = p
			}
		}
	}
	var trees []Tree
	for linux, p := range newest {
		e, err := cache.Extract(ctx, query(p.Index.Suite, fmt.Sprintf("%v.", linux)), nil)
		if err != nil {
			return nil, err
		}
		trees = append(trees, Tree{linux, e.Package.Name + " " + e.Package.Version, e.Dir})
	}
	slices.SortFunc(trees, func(a, b Tree) int {
		if a.Linux.Before(b.Linux) {
			return -1
		}
		return 1
	})
	return trees, nil
}

func query(suite, version string) debian.Query {
	return debian.Query{
		Index:   debian.Index{Suite: suite, Arch: debian.Arch("amd64")},
		Name:    regexp.MustCompile(`^linux-libc-dev$`),
		Version: version,
	}
}

// Sysroot returns the tree's include root, as the generator takes it.
func (t Tree) Sysroot() string { return filepath.Join(t.dir, "usr", "include") }

// places are where Debian puts an architecture's asm headers: the directory in
// that of all architectures (since 6.12), and the multiarch one.
var places = map[string][2]string{
	"386":      {"x86", "i386-linux-gnu"},
	"amd64":    {"x86", "x86_64-linux-gnu"},
	"arm":      {"arm", "arm-linux-gnueabihf"},
	"arm64":    {"arm64", "aarch64-linux-gnu"},
	"loong64":  {"loongarch", "loongarch64-linux-gnu"},
	"mips64le": {"mips", "mips64el-linux-gnuabi64"},
	"ppc64le":  {"powerpc", "powerpc64le-linux-gnu"},
	"riscv64":  {"riscv", "riscv64-linux-gnu"},
	"s390x":    {"s390", "s390x-linux-gnu"},
}

// ErrNoArch is wrapped by the error for a tree that does not have an
// architecture's headers: before 6.12 a package is for one.
var ErrNoArch = errors.New("no headers for the architecture")

// Include returns a tree's include directories for a GOARCH.
func (t Tree) Include(goarch string) ([]string, error) {
	include := t.Sysroot()
	p := places[goarch]
	for _, asm := range []string{
		filepath.Join(t.dir, "usr", "lib", "linux", "uapi", p[0]),
		filepath.Join(include, p[1]),
	} {
		if _, err := os.Stat(filepath.Join(asm, "asm", "ioctl.h")); err == nil {
			return []string{asm, include}, nil
		}
	}
	return nil, fmt.Errorf("%s, %s: %w", t.Package, goarch, ErrNoArch)
}

// parts are the headers of which ours have only a part: what theirs must have
// of it and not more is what matches.
var parts = map[string]*regexp.Regexp{
	"linux/fs.h": regexp.MustCompile(`^(PAGE_IS_|PM_SCAN_|PAGEMAP_SCAN|PROCFS_IOCTL_MAGIC$|pm_|page_region$)`),
}

// Describe returns what a header of each tree means to a compiler, as far as
// ours have it. Trees without the compiler's architecture are left out.
func Describe(trees []Tree, c cc.Compiler, header string) ([]Release, error) {
	var releases []Release
	for _, t := range trees {
		include, err := t.Include(c.Arch)
		if errors.Is(err, ErrNoArch) {
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := c.Describe(include, header, parts[header])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Package, err)
		}
		releases = append(releases, Release{t.Linux, m})
	}
	return releases, nil
}
