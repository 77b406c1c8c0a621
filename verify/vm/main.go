// Vm runs a module's tests in virtual machines: it builds the test binaries of
// packages, boots kernels under qemu, and tells what came of the tests on each.
//
//	go run github.com/zuffd/uffd/verify/vm [flags] [packages]
//
// It works in any Go module; README.md, beside this file, tells how, and what
// tests find in a guest. The kernels are Debian's stock ones, fetched through
// the machine's own apt configuration into a cache (see package debian), or
// with -dir the images of a directory.
//
// Vm exits with 1 if a test failed, or a kernel did not run its tests to the
// end.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
	"golang.org/x/sync/errgroup"
)

// A runner runs tests on kernels: it is the command line, and what that takes.
type runner struct {
	kernels, dir, run, results string
	timeout                    time.Duration
	install, list              bool
	packages                   []string

	log   io.Writer // for several goroutines, a line in each write
	tmp   string    // where everything is built
	cache *debian.Cache
}

func main() {
	r := runner{log: os.Stderr}
	flag.StringVar(&r.kernels, "kernels", "*/*", "patterns of the kernels to boot, with commas: 'amd64/6.12,arm64/*,*/newest'")
	flag.StringVar(&r.dir, "dir", "", "boot the kernel images of a directory instead of Debian's")
	flag.StringVar(&r.run, "run", "", "run the tests that match this regular expression, as go test does")
	flag.StringVar(&r.results, "results", "", "write the results to a file: in JSON if its name ends in .json, else in Markdown")
	flag.DurationVar(&r.timeout, "timeout", 2*time.Minute, "how long one package's tests may take in a guest")
	flag.BoolVar(&r.install, "install", false, "install missing qemu and compiler packages with apt-get, as root")
	flag.BoolVar(&r.list, "list", false, "list the kernels and boot none")
	flag.Parse()
	if r.packages = flag.Args(); len(r.packages) == 0 {
		r.packages = []string{"./..."}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := r.main(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

func (r *runner) main(ctx context.Context, stdout io.Writer) error {
	if r.results != "" && r.run != "" {
		return errors.New("-results is what came of all tests: it does not go with -run")
	}
	if _, err := regexp.Compile(r.run); err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	all := kernels.Debian
	if r.dir != "" {
		var err error
		if all, err = kernels.In(r.dir, r.log); err != nil {
			return err
		}
	}
	chosen, err := kernels.Choose(all, r.kernels)
	if err != nil {
		return err
	}
	if r.list {
		for _, k := range chosen {
			fmt.Fprintln(stdout, k.Name())
		}
		return nil
	}
	if err := r.ensure(ctx, chosen); err != nil {
		return err
	}
	if r.cache, err = debian.Open(); err != nil && r.dir == "" {
		return err
	}
	if r.tmp, err = os.MkdirTemp("", "uffd-guests-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.tmp)
	rep := report{Date: time.Now().UTC().Truncate(time.Second), Host: hostVersions(ctx, chosen), Args: testArgs}
	rep.Results = r.all(ctx, chosen)
	rep.Seconds = time.Since(rep.Date).Seconds()
	return rep.write(ctx, stdout, r.results)
}

// all runs the tests on the kernels, as many at a time as there are processors,
// and returns their results in the kernels' order. What guests have is built
// once for each architecture.
func (r *runner) all(ctx context.Context, chosen []kernels.Kernel) (results []*result) {
	built := map[string]func() (string, error){} // initramfs
	for _, k := range chosen {
		built[k.Arch] = sync.OnceValues(func() (string, error) { return r.build(ctx, k.Arch) })
	}
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	for _, k := range chosen {
		res := &result{Kernel: k.Name(), Arch: k.Arch}
		results = append(results, res)
		g.Go(func() error {
			if err := r.boot(ctx, k, built[k.Arch], res); err != nil {
				res.Problem = err.Error()
			} else if count(res.Tests, "pass", "fail") == 0 {
				res.Problem = "no test ran"
			}
			fmt.Fprintln(r.log, res.Summary())
			return nil
		})
	}
	g.Wait()
	return results
}

const (
	// bootTime is how long a kernel may take to start init: four times what
	// the slowest takes with two cores to itself.
	bootTime = time.Minute
	// grace is what a guest gets beyond the time of a package's tests.
	grace = 20 * time.Second
)

// boot boots a kernel and runs the tests in it.
func (r *runner) boot(ctx context.Context, k kernels.Kernel, built func() (string, error), res *result) (err error) {
	if res.Image, err = k.Image(ctx, r.cache); err != nil {
		return fmt.Errorf("no image (-dir DIR boots your own): %w", err)
	}
	content, err := os.ReadFile(res.Image.Path)
	if err != nil {
		return err
	}
	res.SHA256 = fmt.Sprintf("%x", sha256.Sum256(content))
	initramfs, err := built()
	if err != nil {
		return err
	}
	qemu := command(k, res.Image.Path, initramfs)
	start := time.Now()
	res.transcript, err = run(ctx, qemu, bootTime, r.timeout+grace)
	if errors.Is(err, errSilent) {
		// One boot in many is silent under emulation, for no fault of ours.
		res.transcript, err = run(ctx, qemu, bootTime, r.timeout+grace)
	}
	res.Seconds = time.Since(start).Seconds()
	for _, p := range res.packages {
		res.Tests = append(res.Tests, p.outcomes(r.run != "")...)
	}
	return err
}

// hostVersions tells what the results depend on beside the kernels.
func hostVersions(ctx context.Context, chosen []kernels.Kernel) (all []string) {
	commands := [][]string{{"git", "describe", "--always", "--dirty"}, {"go", "version"}}
	for _, k := range chosen {
		a, _ := arch.For(k.Arch)
		commands = append(commands, []string{a.Machine.Qemu, "--version"})
	}
	for _, c := range commands {
		out, err := exec.CommandContext(ctx, c[0], c[1:]...).Output()
		line, _, _ := strings.Cut(string(out), "\n")
		if line = c[0] + ": " + line; err == nil && !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}
