package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/since"
	"golang.org/x/sys/unix"
)

// A kernel is one whose BTF can be read.
type kernel struct {
	name  string // for people
	linux since.Release
	arch  string // GOARCH
	path  string
}

// bootable matches the kernel's path in a package; it is the expression of
// verify/vm, so that both have the same image in the cache.
var bootable = regexp.MustCompile(`^(boot|usr/lib/modules/[^/]+)/vmlinu[xz]`)

// askBTF asks the running kernel, the newest kernels of Debian for amd64 and
// arm64, and whatever kernel is in the cache besides, since verify/vm or a
// person has fetched it.
func (s *subject) askBTF(ctx context.Context, cache *debian.Cache) []result {
	var all []result
	if k, err := runningKernel(); err == nil {
		all = append(all, s.askTypes(k))
	} else if !errors.Is(err, fs.ErrNotExist) {
		all = append(all, result{kind: "BTF", oracle: "the running kernel", unasked: err})
	}
	fetched := map[string]bool{}
	for _, arch := range []string{"amd64", "arm64"} {
		if err := s.fetchKernel(ctx, cache, arch); err != nil {
			all = append(all, result{kind: "BTF", oracle: fmt.Sprintf("Linux %v for %s", s.edition, arch), about: "structs of the files", unasked: err})
		}
		fetched[arch] = true
	}
	if cache == nil {
		return all
	}
	kernels, err := cachedKernels(cache.Dir)
	if err != nil {
		return append(all, result{kind: "BTF", oracle: "kernels in the cache", unasked: err})
	}
	for _, k := range kernels {
		all = append(all, s.askTypes(k))
	}
	return all
}

// fetchKernel makes sure that a kernel of headers/'s release is in the cache.
func (s *subject) fetchKernel(ctx context.Context, cache *debian.Cache, arch string) error {
	if cache == nil {
		return errors.New("there is no cache of Debian's packages here")
	}
	_, err := cache.Extract(ctx, debian.Query{
		Index: debian.Index{Suite: "trixie-backports", Arch: debian.Arch(arch)},
		Name:  regexp.MustCompile(fmt.Sprintf(`^linux-(binary|image)-%s\.\d[^-]*-cloud-%s$`, regexp.QuoteMeta(s.edition.String()), arch)),
	}, bootable)
	return err
}

func runningKernel() (kernel, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return kernel{}, err
	}
	release := unix.ByteSliceToString(name.Release[:])
	linux, err := since.Parse(release)
	if err != nil {
		return kernel{}, err
	}
	_, err = os.Stat(btf.Running)
	return kernel{"the running " + release, linux, runtime.GOARCH, btf.Running}, err
}

// cachedKernels returns the kernel images in the cache, by the records of the
// packages that they came from.
func cachedKernels(dir string) ([]kernel, error) {
	records, err := filepath.Glob(filepath.Join(dir, "packages", "linux-*", "record.json"))
	if err != nil {
		return nil, err
	}
	var all []kernel
	seen := map[string]bool{}
	for _, path := range records {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var e debian.Extract
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for file := range e.Files {
			if !bootable.MatchString(file) || seen[e.Package.Name] {
				continue
			}
			linux, err := since.Parse(e.Package.Version)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			i := slices.IndexFunc(cc.Compilers, func(c cc.Compiler) bool { return debian.Arch(c.Arch) == e.Package.Arch })
			if i < 0 {
				continue
			}
			seen[e.Package.Name] = true
			name := strings.TrimPrefix(strings.TrimPrefix(e.Package.Name, "linux-image-"), "linux-binary-")
			all = append(all, kernel{name, linux, cc.Compilers[i].Arch, filepath.Join(filepath.Dir(path), "files", file)})
		}
	}
	slices.SortFunc(all, func(a, b kernel) int {
		if a.arch != b.arch {
			return strings.Compare(a.arch, b.arch)
		}
		if a.linux.Before(b.linux) {
			return -1
		}
		return 1
	})
	return all, nil
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
	for _, source := range sources {
		file := s.files[k.arch][source.header]
		if file.err != nil {
			r.unasked = file.err
			return r
		}
		symbols := s.symbols[source.header]
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
