package history

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/debian"
)

// suites are where Debian keeps kernel headers of different releases, and the
// release that each is to have; of backports any.
var suites = []struct{ name, release string }{
	{"bullseye", "5.10"}, {"bookworm", "6.1"}, {"trixie", "6.12"}, {"trixie-backports", ""},
}

// A Tree is the kernel headers of one release.
type Tree struct {
	Linux   abi.Release
	Package string // "linux-libc-dev 6.12.117-1"
	Sysroot string // the include root, as the generator takes it
}

// Trees returns the headers of every release that Debian's suites carry, in
// ascending order: out of the cache, or fetched into it. lacks says which suite
// has not what it is to have: the history shrinks by that.
func Trees(ctx context.Context, cache *debian.Cache) (trees []Tree, lacks []string, err error) {
	seen := map[abi.Release]bool{}
	for _, suite := range suites {
		x := debian.Index{Suite: suite.name, Arch: "amd64"}
		all, err := cache.Packages(ctx, debian.Query{Index: x, Name: headers})
		if err != nil {
			return nil, nil, err
		}
		lack := suite.release != ""
		for _, p := range all { // newest first
			release, err := abi.ParseRelease(p.Version)
			if err != nil {
				return nil, nil, fmt.Errorf("%s %s: %w", p.Name, p.Version, err)
			}
			lack = lack && release.String() != suite.release
			if seen[release] {
				continue
			}
			seen[release] = true
			t, err := open(ctx, cache, x, headers, release, "usr/include")
			if err != nil {
				return nil, nil, err
			}
			trees = append(trees, t)
		}
		if lack {
			lacks = append(lacks, fmt.Sprintf("Debian's %s has no kernel headers of Linux %s", suite.name, suite.release))
		}
	}
	slices.SortFunc(trees, func(a, b Tree) int { return a.Linux.Compare(b.Linux) })
	return trees, lacks, nil
}

// For returns the headers of one release, for an architecture: before 6.12 a
// package is for one alone.
func For(ctx context.Context, cache *debian.Cache, release abi.Release, a arch.Arch) (Tree, error) {
	x := debian.Index{Suite: "trixie-backports", Arch: "amd64"}
	for _, suite := range suites {
		if suite.release == release.String() {
			x.Suite = suite.name
		}
	}
	if release.Before(abi.Release{Major: 6, Minor: 12}) {
		x.Arch = a.Debian
		all, err := cache.Packages(ctx, debian.Query{Index: x, Name: headers, Version: release.String() + "."})
		if err != nil {
			return Tree{}, err
		}
		if len(all) == 0 {
			// An old suite loses architectures. The headers that came with its
			// cross compilers stay: they are in a package for all.
			x.Arch = "amd64"
			cross := regexp.MustCompile("^linux-libc-dev-" + a.Debian + "-cross$")
			return open(ctx, cache, x, cross, release, filepath.Join("usr", a.Triple, "include"))
		}
	}
	return open(ctx, cache, x, headers, release, "usr/include")
}

// headers is the name of the package.
var headers = regexp.MustCompile(`^linux-libc-dev$`)

// open returns the headers of a package, whose include root is in sysroot.
func open(ctx context.Context, cache *debian.Cache, x debian.Index, name *regexp.Regexp, release abi.Release, sysroot string) (Tree, error) {
	e, err := cache.Extract(ctx, debian.Query{Index: x, Name: name, Version: release.String() + "."}, nil)
	if err != nil {
		return Tree{}, err
	}
	return Tree{release, e.String(), filepath.Join(e.Dir, sysroot)}, nil
}

// Include returns a tree's include directories for an architecture: its asm headers
// are in a directory for all architectures (since 6.12), in a multiarch one, or,
// of a cross compiler's, among the others. It is an error if there are none.
func (t Tree) Include(a arch.Arch) ([]string, error) {
	for _, dir := range []string{"../lib/linux/uapi/" + a.Linux, a.Triple, "../../" + a.Triple + "/include"} {
		dir = filepath.Join(t.Sysroot, dir)
		if _, err := os.Stat(filepath.Join(dir, "asm", "ioctl.h")); err == nil {
			return []string{dir, t.Sysroot}, nil
		}
	}
	return nil, fmt.Errorf("%s has no headers for %s", t.Package, a.Go)
}

// parts are the headers of which ours have only a part: what theirs must have
// of it and not more is what matches.
var parts = map[string]*regexp.Regexp{
	"linux/fs.h": regexp.MustCompile(`^(PAGE_IS_|PM_SCAN_|PAGEMAP_SCAN|PROCFS_IOCTL_MAGIC$|pm_|page_region$)`),
}

// Truth returns what a header of the tree means to a compiler, as far as ours
// has it.
func (t Tree) Truth(c arch.Arch, header string) (claim.Truth, error) {
	include, err := t.Include(c)
	if err != nil {
		return claim.Truth{}, err
	}
	truth, err := cc.Header{Arch: c, Include: include, Name: header}.Truth(t.Linux, parts[header])
	if err != nil {
		err = fmt.Errorf("%s: %w", t.Package, err)
	}
	return truth, err
}
