package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
)

// suites are where Debian keeps the headers of a release.
var suites = map[string]string{"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie"}

// A tree is the kernel's headers of one release as one architecture sees them,
// with the C library's.
type tree struct {
	source  string // "linux-libc-dev 6.12.117-1"
	sysroot string
	asm     string // the directory of asm
	libc    []string
}

// directories are those of the headers that are swept.
var directories = []string{"linux", "drm", "rdma", "sound", "mtd", "scsi", "xen", "misc", "video", "cxl", "fwctl", "regulator", "asm-generic"}

func openTree(ctx context.Context, release string, a arch.Arch) (*tree, error) {
	cache, err := debian.Open()
	if err != nil {
		return nil, err
	}
	cache.Log = os.Stderr
	suite, own := suites[release], a.Debian
	if suite == "" {
		suite = "trixie-backports"
	}
	if release != "5.10" && release != "6.1" {
		own = "amd64" // the package is for all architectures
	}
	get := func(suite, arch, name, version string) (*debian.Extract, error) {
		return cache.Extract(ctx, debian.Query{
			Index:   debian.Index{Suite: suite, Arch: arch},
			Name:    regexp.MustCompile("^" + name + "$"),
			Version: version,
		}, regexp.MustCompile(`^usr/(include|lib/linux)/`))
	}
	kernel, err := get(suite, own, "linux-libc-dev", release+".")
	if err != nil {
		return nil, err
	}
	libc, err := get("bookworm", a.Debian, "libc6-dev", "")
	if err != nil {
		return nil, err
	}
	t := &tree{source: kernel.Package.Name + " " + kernel.Package.Version, sysroot: filepath.Join(kernel.Dir, "usr/include")}
	uapi := filepath.Join(kernel.Dir, "usr/lib/linux/uapi")
	t.asm = filepath.Join(t.sysroot, a.Triple)
	if _, err := os.Stat(uapi); err == nil {
		t.asm = filepath.Join(uapi, a.Linux)
	}
	t.libc = []string{filepath.Join(libc.Dir, "usr/include", a.Triple), filepath.Join(libc.Dir, "usr/include")}
	return t, nil
}

// include returns the directories that a compiler looks into.
func (t *tree) include(c cc.Compiler) ([]string, error) {
	out, err := exec.Command(c.Command[0], append(c.Command[1:len(c.Command):len(c.Command)], "-print-file-name=include")...).Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Command[0], err)
	}
	own := strings.TrimSpace(string(out))
	return append([]string{own, t.asm, t.sysroot}, t.libc...), nil
}

// headers returns the names of the headers to be swept.
func (t *tree) headers() ([]string, error) {
	var all []string
	for _, dir := range directories {
		if _, err := os.Stat(filepath.Join(t.sysroot, dir)); err != nil {
			continue // older releases have fewer
		}
		err := filepath.WalkDir(filepath.Join(t.sysroot, dir), func(path string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.HasSuffix(path, ".h") {
				name, _ := filepath.Rel(t.sysroot, path)
				all = append(all, name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(all)
	return all, nil
}
