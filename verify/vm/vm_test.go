package main

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zuffd/uffd/verify/arch"
)

// TestGuest runs guests whose qemu is a shell: a guest that hangs, is silent,
// or ends early is told from one that did its work.
func TestGuest(t *testing.T) {
	whole := strings.Join(session(), "\n")
	const long = time.Hour
	for name, c := range map[string]struct {
		script        string
		boot, silence time.Duration
		want          error
	}{
		"does its work":           {`printf '%s\n' "$0"`, long, long, nil},
		"does not power off":      {`printf '%s\n' "$0"; exec sleep 60`, long, long, nil},
		"ends before it has done": {`printf '%s\n' "$0" | head -3`, long, long, errEarly},
		"hangs":                   {`printf '%s\n' "$0" | head -3; exec sleep 60`, long, 5 * time.Second, errDeadline},
		"is silent":               {`echo Booting; exec sleep 60`, time.Second, long, errSilent},
		"speaks all the time": {
			`printf '%s\n' "$0" | while read -r l; do printf '%s\n' "$l"; sleep .8; done`, long, 5 * time.Second, nil},
		"says nothing of its tests any more": {
			`printf '%s\n' "$0" | head -3; while sleep .3; do echo oops; done`, long, 2 * time.Second, errDeadline},
		"begins in the middle": {`printf '%s\n' "$0" | tail -n +2`, long, long, errSilent},
		"panics before init":   {`echo Kernel panic; exit 0`, long, long, errSilent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			tr, err := run(ctx, []string{"sh", "-c", c.script, whole}, c.boot, c.silence)
			if err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.boot == long && len(tr.Console) == 0 {
				t.Errorf("no transcript of it")
			}
		})
	}
	t.Run("cannot be run", func(t *testing.T) {
		if _, err := run(t.Context(), []string{"/no/such/qemu"}, long, long); err == nil {
			t.Error("no error")
		}
	})
	for name, script := range map[string]string{
		"writes a line without end": "tr '\\0' x </dev/zero",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := run(t.Context(), []string{"sh", "-c", script}, long, long); err != bufio.ErrTooLong {
				t.Errorf("got %v, want %v", err, bufio.ErrTooLong)
			}
		})
	}
}

// scratch makes a module that is not ours, with files in it.
func scratch(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.com/scratch\n\ngo 1.25\n"
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOWORK", "off")
}

func TestBuildWantsTests(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"none":                   {map[string]string{"a/a.go": "package a\n"}, "./...: no tests for amd64"},
		"some of no such type":   {map[string]string{"a/a_test.go": "package a\n\nvar x int = nil\n"}, "cannot use nil"},
		"some for others":        {map[string]string{"a/a_s390x_test.go": "package a\n"}, "no tests for amd64"},
		"a C program that fails": {map[string]string{"a/a_test.go": "package a\n", "a/testdata/x.c": "int main(void) { return y; }\n"}, "x.c"},
	} {
		t.Run(name, func(t *testing.T) {
			if a, _ := arch.For("amd64"); strings.Contains(name, "C program") && links(a) != nil {
				t.Skip("no C compiler for amd64")
			}
			scratch(t, c.files)
			r := &runner{tmp: t.TempDir(), packages: []string{"./..."}, log: t.Output()}
			if _, err := r.build(t.Context(), "amd64"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %s", err, c.want)
			}
		})
	}
}

// TestBoot boots a kernel, and runs the tests of a module that is not ours.
func TestBoot(t *testing.T) {
	if os.Getenv("UFFD_VM_TEST") == "" {
		t.Skip("boots a virtual machine; set UFFD_VM_TEST=1, or run make vm")
	}
	scratch(t, map[string]string{
		"passes/a_test.go": `package passes

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestKernel(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil || !strings.HasPrefix(string(b), "6.12.") {
		t.Fatalf("%s, %v", b, err)
	}
	t.Attr("release", strings.TrimSpace(string(b)))
}

func TestData(t *testing.T) {
	b, err := os.ReadFile("testdata/deep/file")
	if string(b) != "content" {
		t.Fatalf("%q, %v", b, err)
	}
}

func TestC(t *testing.T) {
	dir := os.Getenv("TEST_PROGRAMS")
	out, err := exec.Command(dir + "/says").Output()
	if string(out) != "6 times 7 is 42" {
		t.Fatalf("%q, %v", out, err)
	}
}
`,
		"passes/testdata/deep/file": "content",
		"passes/include/six.h":      "#define SIX 6\n",
		"passes/testdata/says.c": `/*
 * cflags: -Iinclude -DSEVEN=7
 */
#include <stdio.h>
#include "six.h"
int main(void) { printf("%d times %d is %d", SIX, SEVEN, SIX * SEVEN); return 0; }
`,
		"fails/a_test.go": `package fails

import "testing"

func TestFails(t *testing.T) { t.Error("as it is meant to") }
func TestSkips(t *testing.T) { t.Skip("for a reason") }
`,
	})
	var out strings.Builder
	results := filepath.Join(t.TempDir(), "R.md")
	r := &runner{kernels: "amd64/6.12", packages: []string{"./..."}, timeout: time.Minute, results: results, log: t.Output()}
	err := r.main(t.Context(), &out)
	if err == nil || !strings.Contains(err.Error(), "1 of 1 kernels") {
		t.Errorf("got %v", err)
	}
	contains(t, out.String(), "amd64/6.12", "6.12.", "4 KiB", "| 5   | 3      | 1      | 1 ", "for a reason",
		"example.com/scratch/fails TestFails failed:", "as it is meant to", "3 passed, 1 failed, 1 skipped on 1 kernels, of which 0")
	b, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(b), "## Kernel", "| release | 6.12.")
}
