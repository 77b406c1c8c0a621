package live

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFor386 runs these tests as a program for 386, which a kernel for amd64
// can run, unless it was built or booted not to.
func TestFor386(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || runtime.GOARCH != "amd64" {
		t.Skip("is done by go test on amd64")
	}
	program := filepath.Join(t.TempDir(), "test")
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program).CombinedOutput()
	if errors.Is(err, unix.ENOEXEC) {
		t.Skip("this kernel runs no programs for 386")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
