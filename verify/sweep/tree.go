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
	history.Tree
	arch.Arch
	include []string // all directories that the compiler looks into
}

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
	usr := filepath.Join(libc.Dir, "usr/include")
	return &tree{kernel, c, slices.Concat([]string{strings.TrimSpace(string(builtin))}, include, []string{filepath.Join(usr, c.Triple), usr})}, nil
}

// header returns a header as the compiler reads it.
func (t *tree) header(name string) cc.Header {
	return cc.Header{Arch: t.Arch, Include: t.include, Name: name}
}

// headers returns the names of all headers but those of an architecture, which
// are in directories called asm.
func (t *tree) headers() (all []string, err error) {
	err = fs.WalkDir(os.DirFS(t.Sysroot), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == "asm" {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".h") {
			all = append(all, name)
		}
		return err
	})
	return all, err
}
