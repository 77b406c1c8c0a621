package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dryRun returns the commands that make would run in the module's root.
func dryRun(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("make", append([]string{"-n", "-C", ".."}, args...)...)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "INSTALL=", "KERNELS=", "CI=true")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestMake(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip(err)
	}
	t.Run("installs if it is told to, and not otherwise", func(t *testing.T) {
		for _, target := range []string{"verify", "vm", "results"} {
			for _, install := range []string{"", "0", "1"} {
				out := dryRun(t, target, "INSTALL="+install)
				if strings.Contains(out, "-install") != (install == "1") {
					t.Errorf("make %s INSTALL=%s: %s", target, install, out)
				}
			}
		}
	})
	t.Run("never takes a test's result out of the cache", func(t *testing.T) {
		if out := dryRun(t, "test"); !strings.Contains(out, " -count=1 ") {
			t.Error(out)
		}
	})
	t.Run("fuzzes every fuzz target", func(t *testing.T) {
		commands := dryRun(t, "fuzz")
		target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
		found := 0
		err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			src, err := os.ReadFile(path)
			for _, m := range target.FindAllSubmatch(src, -1) {
				found++
				line := `(?m) -fuzz ` + string(m[1]) + ` .* \.` + regexp.QuoteMeta(strings.TrimPrefix(filepath.Dir(path), "..")) + `$`
				if !regexp.MustCompile(line).MatchString(commands) {
					t.Errorf("make fuzz leaves out %s of %s", m[1], path)
				}
			}
			return err
		})
		if err != nil || found < 5 {
			t.Errorf("%d fuzz targets, %v", found, err)
		}
	})
}

// TestCI runs .ci/run in a checkout with a stale file, where make repairs it.
func TestCI(t *testing.T) {
	script, err := os.ReadFile("../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"bash", "git"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	const (
		seesIt   = "#!/bin/sh\ncase $1 in check) grep -q good file;; '') echo good >file;; esac\n"
		isBlind  = "#!/bin/sh\ncase $1 in '') echo good >file;; esac\n"
		goStub   = "#!/bin/sh\n"
		tellDone = "\necho all steps are done\n"
	)
	for name, c := range map[string]struct {
		make, file string
		ok         bool
	}{
		"passes what is as it should be":                 {seesIt, "good", true},
		"refuses a stale file that make check sees":      {seesIt, "stale", false},
		"refuses a stale file that only make would tell": {isBlind, "stale", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir, bin := t.TempDir(), t.TempDir()
			for path, content := range map[string]string{
				filepath.Join(dir, ".ci", "run"): string(script) + tellDone,
				filepath.Join(dir, "file"):       c.file + "\n",
				filepath.Join(bin, "make"):       c.make,
				filepath.Join(bin, "go"):         goStub,
			} {
				os.MkdirAll(filepath.Dir(path), 0o755)
				if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, args := range [][]string{{"init", "-q"}, {"add", "."}} {
				if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			cmd := exec.Command("bash", filepath.Join(dir, ".ci", "run"))
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if done := strings.HasSuffix(string(out), "done\n"); done != c.ok || (err == nil) != c.ok {
				t.Errorf("got %v, want success %v\n%s", err, c.ok, out)
			}
		})
	}
}
