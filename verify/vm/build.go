package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/u-root/mkuimage/cpio"
	"github.com/u-root/mkuimage/uimage/initramfs"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
)

// initSource is there so that init can be built wherever this is run.
//
//go:embed init/main.go
var initSource []byte

// testArgs are those of every test binary, beside those of the command line.
var testArgs = []string{"-test.v=test2json", "-test.short"}

// build builds what guests of an architecture have, and returns its archive.
func (r *runner) build(ctx context.Context, goarch string) (path string, err error) {
	const format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}{{end}}"
	listed, err := goCommand(ctx, goarch, append([]string{"list", "-f", format}, r.packages...)...)
	dir, init := filepath.Join(r.tmp, goarch), filepath.Join(r.tmp, goarch+".go")
	if err = errors.Join(err, os.WriteFile(init, initSource, 0o644)); err != nil {
		return "", err
	}
	files := initramfs.NewFiles()
	builds := [][]string{
		{"build", "-C", r.tmp, stripped, "-o", filepath.Join(dir, "init"), init},
		{"build", "-C", r.tmp, stripped, "-o", filepath.Join(dir, "test2json"), "cmd/test2json"},
	}
	var packages []string
	for line := range strings.Lines(listed) {
		pkg, source, _ := strings.Cut(strings.TrimSpace(line), "\t")
		n := fmt.Sprint(len(packages))
		packages = append(packages, pkg)
		builds = append(builds, []string{"test", "-c", stripped, "-o", filepath.Join(dir, n, "test"), pkg})
		if err := r.programs(ctx, goarch, source, filepath.Join(dir, n, "programs")); err != nil {
			return "", err
		}
		err := files.AddFile(filepath.Join(source, "testdata"), n+"/testdata")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if len(packages) == 0 {
		return "", fmt.Errorf("%s: no tests for %s", strings.Join(r.packages, " "), goarch)
	}
	for _, args := range builds {
		if _, err := goCommand(ctx, goarch, args...); err != nil {
			return "", err
		}
	}
	args := slices.Concat(testArgs, []string{"-test.run=" + r.run, "-test.timeout=" + r.timeout.String()})
	job, err := json.Marshal(map[string]any{"Packages": packages, "Args": args, "Timeout": r.timeout})
	err = errors.Join(err, files.AddRecord(cpio.StaticFile("job.json", string(job), 0o644)), files.AddFile(dir, "."))
	if err != nil {
		return "", err
	}
	archive := &initramfs.CPIOFile{Path: dir + ".cpio"}
	return archive.Path, initramfs.Write(&initramfs.Opts{Files: files, OutputFile: archive})
}

// stripped has the linker leave out what only a debugger reads.
const stripped = "-ldflags=-s -w"

// cflags matches what a C source says of how it is to be compiled.
var cflags = regexp.MustCompile(`(?m)^\W*cflags: *(.*)$`)

// programs builds in a directory the C programs of a package's testdata. Where
// that cannot be they are left out, and it is for the tests to say so.
func (r *runner) programs(ctx context.Context, goarch, pkg, dir string) error {
	sources, err := filepath.Glob(filepath.Join(pkg, "testdata", "*.c"))
	if len(sources) == 0 {
		return err
	}
	a, _ := arch.For(goarch)
	if err := links(a); err != nil {
		fmt.Fprintln(r.log, err)
		return nil
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err = errors.Join(err, os.MkdirAll(dir, 0o755)); err != nil {
			return err
		}
		program := filepath.Join(dir, strings.TrimSuffix(filepath.Base(source), ".c"))
		args := append(slices.Clone(a.CC[1:]), "-static", "-O2", "-o", program, source)
		if m := cflags.FindSubmatch(text); m != nil {
			args = append(args, strings.Fields(string(m[1]))...)
		}
		cmd := exec.CommandContext(ctx, a.CC[0], args...)
		cmd.Dir = pkg
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", cmd, err, said)
		}
	}
	return nil
}

// links returns an error if static C programs cannot be built for an
// architecture: for want of a compiler, or of a C library for it.
func links(a arch.Arch) error {
	if _, err := a.Compile("int main(void) { return 0; }", "-static", "-xc", "-o", os.DevNull, "-"); err != nil {
		return fmt.Errorf("no C programs for %s, which takes Debian's %s and %s: %w", a.Go, a.CCPackage, a.LibC, err)
	}
	return nil
}

// ensure makes sure that the kernels' qemus are there. If it may, it installs
// what is missing, and compilers for C programs, too: without one it can do.
func (r *runner) ensure(ctx context.Context, chosen []kernels.Kernel) error {
	var missing error
	var packages []string
	for _, k := range chosen {
		a, _ := arch.For(k.Arch)
		if _, err := exec.LookPath(a.Machine.Qemu); err != nil {
			missing, packages = err, append(packages, a.Machine.Package)
		}
		if r.install && links(a) != nil {
			packages = append(packages, a.CCPackage, a.LibC)
		}
	}
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	switch {
	case len(packages) == 0:
		return nil
	case !r.install:
		return fmt.Errorf("%w: run '%s' as root, or -install as root; elsewhere than on Debian, "+
			"install QEMU's system emulators (7.2 or later)", missing, debian.InstallLine(packages))
	}
	fmt.Fprintln(r.log, "installing", strings.Join(packages, " "))
	return debian.Install(ctx, packages)
}

// goCommand runs the go command for an architecture of guests.
func goCommand(ctx context.Context, goarch string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("GOARCH=%s go %s: %w\n%s", goarch, strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return string(out), err
}
