package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstallFails: what cannot be installed is told of, and the oracles are
// asked all the same.
func TestInstallFails(t *testing.T) {
	bin := t.TempDir()
	for name, says := range map[string]string{"apt-get": "are you root?", "go": "here comes the generator"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho '"+says+"' >&2; exit 100\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	for _, install := range []bool{true, false} {
		var out strings.Builder
		err := run(t.Context(), &out, install)
		if err == nil || !strings.Contains(err.Error(), "here comes the generator") {
			t.Errorf("got %v", err)
		}
		if strings.Contains(out.String(), "are you root?") != install {
			t.Errorf("install %v: %q", install, out.String())
		}
	}
}
