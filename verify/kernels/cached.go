package kernels

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/since"
)

// An Image is a kernel in the cache, whoever fetched it.
type Image struct {
	Package string // "linux-image-6.1.0-50-cloud-amd64"
	Linux   since.Release
	Arch    string // GOARCH
	Path    string
	Err     error // why the image is of no use, with what to do; only Package is good then
}

// Name is the package's name as far as it tells one kernel from another.
func (i Image) Name() string {
	return strings.TrimPrefix(strings.TrimPrefix(i.Package, "linux-image-"), "linux-binary-")
}

// Cached returns the images in the cache, by architecture and release.
func Cached(cache *debian.Cache) ([]Image, error) {
	extracts, damaged, err := cache.Extracts(bootable)
	if err != nil {
		return nil, err
	}
	return images(extracts, damaged), nil
}

func images(extracts []*debian.Extract, damaged []*debian.Damaged) []Image {
	var all []Image
	for _, d := range damaged {
		all = append(all, Image{Package: d.Name, Err: fmt.Errorf("damaged: %w; make vm fetches it again if Debian still has it, else remove %s", d.Err, d.Dir)})
	}
	for _, e := range extracts {
		if len(e.Files) == 0 {
			continue // a package that only depends on others
		}
		i := Image{Package: e.Package.Name, Arch: debian.GOARCH(e.Package.Arch)}
		if i.Path, i.Err = e.Path(); i.Err == nil {
			i.Linux, i.Err = since.Parse(e.Package.Version)
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b Image) int {
		return cmp.Or(
			cmp.Compare(a.Arch, b.Arch),
			cmp.Compare(a.Linux.Major, b.Linux.Major),
			cmp.Compare(a.Linux.Minor, b.Linux.Minor),
			cmp.Compare(a.Package, b.Package),
		)
	})
	return all
}

// Missing returns Debian's kernels of which there is no image.
func Missing(images []Image) []Kernel {
	var missing []Kernel
	for _, k := range Debian {
		name := k.packages()
		if !slices.ContainsFunc(images, func(i Image) bool { return name.MatchString(i.Package) }) {
			missing = append(missing, k)
		}
	}
	return missing
}
