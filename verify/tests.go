package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
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

// An event is what go test -json prints.
type event struct {
	Action, Package, Test, Output string
}

// liveTests runs the live tests on the running kernel. One for amd64 can run
// programs for 386, too, unless it was built or booted not to.
func liveTests(ctx context.Context) ([]*outcomes, error) {
	all, err := goTest(ctx, runtime.GOARCH, testPackages...)
	if err != nil || runtime.GOARCH != "amd64" {
		return all, err
	}
	const compatible = "./verify/live"
	probe := exec.CommandContext(ctx, "go", "test", "-count=1", "-run=^$", compatible)
	probe.Env = append(os.Environ(), "GOARCH=386")
	if probe.Run() != nil {
		return all, nil
	}
	more, err := goTest(ctx, "386", compatible)
	return append(all, more...), err
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

// count counts tests by package. A test that has subtests is not counted
// itself, unless it failed; nor is a package, unless it failed without a test.
func count(r io.Reader) ([]*outcomes, error) {
	type key struct{ pkg, test string }
	output := map[key]string{}
	parents := map[key]bool{}
	byPackage := map[string]*outcomes{}
	var order []*outcomes
	for d := json.NewDecoder(r); ; {
		var e event
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return order, nil
		}
		if err != nil {
			return nil, err
		}
		k := key{e.Package, e.Test}
		output[k] += e.Output
		o := byPackage[e.Package]
		if o == nil && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip") && e.Test != "" || o == nil && e.Action == "fail" {
			o = &outcomes{pkg: e.Package}
			byPackage[e.Package] = o
			order = append(order, o)
		}
		if e.Action == "run" {
			for at, c := range e.Test {
				if c == '/' {
					parents[key{e.Package, e.Test[:at]}] = true
				}
			}
		}
		switch {
		case e.Action == "fail" && (e.Test != "" && !parents[k] || o.failed == 0):
			o.failed++
			o.failures = append(o.failures, strings.TrimSpace(e.Package+" "+e.Test)+"\n"+output[k])
		case e.Test == "" || parents[k]:
		case e.Action == "pass":
			o.passed++
		case e.Action == "skip":
			o.skipped++
			o.reasons = append(o.reasons, reason(output[k]))
		}
	}
}

var logged = regexp.MustCompile(`(?m)^ *\S+\.go:\d+: (.*)`)

// reason returns the last thing that a skipped test logged.
func reason(output string) string {
	all := logged.FindAllStringSubmatch(output, -1)
	if len(all) == 0 {
		return "no reason given"
	}
	return all[len(all)-1][1]
}
