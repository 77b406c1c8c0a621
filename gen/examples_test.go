package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestExamples generates the bindings of each example from this machine's own
// headers, and runs it where the machine has the device.
func TestExamples(t *testing.T) {
	for _, tt := range []struct{ name, header, device, want string }{
		{"kvm", "linux/kvm.h", "/dev/kvm", "KVM version 12\n"},
		{"fuse", "linux/fuse.h", "/dev/fuse", "FUSE version 7\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const include = "/usr/include"
			if _, err := os.Stat(filepath.Join(include, tt.header)); err != nil {
				t.Skipf("no kernel headers: %v", err)
			}
			src, err := os.ReadFile("testdata/examples/" + tt.name + ".go")
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for name, text := range map[string]string{"main.go": string(src), "go.mod": "module example\n\ngo 1.26.0\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := gen(t, "-sysroot", include, "-arch", runtime.GOARCH, "-pkg", "main", "-name", tt.name, "-o", dir, tt.header); err != nil {
				t.Fatal(err)
			}
			run := func(args ...string) (string, error) {
				cmd := exec.CommandContext(t.Context(), "go", args...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
				out, err := cmd.CombinedOutput()
				return string(out), err
			}
			if out, err := run("vet", "."); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			device, err := os.OpenFile(tt.device, os.O_RDWR, 0)
			if err != nil {
				t.Skipf("compiled, and not run: %v", err)
			}
			device.Close()
			out, err := run("run", ".")
			if err != nil && strings.Contains(out, "operation not permitted") {
				t.Skipf("compiled, and not run: %s", out)
			}
			if err != nil || out != tt.want {
				t.Errorf("got %v and %q, want %q", err, out, tt.want)
			}
		})
	}
}
