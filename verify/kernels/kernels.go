// Package kernels knows Debian's stock kernels that the bindings are verified
// on: which they are, how their images are had, and which of them are in the
// cache.
package kernels

import (
	"context"
	"errors"
	"regexp"

	"github.com/zuffd/uffd/verify/debian"
)

// A Kernel is one of Debian's.
type Kernel struct {
	Arch    string // GOARCH
	Release string // "6.12"; "recent" is the newest that the suite has
	Flavour string // the end of the package's name
	Suite   string
}

// Debian are the kernels that are booted. The cloud flavours are the smallest;
// other architectures have none. Debian's stable suites have few releases, so
// backports serve the others; riscv64, s390x and ppc64le come from the suite
// that is to be stable next.
var Debian = []Kernel{
	{"amd64", "5.10", "cloud-amd64", "bullseye"},
	{"amd64", "6.1", "cloud-amd64", "bookworm"},
	{"amd64", "6.12", "cloud-amd64", "trixie"},
	{"amd64", "6.18", "cloud-amd64", "trixie-backports"},
	{"amd64", "7.0", "cloud-amd64", "trixie-backports"},
	{"amd64", "7.3", "cloud-amd64", "trixie-backports"},
	{"arm64", "5.10", "cloud-arm64", "bullseye"},
	{"arm64", "6.1", "cloud-arm64", "bookworm"},
	{"arm64", "6.12", "cloud-arm64", "trixie"},
	{"arm64", "6.12", "arm64-16k", "trixie"},
	{"arm64", "7.3", "cloud-arm64", "trixie-backports"},
	{"riscv64", "recent", "riscv64", "forky"},
	{"s390x", "recent", "s390x", "forky"},
	{"ppc64le", "recent", "powerpc64le", "forky"},
	{"ppc64le", "recent", "powerpc64le-64k", "forky"},
}

// Name is what the kernel is chosen and reported by: "arm64/6.12-16k".
func (k Kernel) Name() string {
	return k.Arch + "/" + k.Release + pageSuffix.FindString(k.Flavour)
}

// pageSuffix is how Debian names kernels of large pages.
var pageSuffix = regexp.MustCompile(`-\d+k$`)

// Fetch returns the kernel's image, the one file of its package that is taken
// out, from the cache or from Debian. cache is nil where there is no Debian.
func (k Kernel) Fetch(ctx context.Context, cache *debian.Cache) (*debian.Extract, error) {
	if cache == nil {
		return nil, errors.New("there is no cache of Debian's packages here")
	}
	return cache.Extract(ctx, debian.Query{
		Index: debian.Index{Suite: k.Suite, Arch: debian.Arch(k.Arch)},
		Name:  k.packages(),
	}, bootable)
}

// packages matches the names of the packages that may have the image: it is in
// linux-image-* up to 6.18, in linux-binary-* from 6.19.
func (k Kernel) packages() *regexp.Regexp {
	release := `\d[^-]*`
	if k.Release != "recent" {
		release = regexp.QuoteMeta(k.Release) + `\.\d[^-]*`
	}
	abi := `(-\d+)?` // before 6.12 the name has Debian's number of the ABI
	return regexp.MustCompile(`^linux-(binary|image)-` + release + abi + `-` + regexp.QuoteMeta(k.Flavour) + `$`)
}

// bootable matches the image's path in a package: it moved in Linux 7.2.
var bootable = regexp.MustCompile(`^(boot|usr/lib/modules/[^/]+)/vmlinu[xz]`)
