package main

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
)

// A kernel is one that can be booted.
type kernel struct {
	kernels.Kernel        // of the user's own, Arch only
	image          string // the file of the user's own; "" for Debian's
}

// debians returns Debian's kernels.
func debians() []kernel {
	var all []kernel
	for _, k := range kernels.Debian {
		all = append(all, kernel{Kernel: k})
	}
	return all
}

// name is what the kernel is chosen and reported by: "arm64/6.12-16k".
func (k kernel) name() string {
	if k.image != "" {
		return k.Arch + "/" + path.Base(k.image)
	}
	return k.Kernel.Name()
}

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

// fetch returns the kernel's image, from Debian if it is not the user's own.
func (k kernel) fetch(ctx context.Context, cache *debian.Cache) (image, error) {
	if k.image != "" {
		sum, err := sumFile(k.image)
		return image{Path: k.image, SHA256: sum}, err
	}
	e, err := k.Fetch(ctx, cache)
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
	case k.Arch == "s390x": // none under emulation
		return 1024, 0
	case pageSize == 16<<10:
		return 2048, enough
	case k.Arch == "arm64" && pageSize == 64<<10: // one has 512 MiB
		return 1024, 0
	}
	return 1024, enough
}
