package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zuffd/uffd/verify/testlog"
	"github.com/zuffd/uffd/verify/vm/internal/console"
)

func sample() *report {
	skip := func(why string) testlog.Test {
		return testlog.Test{Package: "p", Name: "S", Result: "skip", Reason: why}
	}
	good := &result{Kernel: "amd64/7.3", Arch: "amd64", Guest: &console.Guest{Release: "7.3.4", PageSize: 4096},
		Image: image{Package: "linux 7.3.4", SHA256: "abc"}, Run: 3, Passed: 1, Skipped: 2,
		Tests: []testlog.Test{{Package: "p", Name: "A", Result: "pass"}, skip("a | b"), skip("c")}}
	bad := &result{Kernel: "arm64/5.10", Arch: "arm64", Guest: &console.Guest{Release: "5.10.0", PageSize: 16384},
		Run: 2, Passed: 0, Failed: 1, Skipped: 1, KernelLog: []string{"MCE: a warning"},
		Tests: []testlog.Test{{Package: "p", Name: "B", Result: "fail", Output: "got 1, want 2\n"}, skip("c")}}
	dead := &result{Kernel: "s390x/recent", Arch: "s390x", Problem: errDeadline.Error(), Console: []string{"Kernel panic - not syncing"}}
	return &report{Date: time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC), Host: []string{"go version go1.26"}, Results: []*result{good, bad, dead}}
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
	o := &options{json: filepath.Join(dir, "r.json"), results: filepath.Join(dir, "R.md")}
	var out strings.Builder
	err := sample().write(&out, o)
	if err == nil || !strings.Contains(err.Error(), "2 of 3 kernels") {
		t.Errorf("got %v, want an error that counts the bad kernels", err)
	}
	t.Run("says everything on the terminal", func(t *testing.T) {
		contains(t, out.String(), "page size", "amd64/7.3", "7.3.4", "4 KiB", "arm64/5.10", "16 KiB", "s390x/recent", "did not finish",
			"skipped:", "2  c (amd64/7.3 arm64/5.10)", "1  a | b",
			"arm64/5.10: p B failed:", "got 1, want 2", "MCE: a warning",
			"s390x/recent: "+errDeadline.Error(), "Kernel panic - not syncing",
			"kernels: 3, of which 1 did not finish", "\n1 passed, 1 failed, 3 skipped\n")
	})
	t.Run("writes Markdown", func(t *testing.T) {
		b, err := os.ReadFile(o.results)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, string(b), "24 November 2026", "| kernel |", "| amd64/7.3 | 7.3.4 | amd64 | 4 KiB | 3 | 1 | 0 | 2 |",
			"## Skipped", "| 2 | c |", `| a \| b |`, "## Failed", "arm64/5.10: p B", "s390x/recent", "## Versions", "linux 7.3.4", "abc", "go version")
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "| amd64/7.3 | 7.3.4") && strings.Count(line, "|") != len(columns)+1 {
				t.Errorf("%q has not %d cells", line, len(columns))
			}
		}
	})
	t.Run("writes JSON", func(t *testing.T) {
		b, err := os.ReadFile(o.json)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Kernels []struct {
				Kernel string
				Failed int
				Guest  struct {
					PageSize int `json:"page_size"`
				}
				Tests []struct{ Name, Result, Output string }
			}
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if k := got.Kernels[1]; k.Kernel != "arm64/5.10" || k.Failed != 1 || k.Guest.PageSize != 16384 || k.Tests[0].Output == "" {
			t.Errorf("got %+v", k)
		}
	})
	t.Run("is content with kernels that are as they should be", func(t *testing.T) {
		r := sample()
		r.Results = r.Results[:1]
		var out strings.Builder
		if err := r.write(&out, &options{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("is not content with a kernel on which everything was skipped", func(t *testing.T) {
		r := sample()
		r.Results = r.Results[:1]
		r.Results[0].Passed = 0
		var out strings.Builder
		if r.write(&out, &options{}) == nil {
			t.Error("no error")
		}
	})
	t.Run("leaves nothing where it cannot write", func(t *testing.T) {
		var out strings.Builder
		if sample().write(&out, &options{json: filepath.Join(dir, "no/such/r.json")}) == nil {
			t.Error("no error")
		}
	})
}
