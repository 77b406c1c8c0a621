package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/history"
)

// A tree is the kernel's headers of one release as a compiler sees them, with
// its own and the C library's.
type tree struct {
	compiler arch.Arch
	source   string   // "linux-libc-dev 6.12.117-1"
	sysroot  string   // the kernel's headers
	include  []string // all directories that the compiler looks into
}

// directories are those of the headers that are swept.
var directories = []string{"linux", "drm", "rdma", "sound", "mtd", "scsi", "xen", "misc", "video", "cxl", "fwctl", "regulator", "asm-generic"}

func openTree(ctx context.Context, release string, c arch.Arch) (*tree, error) {
	cache, err := debian.Open()
	if err != nil {
		return nil, err
	}
	of, err := abi.ParseRelease(release)
	if err != nil {
		return nil, err
	}
	kernel, err := history.For(ctx, cache, of, c)
	if err != nil {
		return nil, err
	}
	include, err := kernel.Include(c)
	if err != nil {
		return nil, err
	}
	libc, err := cache.Extract(ctx, debian.Query{
		Index: debian.Index{Suite: "bookworm", Arch: c.Debian},
		Name:  regexp.MustCompile(`^libc6-dev$`),
	}, regexp.MustCompile(`^usr/(include|lib/linux)/`))
	if err != nil {
		return nil, err
	}
	builtin, err := c.Compile("", "-print-file-name=include")
	if err != nil {
		return nil, err
	}
	all := append([]string{strings.TrimSpace(string(builtin))}, include...)
	return &tree{c, kernel.Package, kernel.Sysroot,
		append(all, filepath.Join(libc.Dir, "usr/include", c.Triple), filepath.Join(libc.Dir, "usr/include"))}, nil
}

// header returns a header as the compiler reads it.
func (t *tree) header(name string) cc.Header {
	return cc.Header{Arch: t.compiler, Include: t.include, Name: name}
}

// headers returns the names of the headers to be swept.
func (t *tree) headers() (all []string, err error) {
	root := os.DirFS(t.sysroot)
	for _, dir := range directories {
		if _, err := fs.Stat(root, dir); err != nil {
			continue // older releases have fewer
		}
		err := fs.WalkDir(root, dir, func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() && strings.HasSuffix(name, ".h") {
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
