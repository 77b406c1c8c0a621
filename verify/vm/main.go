// Vm boots kernels under qemu and runs the live tests of verify/ and runtime/
// in them.
//
//	go run ./verify/vm [flags]
//
// The kernels are Debian's stock ones, fetched through the machine's own apt
// configuration into a cache (see package debian), or with -dir the images of
// a directory. Each is given an initramfs of nothing but static test binaries
// and an init (verify/vm/init) that runs them and tells the outcome on the
// console. It prints a table and exits with 1 if a test failed, or a kernel did
// not run its tests to the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
)

// options are the command's flags.
type options struct {
	kernels, dir, run      string
	json, results, module  string
	jobs                   int
	timeout                time.Duration
	install, refresh, list bool
}

func main() {
	var o options
	flag.StringVar(&o.kernels, "kernels", "*/*", "patterns of the kernels to boot, with commas: 'amd64/6.12,arm64/*'")
	flag.StringVar(&o.dir, "dir", "", "boot the kernel images of a directory instead of Debian's")
	flag.StringVar(&o.run, "run", "", "run the tests that match this regular expression, as go test does")
	flag.StringVar(&o.json, "json", "", "write the results to a file, in JSON")
	flag.StringVar(&o.results, "results", "", "write the results to a file, in Markdown")
	flag.StringVar(&o.module, "module", ".", "test the module in this directory")
	flag.IntVar(&o.jobs, "j", 2, "how many guests run at a time")
	flag.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long one package's tests may take in a guest")
	flag.BoolVar(&o.install, "install", false, "install missing qemu packages with apt-get, as root")
	flag.BoolVar(&o.refresh, "refresh", false, "fetch Debian's package indexes anew")
	flag.BoolVar(&o.list, "list", false, "list the kernels and boot none")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "vm: %q: there are flags only; -h lists them\n", flag.Args())
		os.Exit(2)
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
	if _, err := regexp.Compile(o.run); err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if err := ensureMachines(ctx, stderr, chosen, o.install); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "uffd-guests-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	r := &runner{log: &lockedWriter{w: stderr}, some: o.run != ""}
	// Emulated processors are 5 to 11 times slower than the host's.
	args := []string{"-test.v=test2json", shortMode}
	if o.run != "" {
		args = append(args, "-test.run="+o.run)
	}
	r.builder = builder{module: o.module, dir: tmp, job: job{Args: args, Timeout: o.timeout}}
	if o.dir == "" {
		if r.cache, err = debian.Open(); err != nil {
			return err
		}
		r.cache.Log, r.cache.Refresh = r.log, o.refresh
	}
	rep := report{Date: time.Now().UTC().Truncate(time.Second), Host: hostVersions(ctx, o.module, chosen), Args: args}
	rep.Results = r.all(ctx, chosen, o.jobs)
	rep.Seconds = time.Since(rep.Date).Seconds()
	return rep.write(ctx, stdout, o)
}

const shortMode = "-test.short"

// A runner verifies kernels.
type runner struct {
	log     io.Writer
	cache   *debian.Cache
	some    bool // not all tests are run
	builder builder
}

// all verifies the kernels, jobs at a time, and returns their results in the
// kernels' order.
func (r *runner) all(ctx context.Context, chosen []kernels.Kernel, jobs int) []*result {
	results := make([]*result, len(chosen))
	slots := make(chan struct{}, max(jobs, 1))
	var wg sync.WaitGroup
	for i, k := range chosen {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i] = r.verify(ctx, k)
			fmt.Fprintln(r.log, results[i].summary())
		})
	}
	wg.Wait()
	return results
}

// hostVersions tells what the results depend on beside the kernels.
func hostVersions(ctx context.Context, module string, chosen []kernels.Kernel) []string {
	var all []string
	if out, err := exec.CommandContext(ctx, "git", "-C", module, "describe", "--always", "--dirty").Output(); err == nil {
		all = append(all, "uffd "+strings.TrimSpace(string(out)))
	}
	if out, err := exec.CommandContext(ctx, "go", "version").Output(); err == nil {
		all = append(all, strings.TrimSpace(string(out)))
	}
	seen := make(map[string]bool)
	for _, k := range chosen {
		m := machineOf(k)
		if !seen[m.Qemu] {
			seen[m.Qemu] = true
			all = append(all, m.Qemu+": "+version(ctx, m))
		}
	}
	return all
}

// lockedWriter is a writer for several goroutines.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
