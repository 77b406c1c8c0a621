package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cavaliergopher/cpio"
)

// packages are those whose tests are run in guests, relative to the module's
// root.
var packages = []string{"./runtime", "./runtime/memory", "./runtime/pagemap", "./runtime/probe", "./verify/live", "./verify/btf"}

// initPackage is the guest's init.
const initPackage = "github.com/zuffd/uffd/verify/vm/init"

// A job is what a guest is to do; init reads it.
type job struct {
	Tests   []jobTest
	Args    []string
	Timeout time.Duration
}

type jobTest struct{ Package, Binary string }

// A builder builds one initramfs an architecture.
type builder struct {
	module string // the directory of the module whose tests are built
	dir    string // where everything is built
	job    job    // but for Tests

	mu   sync.Mutex
	done map[string]func() (string, error)
}

// initramfs returns the file of an architecture's initramfs.
func (b *builder) initramfs(ctx context.Context, arch string) (string, error) {
	b.mu.Lock()
	if b.done == nil {
		b.done = make(map[string]func() (string, error))
	}
	if b.done[arch] == nil {
		b.done[arch] = sync.OnceValues(func() (string, error) { return b.build(ctx, arch) })
	}
	build := b.done[arch]
	b.mu.Unlock()
	return build()
}

func (b *builder) build(ctx context.Context, arch string) (string, error) {
	dir := filepath.Join(b.dir, arch)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	files := map[string]string{"init": filepath.Join(dir, "init")}
	if err := b.goCommand(ctx, ".", arch, "build", "-trimpath", "-ldflags=-s -w", "-o", files["init"], initPackage); err != nil {
		return "", err
	}
	j := b.job
	for _, p := range packages {
		binary := strings.ReplaceAll(strings.TrimPrefix(p, "./"), "/", "-") + ".test"
		files[binary] = filepath.Join(dir, binary)
		if err := b.goCommand(ctx, b.module, arch, "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", files[binary], p); err != nil {
			return "", err
		}
		j.Tests = append(j.Tests, jobTest{p, "/" + binary})
	}
	content, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	files["job.json"] = filepath.Join(dir, "job.json")
	if err := os.WriteFile(files["job.json"], content, 0o644); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "initramfs")
	return out, writeCPIO(out, files)
}

// goCommand runs the go command for an architecture of guests.
func (b *builder) goCommand(ctx context.Context, module, arch string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("GOARCH=%s go %s: %w\n%s", arch, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// writeCPIO writes an archive of files, by their names in it.
func writeCPIO(name string, files map[string]string) (err error) {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	w := cpio.NewWriter(out)
	for name, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		h := &cpio.Header{Name: path.Base(name), Mode: cpio.TypeReg | 0o755, Size: int64(len(content))}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(content); err != nil {
			return err
		}
	}
	return w.Close()
}
