package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
)

func TestEnsureCompilers(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "apt-get"), []byte("#!/bin/sh\necho are you root?; exit 100\n"), 0o755); err != nil {
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
}

func TestUnaskedKernels(t *testing.T) {
	said := strings.Join(unaskedKernels(&debian.Cache{Dir: t.TempDir()}), "\n")
	for _, k := range kernels.Debian {
		if !strings.Contains(said, " "+k.Name()) {
			t.Errorf("%s is not named in %q", k.Name(), said)
		}
	}
	if !strings.Contains(said, "make vm") {
		t.Errorf("how to have them asked is not in %q", said)
	}
}
