package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMakeInstalls what is missing if it is told to, and not otherwise.
func TestMakeInstalls(t *testing.T) {
	for _, target := range []string{"verify", "vm", "results"} {
		for _, install := range []string{"", "0", "1"} {
			cmd := exec.Command("make", "-n", "-C", "..", target, "INSTALL="+install)
			cmd.Env = append(os.Environ(), "MAKEFLAGS=", "KERNELS=", "CI=true")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Skipf("make: %v\n%s", err, out)
			}
			if strings.Contains(string(out), "-install") != (install == "1") {
				t.Errorf("make %s INSTALL=%s: %s", target, install, out)
			}
		}
	}
}
