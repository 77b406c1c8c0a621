package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/zuffd/uffd/verify/scratch"
	"github.com/zuffd/uffd/verify/testlog"
	"golang.org/x/sys/unix"
)

// testPackages hold the live tests, and those that show that the oracles can
// tell.
var testPackages = []string{"./runtime/...", "./verify/live", "./verify/btf", "./verify/lies"}

// outcomes are those of one package's tests.
type outcomes struct {
	pkg                     string
	passed, failed, skipped int
	reasons                 []string // of each skipped test
	failures                []string // the output of each failed test
}

// liveTests runs the live tests on the running kernel. One for amd64 can run
// programs for 386, too, unless it was built or booted not to.
func liveTests(ctx context.Context) ([]*outcomes, error) {
	all, err := goTest(ctx, runtime.GOARCH, testPackages...)
	if err != nil || runtime.GOARCH != "amd64" {
		return all, err
	}
	const compatible = "./verify/live"
	runs, err := runs(ctx, "386", compatible)
	if err != nil {
		return nil, err
	}
	if !runs {
		return append(all, &outcomes{pkg: compatible + " for 386", skipped: 1, reasons: []string{"this kernel runs no programs for 386"}}), nil
	}
	more, err := goTest(ctx, "386", compatible)
	return append(all, more...), err
}

// runs reports whether this kernel runs programs for an architecture: false is
// the kernel's own word, any other failure an error.
func runs(ctx context.Context, goarch, pkg string) (bool, error) {
	dir, remove, err := scratch.Dir("", "uffd-verify-")
	if err != nil {
		return false, err
	}
	defer remove()
	program := filepath.Join(dir, "test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, pkg)
	cmd.Env = append(os.Environ(), "GOARCH="+goarch, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return false, fmt.Errorf("GOARCH=%s go test -c %s: %w\n%s", goarch, pkg, err, out)
	}
	return starts(ctx, program)
}

// starts runs a test program, but none of its tests.
func starts(ctx context.Context, program string) (bool, error) {
	out, err := exec.CommandContext(ctx, program, "-test.run=^$").CombinedOutput()
	if errors.Is(err, unix.ENOEXEC) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return true, nil
}

func goTest(ctx context.Context, goarch string, packages ...string) ([]*outcomes, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-json"}, packages...)...)
	cmd.Env = append(os.Environ(), "GOARCH="+goarch)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	all, parseErr := count(bytes.NewReader(out))
	if parseErr != nil {
		return nil, fmt.Errorf("go test -json: %w\n%s", parseErr, stderr.Bytes())
	}
	failed := 0
	for _, o := range all {
		failed += o.failed
		o.pkg += " for " + goarch
	}
	if err != nil && failed == 0 {
		return nil, fmt.Errorf("go test: %w\n%s", err, stderr.Bytes())
	}
	return all, nil
}

// count counts tests by package. A package without tests is left out, unless
// it failed.
func count(r io.Reader) ([]*outcomes, error) {
	packages, err := testlog.Read(r)
	if err != nil {
		return nil, err
	}
	var all []*outcomes
	for _, p := range packages {
		if p.Result == "fail" && !p.Failed() {
			p.Tests = append(p.Tests, p.Failure(p.Output))
		}
		if len(p.Tests) == 0 {
			continue
		}
		o := &outcomes{pkg: p.Name}
		for _, t := range p.Tests {
			switch t.Result {
			case "pass":
				o.passed++
			case "skip":
				o.skipped++
				o.reasons = append(o.reasons, t.Reason)
			default:
				o.failed++
				o.failures = append(o.failures, strings.TrimSpace(t.Package+" "+t.Name)+"\n"+t.Output)
			}
		}
		all = append(all, o)
	}
	return all, nil
}
