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

// A testedPackage is one that has tests.
type testedPackage struct{ path, dir string }

// list returns the packages that have tests on an architecture.
func (b *builder) list(ctx context.Context, goarch string) (all []testedPackage, err error) {
	const format = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}{{end}}"
	out, err := goCommand(ctx, ".", goarch, append([]string{"list", "-f", format}, b.packages...)...)
	for line := range strings.Lines(out) {
		if path, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			all = append(all, testedPackage{path, dir})
		}
	}
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: no tests for %s", strings.Join(b.packages, " "), goarch)
	}
	return all, err
}

func (b *builder) build(ctx context.Context, goarch string) (*initramfs, error) {
	dir := filepath.Join(b.dir, goarch)
	const module = "module github.com/zuffd/uffd/verify/vm\n\ngo 1.26.0\n"
	err := errors.Join(os.CopyFS(dir, guestSource), os.WriteFile(filepath.Join(dir, "go.mod"), []byte(module), 0o644))
	if err != nil {
		return nil, err
	}
	files := map[string]string{"init": filepath.Join(dir, "init.bin")}
	if _, err := goCommand(ctx, dir, goarch, "build", "-trimpath", "-ldflags=-s -w", "-o", files["init"], "./init"); err != nil {
		return nil, err
	}
	packages, err := b.list(ctx, goarch)
	if err != nil {
		return nil, err
	}
	j := b.job
	for i, p := range packages {
		in := fmt.Sprint(i)
		j.Tests = append(j.Tests, console.Test{Package: p.path, Dir: "/" + in})
		files[in+"/test"] = filepath.Join(dir, in+".test")
		if _, err := goCommand(ctx, p.dir, goarch, "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", files[in+"/test"], "."); err != nil {
			return nil, err
		}
		err := filepath.WalkDir(filepath.Join(p.dir, "testdata"), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return fs.SkipAll
			} else if err != nil || !e.Type().IsRegular() {
				return err
			}
			name, err := filepath.Rel(p.dir, path)
			files[in+"/"+name] = path
			return err
		})
		if err == nil {
			err = b.programs(ctx, goarch, p, in, files)
		}
		if err != nil {
			return nil, err
		}
	}
	content, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	files["job.json"] = filepath.Join(dir, "job.json")
	if err := os.WriteFile(files["job.json"], content, 0o644); err != nil {
		return nil, err
	}
	out := &initramfs{filepath.Join(dir, "initramfs"), len(packages)}
	return out, writeCPIO(out.path, files)
}

// sources returns a package's C programs.
func (p testedPackage) sources() []string {
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

// programs builds a package's C programs, and adds them to the files. Where
// that cannot be they are left out, and it is for the tests to say so.
func (b *builder) programs(ctx context.Context, goarch string, p testedPackage, in string, files map[string]string) error {
	a, _ := arch.For(goarch)
	if len(p.sources()) == 0 {
		return nil
	}
	if err := links(a); err != nil {
		fmt.Fprintln(b.log, err)
		return nil
	}
	for _, source := range p.sources() {
		text, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(source), ".c")
		out := filepath.Join(b.dir, goarch, in+"."+name)
		args := append(slices.Clone(a.CC[1:]), "-static", "-O2", "-o", out, source)
		if m := cflags.FindSubmatch(text); m != nil {
			args = append(args, strings.Fields(string(m[1]))...)
		}
		cmd := exec.CommandContext(ctx, a.CC[0], args...)
		cmd.Dir = p.dir
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said)
		}
		files[in+"/programs/"+name] = out
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
		if install && slices.ContainsFunc(tested, func(p testedPackage) bool { return len(p.sources()) > 0 }) && links(a) != nil {
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
	if dir != "." && args[0] == "build" { // init, which is in no workspace
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

// writeCPIO writes an archive of files, by their names in it, and of the
// directories that these are in.
func writeCPIO(name string, files map[string]string) (err error) {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := cpio.NewWriter(out)
	dirs := map[string]bool{}
	for name := range files {
		for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := w.WriteHeader(&cpio.Header{Name: dir, Mode: cpio.TypeDir | 0o755}); err != nil {
			return err
		}
	}
	for name, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeReg | 0o755, Size: int64(len(content))}); err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	return w.Close()
}
