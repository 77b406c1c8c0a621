package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
	"github.com/zuffd/uffd/verify/since"
)

// A kernel is one whose BTF can be read.
type kernel struct {
	name  string // for people
	linux since.Release
	arch  string // GOARCH
	path  string
}

// askBTF asks the running kernel, the newest kernels of Debian for amd64 and
// arm64, and whatever kernel is in the cache besides, since verify/vm has
// fetched it.
func (s *subject) askBTF(ctx context.Context, cache *debian.Cache) []result {
	var all []result
	if k, err := runningKernel(); err == nil {
		all = append(all, s.askTypes(k))
	} else if !errors.Is(err, fs.ErrNotExist) {
		all = append(all, result{kind: "BTF", oracle: "the running kernel", unasked: err})
	}
	for _, arch := range []string{"amd64", "arm64"} {
		k := kernels.Kernel{Arch: arch, Release: s.edition.String(), Flavour: "cloud-" + arch, Suite: "trixie-backports"}
		if _, err := k.Fetch(ctx, cache); err != nil {
			all = append(all, result{kind: "BTF", oracle: k.Name(), about: "the structs of the files for " + arch, unasked: err})
		}
	}
	if cache == nil {
		return all
	}
	images, err := kernels.Cached(cache)
	if err != nil {
		return append(all, result{kind: "BTF", oracle: "kernels in the cache", unasked: err})
	}
	for _, i := range images {
		switch {
		case i.Err != nil:
			all = append(all, result{kind: "BTF", oracle: i.Name(), about: "the structs of the files", unasked: i.Err})
		case s.files[i.Arch] != nil:
			all = append(all, s.askTypes(kernel{i.Name(), i.Linux, i.Arch, i.Path}))
		}
	}
	return all
}

// unaskedKernels says which of Debian's kernels askBTF does not ask, because
// they are not in the cache, and how they get there. It is silent if there are
// none.
func unaskedKernels(cache *debian.Cache) []string {
	images, err := kernels.Cached(cache)
	missing := kernels.Missing(images)
	if err != nil || len(missing) == 0 {
		return nil
	}
	var names []string
	for _, k := range missing {
		names = append(names, k.Name())
	}
	return []string{fmt.Sprintf("BTF not asked of %d of Debian's %d kernels, which are not in the cache: %s; make vm fetches and boots them",
		len(missing), len(kernels.Debian), strings.Join(names, " "))}
}

func runningKernel() (kernel, error) {
	linux, release, err := since.Running()
	if err != nil {
		return kernel{}, err
	}
	_, err = os.Stat(btf.Running)
	return kernel{"the running " + release, linux, runtime.GOARCH, btf.Running}, err
}

// askTypes holds the structs of an architecture's files against a kernel's.
func (s *subject) askTypes(k kernel) result {
	r := result{kind: "BTF", oracle: k.name, about: "the structs of the files for " + k.arch}
	types, err := btf.Open(k.path)
	if err != nil {
		r.unasked = err
		return r
	}
	older := 0
	for _, source := range bindings.Sources {
		file := s.files[k.arch][source.Header]
		if file.err != nil {
			r.unasked = file.err
			return r
		}
		symbols := s.symbols[source.Header]
		for _, tag := range symbols.Tags() {
			compared, isOlder, wrong, err := types.Check(file.pkg, tag, k.linux, symbols[tag])
			if err != nil {
				r.unasked = err
				return r
			}
			if isOlder {
				older++
			}
			r.add(compared, wrong)
		}
	}
	if older > 0 {
		r.note = fmt.Sprintf("%d structs came later", older)
	}
	return r
}
