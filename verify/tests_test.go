package main

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestRuns: only the kernel's own word is an answer, never a failure.
func TestRuns(t *testing.T) {
	file := func(content string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		program string
		want    bool
		fails   bool
	}{
		"a program that runs":                {"#!/bin/sh\n", true, false},
		"a program that the kernel refuses":  {"\x7fELF of nowhere", false, false},
		"a program that fails is no answer":  {"#!/bin/sh\nexit 1\n", false, true},
		"nor is one without its interpreter": {"#!/no/such/sh\n", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := starts(t.Context(), file(c.program))
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	t.Run("a package that cannot be compiled is no answer", func(t *testing.T) {
		if got, err := runs(t.Context(), runtime.GOARCH, "./no/such/package"); err == nil {
			t.Errorf("got %v", got)
		}
	})
}
