package uffd_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestREADME runs the program that the README asks its reader to paste.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, program, begins := strings.Cut(string(text), "\n```go\n")
	program, _, ends := strings.Cut(program, "\n```\n")
	if !begins || !ends {
		t.Fatal("README.md has no program")
	}
	path := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(path, []byte(program+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "readme")
	if out, err := exec.Command("go", "build", "-o", binary, path).CombinedOutput(); err != nil {
		t.Fatalf("it does not build: %v\n%s", err, out)
	}
	if formatted, err := exec.Command("gofmt", path).Output(); err == nil && string(formatted) != program+"\n" {
		t.Errorf("gofmt would change it to\n%s", formatted)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		for _, refused := range []string{"userfaultfd: operation not permitted", "function not implemented"} {
			if strings.Contains(string(out), refused) {
				t.Skipf("no userfaultfd here: %s", out)
			}
		}
	}
	if want := "page 0, on demand\npage 1, on demand\npage 2, on demand\npage 3, on demand\n"; err != nil || string(out) != want {
		t.Errorf("got %v and\n%s\nwant\n%s", err, out, want)
	}
}
