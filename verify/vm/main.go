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

	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
	"github.com/zuffd/uffd/verify/vm/internal/console"
	"golang.org/x/sync/errgroup"
)

// options are the command line.
type options struct {
	kernels, dir, run, results string
	timeout                    time.Duration
	install, list              bool
	packages                   []string
}

func main() {
	var o options
	flag.StringVar(&o.kernels, "kernels", "*/*", "patterns of the kernels to boot, with commas: 'amd64/6.12,arm64/*,*/newest'")
	flag.StringVar(&o.dir, "dir", "", "boot the kernel images of a directory instead of Debian's")
	flag.StringVar(&o.run, "run", "", "run the tests that match this regular expression, as go test does")
	flag.StringVar(&o.results, "results", "", "write the results to a file: in JSON if its name ends in .json, else in Markdown")
	flag.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long one package's tests may take in a guest")
	flag.BoolVar(&o.install, "install", false, "install missing qemu and compiler packages with apt-get, as root")
	flag.BoolVar(&o.list, "list", false, "list the kernels and boot none")
	flag.Parse()
	if o.packages = flag.Args(); len(o.packages) == 0 {
		o.packages = []string{"./..."}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.main(ctx, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		stop()
		os.Exit(1)
	}
}

func (o *options) main(ctx context.Context, stdout, stderr io.Writer) error {
	if o.results != "" && o.run != "" {
		return errors.New("-results is what came of all tests: it does not go with -run")
	}
	if _, err := regexp.Compile(o.run); err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	all := kernels.Debian
	if o.dir != "" {
		var err error
		if all, err = kernels.In(o.dir, stderr); err != nil {
			return err
		}
	}
	chosen, err := kernels.Choose(all, o.kernels)
	if err != nil {
		return err
	}
	if o.list {
		for _, k := range chosen {
			fmt.Fprintln(stdout, k.Name())
		}
		return nil
	}
	tmp, err := os.MkdirTemp("", "uffd-guests-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	args := []string{"-test.v=test2json", "-test.short"}
	if o.run != "" {
		args = append(args, "-test.run="+o.run)
	}
	r := &runner{options: o, tmp: tmp, log: stderr, job: console.Job{Args: args, Timeout: o.timeout}}
	if err := r.ensure(ctx, chosen); err != nil {
		return err
	}
	if o.dir == "" {
		if r.cache, err = debian.Open(); err != nil {
			return err
		}
	}
	rep := report{Date: time.Now().UTC().Truncate(time.Second), Host: hostVersions(ctx, chosen), Args: args}
	rep.Results = r.all(ctx, chosen)
	rep.Seconds = time.Since(rep.Date).Seconds()
	return rep.write(ctx, stdout, o.results)
}

// A runner runs tests on kernels.
type runner struct {
	*options
	tmp   string    // where everything is built
	log   io.Writer // for several goroutines, a line in each write
	cache *debian.Cache
	job   console.Job // but for its packages

	built map[string]func() (packages int, err error) // by architecture
}

// all runs the tests on the kernels, as many at a time as there are processors,
// and returns their results in the kernels' order. What guests have is built
// once for each architecture.
func (r *runner) all(ctx context.Context, chosen []kernels.Kernel) []*result {
	r.built = map[string]func() (int, error){}
	for _, k := range chosen {
		r.built[k.Arch] = sync.OnceValues(func() (int, error) { return r.build(ctx, k.Arch) })
	}
	results := make([]*result, len(chosen))
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	for i, k := range chosen {
		g.Go(func() error {
			res := &result{Kernel: k.Name(), Arch: k.Arch}
			if err := r.boot(ctx, k, res); err != nil {
				res.Problem = err.Error()
			} else if count(res.Tests, "pass", "fail") == 0 {
				res.Problem = "no test ran"
			}
			results[i] = res
			fmt.Fprintln(r.log, res.summary())
			return nil
		})
	}
	g.Wait()
	return results
}

// boot boots a kernel and runs the tests in it.
func (r *runner) boot(ctx context.Context, k kernels.Kernel, res *result) (err error) {
	if res.Image, err = k.Image(ctx, r.cache); err != nil {
		return fmt.Errorf("no image (-dir DIR boots your own): %w", err)
	}
	content, err := os.ReadFile(res.Image.Path)
	if err != nil {
		return err
	}
	res.SHA256 = fmt.Sprintf("%x", sha256.Sum256(content))
	packages, err := r.built[k.Arch]()
	if err != nil {
		return err
	}
	g := guest{
		command:  command(k, res.Image.Path, r.initramfs(k.Arch)),
		boot:     bootTime,
		deadline: bootTime + time.Duration(packages)*(r.timeout+grace),
	}
	start := time.Now()
	t, err := g.run(ctx)
	if errors.Is(err, errSilent) && ctx.Err() == nil {
		// One boot in many is silent under emulation, for no fault of ours.
		start = time.Now()
		t, err = g.run(ctx)
	}
	res.Seconds = time.Since(start).Seconds()
	if t == nil {
		return err
	}
	res.Guest, res.Console = t.guest, t.tail
	for _, p := range t.packages {
		res.Tests, res.Attrs = append(res.Tests, p.outcomes(r.run != "")...), append(res.Attrs, p.attrs...)
	}
	if err == nil {
		err = t.whole(packages)
	}
	return err
}

const (
	// bootTime is how long a kernel may take to start init: four times what
	// the slowest takes with two cores to itself.
	bootTime = time.Minute
	// grace is what a test binary gets beyond its own timeout.
	grace = 20 * time.Second
)

// hostVersions tells what the results depend on beside the kernels.
func hostVersions(ctx context.Context, chosen []kernels.Kernel) (all []string) {
	commands := [][]string{{"git", "describe", "--always", "--dirty"}, {"go", "version"}}
	for _, k := range chosen {
		commands = append(commands, []string{machineOf(k).Qemu, "--version"})
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
