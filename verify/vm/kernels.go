package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/zuffd/uffd/verify/debian"
)

// A kernel is one that can be booted.
type kernel struct {
	arch    string // GOARCH
	release string // "6.12"; "recent" is the newest that the suite has
	flavour string // the end of the Debian package's name
	suite   string // the Debian suite; "" where image is the user's own file
	image   string // the file
}

// kernels are Debian's stock kernels that the tests are run on. The cloud
// flavours are the smallest; other architectures have none. Debian's stable
// suites have few releases, so backports serve the others; riscv64, s390x and
// ppc64le come from the suite that is to be stable next.
var kernels = []kernel{
	{"amd64", "5.10", "cloud-amd64", "bullseye", ""},
	{"amd64", "6.1", "cloud-amd64", "bookworm", ""},
	{"amd64", "6.12", "cloud-amd64", "trixie", ""},
	{"amd64", "6.18", "cloud-amd64", "trixie-backports", ""},
	{"amd64", "7.0", "cloud-amd64", "trixie-backports", ""},
	{"amd64", "7.3", "cloud-amd64", "trixie-backports", ""},
	{"arm64", "5.10", "cloud-arm64", "bullseye", ""},
	{"arm64", "6.1", "cloud-arm64", "bookworm", ""},
	{"arm64", "6.12", "cloud-arm64", "trixie", ""},
	{"arm64", "6.12", "arm64-16k", "trixie", ""},
	{"arm64", "7.3", "cloud-arm64", "trixie-backports", ""},
	{"riscv64", "recent", "riscv64", "forky", ""},
	{"s390x", "recent", "s390x", "forky", ""},
	{"ppc64le", "recent", "powerpc64le", "forky", ""},
	{"ppc64le", "recent", "powerpc64le-64k", "forky", ""},
}

// name is what the kernel is chosen and reported by: "arm64/6.12-16k".
func (k kernel) name() string {
	if k.suite == "" {
		return k.arch + "/" + path.Base(k.image)
	}
	name := k.arch + "/" + k.release
	if pages := pageSuffix.FindString(k.flavour); pages != "" {
		name += pages
	}
	return name
}

// pageSuffix is how Debian names kernels of large pages.
var pageSuffix = regexp.MustCompile(`-\d+k$`)

// choose returns the kernels whose names match one of the patterns of a list
// separated by commas, as path.Match has them.
func choose(all []kernel, list string) ([]kernel, error) {
	var chosen []kernel
	used := make(map[string]bool)
	patterns := strings.Split(list, ",")
	for _, k := range all {
		for _, p := range patterns {
			ok, err := path.Match(p, k.name())
			if err != nil {
				return nil, fmt.Errorf("-kernels: %q: %w", p, err)
			}
			if ok {
				chosen = append(chosen, k)
				used[p] = true
				break
			}
		}
	}
	for _, p := range patterns {
		if !used[p] {
			var names []string
			for _, k := range all {
				names = append(names, k.name())
			}
			return nil, fmt.Errorf("-kernels: %q is none of %s", p, strings.Join(names, " "))
		}
	}
	return chosen, nil
}

// An image is a kernel's file, and where it came from.
type image struct {
	Path    string `json:"path"`
	Package string `json:"package,omitempty"` // Debian's, with its version
	SHA256  string `json:"sha256"`
}

// bootable matches the kernel's path in a package: it moved in Linux 7.2.
var bootable = regexp.MustCompile(`^(boot|usr/lib/modules/[^/]+)/vmlinu[xz]`)

// fetch returns the kernel's image, from Debian if it is not the user's own.
// cache is nil where there is no Debian.
func (k kernel) fetch(ctx context.Context, cache *debian.Cache) (image, error) {
	if k.suite == "" {
		sum, err := sumFile(k.image)
		return image{Path: k.image, SHA256: sum}, err
	}
	if cache == nil {
		return image{}, errors.New("no package cache")
	}
	// The image is in linux-image-* up to 6.18, in linux-binary-* from 6.19.
	release := `\d[^-]*`
	if k.release != "recent" {
		release = regexp.QuoteMeta(k.release) + `\.\d[^-]*`
	}
	abi := `(-\d+)?` // before 6.12 the name has Debian's number of the ABI
	q := debian.Query{
		Index: debian.Index{Suite: k.suite, Arch: debian.Arch(k.arch)},
		Name:  regexp.MustCompile(`^linux-(binary|image)-` + release + abi + `-` + regexp.QuoteMeta(k.flavour) + `$`),
	}
	e, err := cache.Extract(ctx, q, bootable)
	if err != nil {
		return image{}, fmt.Errorf("no image from Debian (-dir DIR boots your own): %w", err)
	}
	p, err := e.Path()
	if err != nil {
		return image{}, err
	}
	var sum string
	for _, s := range e.Files {
		sum = s
	}
	return image{Path: p, Package: e.Package.Name + " " + e.Package.Version, SHA256: sum}, nil
}

// memory is what the kernel's guest gets, in MiB, and hugePages how many of them
// it sets aside: more than a test wants. With 16 KiB pages one has 32 MiB.
func (k kernel) memory(pageSize int) (mib, hugePages int) {
	const enough = 16
	switch {
	case k.arch == "s390x": // none under emulation
		return 1024, 0
	case pageSize == 16<<10:
		return 2048, enough
	case k.arch == "arm64" && pageSize == 64<<10: // one has 512 MiB
		return 1024, 0
	}
	return 1024, enough
}
