package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zuffd/uffd/verify/kernels"
)

// TestGuest runs guests whose qemu is a shell: a guest that hangs, is silent,
// or ends early is told from one that did its work.
func TestGuest(t *testing.T) {
	whole := strings.Join(session(), "\n")
	const long = time.Minute
	for name, c := range map[string]struct {
		script         string
		boot, deadline time.Duration
		want           error
	}{
		"does its work":           {`printf '%s\n' "$0"`, long, long, nil},
		"does not power off":      {`printf '%s\n' "$0"; exec sleep 60`, long, long, nil},
		"ends before it has done": {`printf '%s\n' "$0" | head -3`, long, long, errEarly},
		"hangs":                   {`printf '%s\n' "$0" | head -3; exec sleep 60`, long, 5 * time.Second, errDeadline},
		"is silent":               {`echo Booting; exec sleep 60`, time.Second, long, errSilent},
		"panics before init":      {`echo Kernel panic; exit 0`, long, long, errSilent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := guest{command: []string{"sh", "-c", c.script, whole}, boot: c.boot, deadline: c.deadline}
			tr, err := g.run(t.Context())
			if err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if tr == nil || c.boot == long && len(tr.tail) == 0 {
				t.Errorf("no transcript of it")
			}
		})
	}
	t.Run("cannot be run", func(t *testing.T) {
		if _, err := (guest{command: []string{"/no/such/qemu"}}).run(t.Context()); err == nil {
			t.Error("no error")
		}
	})
	for name, script := range map[string]string{
		"writes a line without end": "tr '\\0' x </dev/zero",
		"writes lines without end":  "yes $(printf %01000d 0)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := guest{command: []string{"sh", "-c", script}, boot: long, deadline: long}
			if _, err := g.run(t.Context()); err != errFlood {
				t.Errorf("got %v, want %v", err, errFlood)
			}
		})
	}
}

func TestBuildWantsEveryPackage(t *testing.T) {
	module := t.TempDir()
	if err := os.WriteFile(filepath.Join(module, "go.mod"), []byte("module m\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &builder{module: module, dir: t.TempDir()}
	if _, err := b.initramfs(t.Context(), "amd64"); err == nil || !strings.Contains(err.Error(), packages[0]) {
		t.Errorf("got %v, want an error with %s", err, packages[0])
	}
}

// TestBoot boots the newest kernel and runs tests of this module in it.
func TestBoot(t *testing.T) {
	if os.Getenv("UFFD_VM_TEST") == "" {
		t.Skip("boots a virtual machine; set UFFD_VM_TEST=1, or run make vm")
	}
	if _, err := exec.LookPath(machineOf(kernels.Kernel{Arch: "amd64"}).Qemu); err != nil {
		t.Skip(err)
	}
	var out, progress strings.Builder
	o := &options{kernels: "amd64/newest", module: "../..", jobs: 1, timeout: time.Minute, run: "Poison"}
	err := o.main(t.Context(), &out, &progress)
	if err != nil {
		t.Errorf("%v\n%s%s", err, progress.String(), out.String())
	}
	contains(t, out.String(), "amd64/newest", "7.3.", "4 KiB", "kernels: 1, of which 0")
}
