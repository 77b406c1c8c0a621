package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zuffd/uffd/verify/kernels"
)

func sample() *report {
	skip := func(why string) testCase {
		return testCase{Package: "p", Name: "S", Result: "skip", Reason: why}
	}
	attr := func(test, key, value string) event { return event{Action: "attr", Test: test, Key: key, Value: value} }
	good := &result{Kernel: "amd64/newest", Arch: "amd64",
		Image: kernels.Image{Package: "linux 7.3.4", Instead: "amd64/newest is Linux 7.4"}, SHA256: "abc",
		Tests: []testCase{{Package: "p", Name: "A", Result: "pass"}, skip("a | b"), skip("c")},
		transcript: transcript{Guest: &event{Release: "7.3.4", PageSize: 4096},
			Attrs: []event{attr("TestFeatures", "POISON", "yes"), attr("TestOther", "POISON", "no")}}}
	bad := &result{Kernel: "arm64/5.10", Arch: "arm64",
		Tests: []testCase{{Package: "p", Name: "B", Result: "fail", Output: "got 1, want 2\n"}, skip("c")},
		transcript: transcript{Guest: &event{Release: "5.10.0", PageSize: 16384},
			Attrs: []event{attr("TestFeatures", "MOVE", "yes")}, Console: []string{"MCE: a warning"}}}
	dead := &result{Kernel: "s390x/recent", Arch: "s390x", Problem: errDeadline.Error(),
		transcript: transcript{Console: []string{"Kernel panic - not syncing"}}}
	return &report{Date: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC), Host: []string{"go version go1.26"}, Args: []string{"-test.v", "-test.short"}, Results: []*result{good, bad, dead}}
}

// contains fails the test for what text lacks, or has in another order.
func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	rest := text
	for _, w := range want {
		_, after, found := strings.Cut(rest, w)
		if !found {
			t.Fatalf("%q is not there, or not in its place:\n%s", w, text)
		}
		rest = after
	}
}

func TestReport(t *testing.T) {
	dir := t.TempDir()
	results := filepath.Join(dir, "R.md")
	var out strings.Builder
	err := sample().write(t.Context(), &out, results)
	if err == nil {
		t.Fatal("no error")
	}
	t.Run("ends with the names of what failed", func(t *testing.T) {
		contains(t, err.Error(), "2 of 3 kernels", "\narm64/5.10: p.B\n", "s390x/recent: "+errDeadline.Error())
	})
	t.Run("says everything on the terminal", func(t *testing.T) {
		contains(t, out.String(), "page size", "amd64/newest", "7.3.4", "4 KiB", "arm64/5.10", "16 KiB", "s390x/recent", "did not finish",
			"amd64/newest is Linux 7.4",
			"reason", "| ---                     |\n| 2     | c      | amd64/newest arm64/5.10 |", `| 1     | a \| b |`,
			"arm64/5.10: the end of its console:", "MCE: a warning", "arm64/5.10: p B failed:", "got 1, want 2",
			"Kernel panic - not syncing", "s390x/recent: "+errDeadline.Error(),
			"\n1 passed, 1 failed, 3 skipped on 3 kernels, of which 1 did not finish, in 0 s\n")
	})
	t.Run("writes Markdown", func(t *testing.T) {
		b, err := os.ReadFile(results)
		if err != nil {
			t.Fatal(err)
		}
		spaces := regexp.MustCompile(" +")
		contains(t, spaces.ReplaceAllString(string(b), " "), "24 November 2026",
			"## Features", "| | amd64/newest | arm64/5.10 | s390x/recent |", "| POISON | yes | | |", "| MOVE | | yes | |",
			"## Other", "| POISON | no | | |",
			"## Tests", "| kernel |", "| amd64/newest | 7.3.4 | amd64 | 4 KiB | 3 | 1 | 0 | 2 |",
			"`-test.v -test.short`", "arm64/5.10: 0 passed, 1 failed", "s390x/recent", "## Versions", "linux 7.3.4", "abc", "go version")
		pipes := 0
		for line := range strings.Lines(string(b)) {
			n := strings.Count(line, "|") - strings.Count(line, `\|`)
			if strings.HasPrefix(line, "|") && pipes > 0 && n != pipes {
				t.Errorf("%q has not %d cells", line, pipes-1)
			}
			pipes = n
		}
	})
	t.Run("writes JSON", func(t *testing.T) {
		path := filepath.Join(dir, "r.json")
		sample().write(t.Context(), io.Discard, path)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Results []struct {
				Kernel string
				Guest  struct{ PageSize int }
				Tests  []struct{ Name, Result, Output string }
			}
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if k := got.Results[1]; k.Kernel != "arm64/5.10" || k.Guest.PageSize != 16384 || k.Tests[0].Output == "" {
			t.Errorf("got %+v", k)
		}
	})
	t.Run("is content with kernels that are as they should be", func(t *testing.T) {
		r := sample()
		r.Results = r.Results[:1]
		var out strings.Builder
		if err := r.write(t.Context(), &out, ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("is not content with a kernel on which everything was skipped", func(t *testing.T) {
		r := sample()
		r.Results = r.Results[:1]
		r.Results[0].Tests = r.Results[0].Tests[1:]
		var out strings.Builder
		if r.write(t.Context(), &out, "") == nil {
			t.Error("no error")
		}
	})
	t.Run("writes nothing of what was interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := sample()
		r.Results = r.Results[:1]
		var out strings.Builder
		if err := r.write(ctx, &out, filepath.Join(dir, "half.md")); err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("got %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "half*")); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	})
	t.Run("leaves nothing where it cannot write", func(t *testing.T) {
		var out strings.Builder
		if sample().write(t.Context(), &out, filepath.Join(dir, "no/such/r.json")) == nil {
			t.Error("no error")
		}
	})
}

func TestResultsAreOfAllTests(t *testing.T) {
	r := &runner{kernels: "amd64/newest", list: true, results: "R.md", run: "Poison", log: t.Output()}
	if err := r.main(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "-run") {
		t.Errorf("got %v", err)
	}
}
