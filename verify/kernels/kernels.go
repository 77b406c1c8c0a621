// Package kernels knows the kernels that the bindings are verified on: which
// of Debian's stock ones, how their images are had, and what an image is.
package kernels

import (
	"cmp"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/debian"
)

// A Kernel is one that can be booted.
type Kernel struct {
	Arch    string // GOARCH
	For     string // what it is chosen for; "" for the long-term ones, of which there are several
	Release string // the one that does it: "6.12"; "" for the newest of the suite
	Flavour string // the end of the package's name
	Suite   string
	path    string // the image, of somebody's own kernel, of which Arch alone is known then
}

// Debian are the kernels that are booted. The cloud flavours are the smallest;
// other architectures have none. Debian's stable suites have few releases, so
// backports serve the others; riscv64, s390x and ppc64le come from the suite
// that is to be stable next.
var Debian = []Kernel{
	{"amd64", "oldest", "5.10", "cloud-amd64", "bullseye", ""},
	{"amd64", "", "6.1", "cloud-amd64", "bookworm", ""},
	{"amd64", "", "6.12", "cloud-amd64", "trixie", ""},
	{"amd64", "", "6.18", "cloud-amd64", "trixie-backports", ""},
	{"amd64", "recent", "7.0", "cloud-amd64", "trixie-backports", ""},
	{"amd64", "newest", edition(), "cloud-amd64", "trixie-backports", ""},
	{"arm64", "oldest", "5.10", "cloud-arm64", "bullseye", ""},
	{"arm64", "", "6.1", "cloud-arm64", "bookworm", ""},
	{"arm64", "", "6.12", "cloud-arm64", "trixie", ""},
	{"arm64", "", "6.12", "arm64-16k", "trixie", ""},
	{"arm64", "newest", edition(), "cloud-arm64", "trixie-backports", ""},
	{"riscv64", "newest", "", "riscv64", "forky", ""},
	{"s390x", "newest", "", "s390x", "forky", ""},
	{"ppc64le", "newest", "", "powerpc64le", "forky", ""},
	{"ppc64le", "newest", "", "powerpc64le-64k", "forky", ""},
}

// edition returns the release that the bindings are of.
func edition() string {
	text, err := fs.ReadFile(headers.FS, "linux/version.h")
	_, after, _ := strings.Cut(string(text), "#define LINUX_VERSION_CODE ")
	var code int
	if _, scanErr := fmt.Sscan(after, &code); scanErr != nil {
		panic(fmt.Sprintf("headers/linux/version.h: no LINUX_VERSION_CODE (%v, %v)", err, scanErr))
	}
	return abi.Release{Major: code >> 16, Minor: code >> 8 & 0xff}.String()
}

// Name is what the kernel is chosen and reported by: "arm64/6.12-16k",
// "amd64/newest".
func (k Kernel) Name() string { return k.named(cmp.Or(k.For, k.Release)) }

// named returns a name of the kernel, with the size of its pages where Debian
// has that in the flavour.
func (k Kernel) named(s string) string { return k.Arch + "/" + s + pageSuffix.FindString(k.Flavour) }

var pageSuffix = regexp.MustCompile(`-\d+k$`)

// An Image is a kernel's file, and where it came from.
type Image struct {
	Path    string
	Package string // Debian's, with its version
	Instead string // what it takes the place of, and why
}

// Image returns the kernel's image: the one file of its package that is taken
// out, from the cache or from Debian. A kernel that Debian does not carry any
// more is replaced by the next newer one, which does its job; by the newest if
// there is none.
func (k Kernel) Image(ctx context.Context, cache *debian.Cache) (i Image, err error) {
	if k.path != "" {
		return Image{Path: k.path}, nil
	}
	e, err := cache.Extract(ctx, k.query(), bootable)
	if err != nil && !errors.Is(err, debian.ErrOffline) && ctx.Err() == nil {
		if instead, ok := k.nearest(ctx, cache); ok {
			why := fmt.Sprintf("%s is Linux %s of %s: %v", k.Name(), instead.Release, instead.Suite, err)
			i.Instead, _, _ = strings.Cut(why, "\n")
			e, err = cache.Extract(ctx, instead.query(), bootable)
		}
	}
	if err != nil {
		return Image{}, err
	}
	i.Package = e.String()
	err = filepath.WalkDir(e.Dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			i.Path = path // there is one
		}
		return err
	})
	if err == nil && i.Path == "" {
		err = fmt.Errorf("there is no kernel in %v", e)
	}
	return i, err
}

