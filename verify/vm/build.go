package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cavaliergopher/cpio"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
)

// guestSource is init's source, so that it can be built wherever this is run.
//
//go:embed init/main.go internal/console/console.go
var guestSource embed.FS

// A source is a package that has tests.
type source struct{ path, dir string }

// list returns the packages that have tests on an architecture.
func (r *runner) list(ctx context.Context, goarch string) (all []source, err error) {
	const format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}{{end}}"
	out, err := goCommand(ctx, ".", goarch, append([]string{"list", "-f", format}, r.packages...)...)
	for line := range strings.Lines(out) {
		if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			all = append(all, source{path, dir})
		}
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: no tests for %s", strings.Join(r.packages, " "), goarch)
	}
	return all, err
}

// initramfs is the file of what guests of an architecture have.
func (r *runner) initramfs(goarch string) string { return filepath.Join(r.tmp, goarch+".cpio") }

// build lays out in a directory what a guest is to have, archives it, and
// returns how many packages are tested in it.
func (r *runner) build(ctx context.Context, goarch string) (packages int, err error) {
	module, root := filepath.Join(r.tmp, goarch), filepath.Join(r.tmp, goarch+".root")
	const mod = "module github.com/zuffd/uffd/verify/vm\n\ngo 1.26.0\n"
	err = errors.Join(os.CopyFS(module, guestSource), os.WriteFile(filepath.Join(module, "go.mod"), []byte(mod), 0o644))
	if err != nil {
		return 0, err
	}
	for _, program := range []string{"./init", "cmd/test2json"} {
		if _, err := goCommand(ctx, module, goarch, "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(root, filepath.Base(program)), program); err != nil {
			return 0, err
		}
	}
	sources, err := r.list(ctx, goarch)
	if err != nil {
		return 0, err
	}
	j := r.job
	for i, p := range sources {
		j.Packages = append(j.Packages, p.path)
		dir := filepath.Join(root, fmt.Sprint(i))
		if _, err := goCommand(ctx, p.dir, goarch, "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "test"), "."); err != nil {
			return 0, err
		}
		err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS(filepath.Join(p.dir, "testdata")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if err := r.programs(ctx, goarch, p, filepath.Join(dir, "programs")); err != nil {
			return 0, err
		}
	}
	content, err := json.Marshal(j)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(root, "job.json"), content, 0o644); err != nil {
		return 0, err
	}
	return len(j.Packages), writeCPIO(r.initramfs(goarch), root)
}

// programs returns the sources of a package's C programs.
func (p source) programs() []string {
	all, _ := filepath.Glob(filepath.Join(p.dir, "testdata", "*.c"))
	return all
}

// cflags matches what a C source says of how it is to be compiled.
var cflags = regexp.MustCompile(`(?m)^\W*cflags: *(.*)$`)

// links returns an error if static C programs cannot be built for an
// architecture: for want of a compiler, or of a C library for it.
func links(a arch.Arch) error {
	_, err := a.Compile("int main(void) { return 0; }", "-static", "-xc", "-o", os.DevNull, "-")
	if err != nil {
		return fmt.Errorf("no C programs for %s, which takes Debian's %s and %s: %w", a.Go, a.CCPackage, a.LibC, err)
	}
	return nil
}

// programs builds a package's C programs in a directory. Where that cannot be
// they are left out, and it is for the tests to say so.
func (r *runner) programs(ctx context.Context, goarch string, p source, dir string) error {
	a, _ := arch.For(goarch)
	if len(p.programs()) == 0 {
		return nil
	}
	if err := links(a); err != nil {
		fmt.Fprintln(r.log, err)
		return nil
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, program := range p.programs() {
		text, err := os.ReadFile(program)
		if err != nil {
			return err
		}
		out := filepath.Join(dir, strings.TrimSuffix(filepath.Base(program), ".c"))
		args := append(slices.Clone(a.CC[1:]), "-static", "-O2", "-o", out, program)
		if m := cflags.FindSubmatch(text); m != nil {
			args = append(args, strings.Fields(string(m[1]))...)
		}
		cmd := exec.CommandContext(ctx, a.CC[0], args...)
		cmd.Dir = p.dir
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said)
		}
	}
	return nil
}

// ensure makes sure that the kernels' qemus are there. If it may, it installs
// what is missing, and compilers for C programs, too: without one it can do.
func (r *runner) ensure(ctx context.Context, chosen []kernels.Kernel) error {
	missing, packages := map[string]bool{}, map[string]bool{}
	for _, k := range chosen {
		a, _ := arch.For(k.Arch)
		if _, err := exec.LookPath(a.Machine.Qemu); err != nil {
			missing[a.Machine.Qemu], packages[a.Machine.Package] = true, true
		}
		if r.install && links(a) != nil {
			packages[a.CCPackage], packages[a.LibC] = true, true
		}
	}
	names := slices.Sorted(maps.Keys(packages))
	if len(names) == 0 {
		return nil
	}
	if !r.install {
		return fmt.Errorf("%s: not found: run '%s' as root, or -install as root; elsewhere than on Debian, install QEMU's system emulators (7.2 or later)", strings.Join(slices.Sorted(maps.Keys(missing)), ", "), debian.InstallLine(names))
	}
	fmt.Fprintf(r.log, "installing %s\n", strings.Join(names, " "))
	return debian.Install(ctx, names)
}

// goCommand runs the go command for an architecture of guests.
func goCommand(ctx context.Context, dir, goarch string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch)
	if args[0] == "build" { // of init, which is in no workspace
		cmd.Env = append(cmd.Env, "GOWORK=off", "GOFLAGS=")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("GOARCH=%s go %s: %w\n%s", goarch, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), err
}

// writeCPIO archives what is below a directory.
func writeCPIO(name, root string) error {
	var out bytes.Buffer
	w := cpio.NewWriter(&out)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		h := &cpio.Header{Mode: cpio.TypeDir | 0o755}
		var content []byte
		if !e.IsDir() {
			h.Mode = cpio.TypeReg | 0o755
			if content, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		h.Name, _ = filepath.Rel(root, path)
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	return errors.Join(err, w.Close(), os.WriteFile(name, out.Bytes(), 0o644))
}
