package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/zuffd/uffd/verify/vm/internal/console"
)

// guestSource is init's source, so that it can be built wherever this is run.
//
//go:embed init/main.go internal/console/console.go
var guestSource embed.FS

// A builder builds initramfs.
type builder struct {
	packages []string
	dir      string // where everything is built
	log      io.Writer
	job      console.Job // but for Tests
}

// An initramfs is what a guest has: a file, and how many packages in it.
type initramfs struct {
	path     string
	packages int
}

// A source is a package that has tests.
type source struct{ path, dir string }

// list returns the packages that have tests on an architecture.
func (b *builder) list(ctx context.Context, goarch string) (all []source, err error) {
	const format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}{{end}}"
	out, err := goCommand(ctx, ".", goarch, append([]string{"list", "-f", format}, b.packages...)...)
	for line := range strings.Lines(out) {
		if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			all = append(all, source{path, dir})
		}
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: no tests for %s", strings.Join(b.packages, " "), goarch)
	}
	return all, err
}

// build lays out in a directory what a guest is to have, and archives it.
func (b *builder) build(ctx context.Context, goarch string) (*initramfs, error) {
	module, root := filepath.Join(b.dir, goarch), filepath.Join(b.dir, goarch+".root")
	const mod = "module github.com/zuffd/uffd/verify/vm\n\ngo 1.26.0\n"
	err := errors.Join(os.CopyFS(module, guestSource), os.WriteFile(filepath.Join(module, "go.mod"), []byte(mod), 0o644))
	if err != nil {
		return nil, err
	}
	for _, program := range []string{"./init", "cmd/test2json"} {
		if _, err := goCommand(ctx, module, goarch, "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(root, filepath.Base(program)), program); err != nil {
			return nil, err
		}
	}
	packages, err := b.list(ctx, goarch)
	if err != nil {
		return nil, err
	}
	j := b.job
	for i, p := range packages {
		j.Packages = append(j.Packages, p.path)
		dir := filepath.Join(root, fmt.Sprint(i))
		if _, err := goCommand(ctx, p.dir, goarch, "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "test"), "."); err != nil {
			return nil, err
		}
		err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS(filepath.Join(p.dir, "testdata")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err := b.programs(ctx, goarch, p, filepath.Join(dir, "programs")); err != nil {
			return nil, err
		}
	}
	content, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(root, "job.json"), content, 0o644); err != nil {
		return nil, err
	}
	out := &initramfs{filepath.Join(b.dir, goarch+".cpio"), len(packages)}
	return out, writeCPIO(out.path, root)
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
func (b *builder) programs(ctx context.Context, goarch string, p source, dir string) error {
	a, _ := arch.For(goarch)
	if len(p.programs()) == 0 {
		return nil
	}
	if err := links(a); err != nil {
		fmt.Fprintln(b.log, err)
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

// ensure makes sure that the kernels' qemus are there, and, where there are C
// programs, compilers for them. It installs what is missing, if it may. Without
// a compiler it can do.
func (b *builder) ensure(ctx context.Context, chosen []kernels.Kernel, install bool) error {
	packages := map[string]bool{}
	var programs []string
	for _, k := range chosen {
		m := machineOf(k)
		if _, err := exec.LookPath(m.Qemu); err != nil && !slices.Contains(programs, m.Qemu) {
			programs = append(programs, m.Qemu)
			packages[m.Package] = true
		}
		tested, err := b.list(ctx, k.Arch)
		if err != nil {
			return err
		}
		a, _ := arch.For(k.Arch)
		if install && slices.ContainsFunc(tested, func(p source) bool { return len(p.programs()) > 0 }) && links(a) != nil {
			packages[a.CCPackage], packages[a.LibC] = true, true
		}
	}
	names := slices.Sorted(maps.Keys(packages))
	switch {
	case len(names) == 0:
		return nil
	case !install:
		return fmt.Errorf("%s: not found: run '%s' as root, or -install as root; elsewhere than on Debian, install QEMU's system emulators (7.2 or later)", strings.Join(programs, ", "), debian.InstallLine(names))
	}
	fmt.Fprintf(b.log, "installing %s\n", strings.Join(names, " "))
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