// nearest returns what takes the kernel's place, out of all suites that have
// others of its architecture.
func (k Kernel) nearest(ctx context.Context, cache *debian.Cache) (instead Kernel, ok bool) {
	wanted, _ := abi.ParseRelease(k.Release)
	there := map[abi.Release]Kernel{}
	for _, other := range Debian {
		if other.Arch != k.Arch {
			continue
		}
		k.Suite, k.Release = other.Suite, ""
		all, _ := cache.Packages(ctx, k.query())
		for _, p := range all {
			if release, err := abi.ParseRelease(p.Version); err == nil {
				k.Release = release.String()
				there[release] = k
			}
		}
	}
	for _, release := range slices.SortedFunc(maps.Keys(there), abi.Release.Compare) {
		instead, ok = there[release], true
		if !release.Before(wanted) {
			break
		}
	}
	return instead, ok
}

// query asks for the packages that may have the image: it is in linux-image-*
// up to 6.18, in linux-binary-* from 6.19. Before 6.12 the name has Debian's
// number of the ABI.
func (k Kernel) query() debian.Query {
	a, _ := arch.For(k.Arch)
	q := debian.Query{
		Index: debian.Index{Suite: k.Suite, Arch: a.Debian},
		Name:  regexp.MustCompile(`^linux-(binary|image)-\d[^-]*(-\d+)?-` + regexp.QuoteMeta(k.Flavour) + `$`),
	}
	if k.Release != "" {
		q.Version = k.Release + "."
	}
	return q
}

// bootable matches the image's path in a package: it moved in Linux 7.2.
var bootable = regexp.MustCompile(`^(boot|usr/lib/modules/[^/]+)/vmlinu[xz]`)

// Choose returns the kernels whose names match one of the patterns of a list
// separated by commas, as path.Match has them. One that is named by what it is
// for can be named by its release, too.
func Choose(all []Kernel, list string) (chosen []Kernel, err error) {
	patterns := strings.Split(list, ",")
	useless := slices.Clone(patterns)
	for _, k := range all {
		matches := func(pattern string) bool {
			name, _ := filepath.Match(pattern, k.Name())
			release, _ := filepath.Match(pattern, k.named(k.Release))
			return name || release && k.Release != ""
		}
		if slices.ContainsFunc(patterns, matches) {
			chosen = append(chosen, k)
		}
		useless = slices.DeleteFunc(useless, matches)
	}
	if len(useless) > 0 {
		return nil, fmt.Errorf("-kernels: %q match none; -list lists them", useless)
	}
	return chosen, nil
}

// In returns the kernels of a directory, and says on w which files are none.
func In(dir string, w io.Writer) (all []Kernel, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		goarch, err := identify(path)
		if err != nil {
			fmt.Fprintf(w, "not booted: %v\n", err)
			continue
		}
		all = append(all, Kernel{Arch: goarch, For: e.Name(), path: path})
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: no kernel", dir)
	}
	return all, err
}

// identify tells a kernel's architecture, as Go names it, from its image.
func identify(path string) (goarch string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, a := range arch.All {
		if m := a.Machine; m != nil && m.Magic != "" {
			b := make([]byte, len(m.Magic))
			f.ReadAt(b, m.MagicAt) // zeros where there is nothing
			if string(b) == m.Magic {
				return a.Go, nil
			}
		}
	}
	if e, err := elf.NewFile(f); err == nil && e.Machine == elf.EM_PPC64 && e.ByteOrder == binary.LittleEndian {
		return "ppc64le", nil
	}
	return "", fmt.Errorf("%s: no kernel image that is known here: x86 bzImage, arm64 Image, riscv64 Image, s390x image, ppc64le ELF", path)
}
