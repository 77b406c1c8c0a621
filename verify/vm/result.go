package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zuffd/uffd/verify/kernels"
	"github.com/zuffd/uffd/verify/vm/internal/console"
)

// A result is what came of one kernel.
type result struct {
	Kernel  string         `json:"kernel"`
	Arch    string         `json:"arch"`
	Image   kernels.Image  `json:"image"`
	Guest   *console.Guest `json:"guest,omitempty"` // nil if it did not boot
	Command []string       `json:"command,omitempty"`
	Seconds float64        `json:"seconds"`
	Boots   int            `json:"boots"` // 2 if nothing was heard of the first

	Run     int        `json:"run"` // Passed, Failed and Skipped together
	Passed  int        `json:"passed"`
	Failed  int        `json:"failed"`
	Skipped int        `json:"skipped"`
	Tests   []testCase `json:"tests"`
	Attrs   []attr     `json:"attrs,omitempty"` // what tests said of the kernel

	// Problem is why the tests were not all run, and Console the end of what
	// the guest wrote then.
	Problem string   `json:"problem,omitempty"`
	Console []string `json:"console,omitempty"`
	// KernelLog is the kernel's warnings where a test failed.
	KernelLog []string `json:"kernel_log,omitempty"`
}

// ok reports whether tests ran and none failed.
func (r *result) ok() bool { return r.Problem == "" && r.Failed == 0 && r.Passed > 0 }

// summary is a line for whoever waits.
func (r *result) summary() string {
	s := fmt.Sprintf("%s: %d passed, %d failed, %d skipped in %.0f s", r.Kernel, r.Passed, r.Failed, r.Skipped, r.Seconds)
	if r.Problem != "" {
		line, _, _ := strings.Cut(r.Problem, "\n")
		s += ": " + line
	}
	return s
}

// verify boots a kernel and runs the tests in it.
func (r *runner) verify(ctx context.Context, k kernels.Kernel) *result {
	res := &result{Kernel: k.Name(), Arch: k.Arch}
	if err := r.boot(ctx, k, res); err != nil {
		res.Problem = err.Error()
	}
	res.Run, res.Passed, res.Failed, res.Skipped = len(res.Tests), count(res.Tests, "pass"), count(res.Tests, "fail"), count(res.Tests, "skip")
	if res.Problem == "" && res.Passed+res.Failed == 0 {
		res.Problem = "no test ran"
	}
	return res
}

func (r *runner) boot(ctx context.Context, k kernels.Kernel, res *result) (err error) {
	if res.Image, err = k.Image(ctx, r.cache); err != nil {
		return fmt.Errorf("no image (-dir DIR boots your own): %w", err)
	}
	arch, pageSize, err := kernels.Identify(res.Image.Path)
	if err != nil {
		return err
	}
	if arch != k.Arch {
		return fmt.Errorf("%s is a kernel for %s, not %s", res.Image.Path, arch, k.Arch)
	}
	initramfs, err := r.initramfs[k.Arch]()
	if err != nil {
		return err
	}
	res.Command = command(k, pageSize, res.Image.Path, initramfs.path)
	g := guest{
		command:  res.Command,
		boot:     bootTime,
		deadline: bootTime + time.Duration(initramfs.packages)*(r.builder.job.Timeout+grace),
	}
	var t *transcript
	for res.Boots = 1; ; res.Boots++ {
		start := time.Now()
		t, err = g.run(ctx)
		res.Seconds = time.Since(start).Seconds()
		// One boot in many is silent under emulation, for no fault of ours.
		if res.Boots == 2 || ctx.Err() != nil || !errors.Is(err, errSilent) {
			break
		}
	}
	if t == nil {
		return err
	}
	res.Guest, res.KernelLog = t.guest, t.kernel
	for _, b := range t.binaries {
		tests, attrs, err := b.tests(ctx, r.some)
		if err != nil {
			return err
		}
		res.Tests, res.Attrs = append(res.Tests, tests...), append(res.Attrs, attrs...)
	}
	if err == nil {
		err = t.whole(initramfs.packages)
	}
	if err != nil {
		res.Console = t.tail
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
