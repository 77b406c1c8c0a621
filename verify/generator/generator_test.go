package generator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/generator"
)

const root = "../.."

func TestCheck(t *testing.T) {
	const header = "linux/userfaultfd.h"
	changed := t.TempDir()
	if err := os.CopyFS(changed, os.DirFS(filepath.Join(root, "headers"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(changed, header)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "#define UFFD_EVENT_FORK 0x13", "#define UFFD_EVENT_FORK 0x17", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, sysroot, want string }{
		{"finds no difference where there is none", "headers", ""},
		{"finds a constant that differs", changed, "+\tUFFD_EVENT_FORK = 0x17"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			diff, err := generator.Check(t.Context(), root, tt.sysroot, header, "amd64", "s390x")
			if err != nil || !strings.Contains(diff, tt.want) || tt.want == "" && diff != "" {
				t.Errorf("got %q, %v; want %q", diff, err, tt.want)
			}
		})
	}
	t.Run("fails where there is no header", func(t *testing.T) {
		if diff, err := generator.Check(t.Context(), root, t.TempDir(), header, "amd64"); err == nil {
			t.Errorf("got %q and no error", diff)
		}
	})
}
