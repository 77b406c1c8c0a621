// Sweep runs the generator over every header of linux-libc-dev that the C
// compiler takes alone, and holds each value, size, alignment, offset,
// bit-field, enumerator, union member and ioctl of what comes of it against the
// compiler's own: nothing of this program is the generator's.
//
// Usage, from the root of the repository:
//
//	go run ./verify/sweep [-release LIST] [-arch LIST] [-results FILE] [HEADER...]
//
// The headers come from Debian's linux-libc-dev, those of the C library that
// they include from its libc6-dev. Every header of the kernel's directories but
// those of an architecture is taken, unless some are named.
//
// Sweep exits with 1 if any value is wrong, any Go does not compile, more
// than five headers of an architecture are refused, or the generator takes
// more than 64 MiB for one. It prints how long the generator took.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/arch"
	"golang.org/x/sync/errgroup"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		os.Exit(1)
	}
}

func run() error {
	releases := flag.String("release", "7.3", "Linux releases, a `LIST` separated by commas")
	arches := flag.String("arch", "amd64,arm64,386,s390x", "GOARCH `LIST`")
	results := flag.String("results", "", "put the outcome into `FILE`, in the place of an older one")
	flag.Parse()
	scratch, err := os.MkdirTemp("", "sweep-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	gen := filepath.Join(scratch, "gen")
	if out, err := exec.Command("go", "build", "-o", gen, "./gen").CombinedOutput(); err != nil {
		return fmt.Errorf("the generator does not build: %w\n%s", err, out)
	}
	var failed error
	for _, release := range strings.Split(*releases, ",") {
		for _, arch := range strings.Split(*arches, ",") {
			o, err := sweep(release, arch, gen, scratch, flag.Args())
			if err != nil {
				return fmt.Errorf("linux %s, %s: %w", release, arch, err)
			}
			o.print(os.Stdout)
			if *results != "" {
				if err := record(*results, o); err != nil {
					return err
				}
			}
			failed = errors.Join(failed, o.failed())
		}
	}
	return failed
}

// each calls f with every element, with as many at a time as there are
// processors, and returns the first error.
func each[E any](all []E, f func(e E) error) error {
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	for _, e := range all {
		g.Go(func() error { return f(e) })
	}
	return g.Wait()
}

// sweep judges the headers of one release for one architecture.
func sweep(release, goarch, gen, scratch string, headers []string) (*outcome, error) {
	c, ok := arch.For(goarch)
	if !ok {
		return nil, fmt.Errorf("no such architecture")
	}
	if err := c.Missing(); err != nil {
		return nil, err
	}
	tree, err := openTree(context.Background(), release, c)
	if err != nil {
		return nil, err
	}
	if len(headers) == 0 {
		if headers, err = tree.headers(); err != nil {
			return nil, err
		}
	}
	// The kernel counts the most that this process has had as the memory of
	// every process that it starts: what an earlier sweep took is given back,
	// and forgotten (proc_pid_clear_refs(5)).
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
	var all []*verdict
	for _, name := range headers {
		all = append(all, &verdict{header: name})
	}
	if err := each(all, func(v *verdict) error { return tree.generate(v, gen, scratch) }); err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(v *verdict) bool { return v.finding == skipped })
	accepted := slices.DeleteFunc(slices.Clone(all), func(v *verdict) bool { return v.finding == refused })
	o := &outcome{release: release, arch: goarch, source: tree.Package, compiler: c.Version(), found: map[finding][]*verdict{}}
	if o.together, err = tree.models(gen, accepted); err != nil {
		return nil, err
	}
	if err := each(accepted, tree.judge); err != nil {
		return nil, err
	}
	for _, v := range all {
		o.add(v)
	}
	return o, nil
}
