package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/zuffd/uffd/verify/testlog"
)

// testPackages hold the live tests, and those that show that the oracles can
// tell.
var testPackages = []string{"./runtime/...", "./verify/live", "./verify/btf", "./verify/lies"}

// liveTests runs the live tests on the running kernel. One for amd64 can run
// programs for 386, too, unless it was built or booted not to.
func liveTests(ctx context.Context) ([]*testlog.Package, error) {
	all, err := goTest(ctx, runtime.GOARCH, testPackages...)
	if err != nil || runtime.GOARCH != "amd64" {
		return all, err
	}
	more, err := goTest(ctx, "386", "./verify/live")
	for _, p := range more {
		p.Refused("exec format error", "this kernel runs no programs for 386")
	}
	return append(all, more...), err
}

// goTest runs the tests of packages, and leaves those out that have none.
func goTest(ctx context.Context, goarch string, packages ...string) ([]*testlog.Package, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-json"}, packages...)...)
	cmd.Env = append(os.Environ(), "GOARCH="+goarch)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	read, parseErr := testlog.Read(bytes.NewReader(out))
	if parseErr != nil {
		return nil, fmt.Errorf("go test -json: %w\n%s", parseErr, stderr.Bytes())
	}
	var all []*testlog.Package
	failed := 0
	for _, p := range read {
		if p.Result == "fail" && p.Count("fail") == 0 {
			p.Fail(p.Output)
		}
		if failed += p.Count("fail"); len(p.Tests) > 0 {
			p.Name = strings.TrimPrefix(p.Name, "github.com/zuffd/uffd/") + " for " + goarch
			all = append(all, p)
		}
	}
	if err != nil && failed == 0 {
		return nil, fmt.Errorf("go test: %w\n%s", err, stderr.Bytes())
	}
	return all, nil
}
