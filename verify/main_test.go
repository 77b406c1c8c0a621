package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/cc"
)

func TestEnsureCompilers(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "apt-get"), []byte("#!/bin/sh\necho are you root? >&2; exit 100\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	t.Run("says what it could not install, and goes on", func(t *testing.T) {
		var out strings.Builder
		missing := ensureCompilers(t.Context(), &out, true)
		if len(missing) != len(cc.Compilers) || !strings.Contains(out.String(), "are you root?") {
			t.Errorf("%d are missing, output %q", len(missing), out.String())
		}
	})
	t.Run("installs nothing that it was not told to", func(t *testing.T) {
		var out strings.Builder
		if ensureCompilers(t.Context(), &out, false); out.Len() > 0 {
			t.Errorf("output %q", out.String())
		}
	})
	t.Run("says what to do where there is no apt", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if got := installAdvice([]string{"gcc"}); strings.Contains(got, "apt-get") || !strings.Contains(got, "gcc") {
			t.Errorf("the advice: %s", got)
		}
	})
}
