package main

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goAs runs the go command in a directory, with additions to the environment.
func goAs(t *testing.T, env []string, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// publish makes a module proxy that has the main module as v0.1.0, and returns
// the environment of somebody who asks it. All else comes from what this
// machine has fetched before, and nothing is left among that.
func publish(t *testing.T) []string {
	t.Helper()
	proxy := t.TempDir()
	version := filepath.Join(proxy, "github.com/zuffd/uffd/@v/v0.1.0")
	os.MkdirAll(filepath.Dir(version), 0o755)
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		version + ".mod":  string(mod),
		version + ".info": `{"Version":"v0.1.0"}`,
		filepath.Join(filepath.Dir(version), "list"): "v0.1.0\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := os.Create(version + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	z := zip.NewWriter(archive)
	err = filepath.WalkDir("..", func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if e.Name() == ".git" || err == nil && path != ".." {
				return filepath.SkipDir // what is no module's, or another's
			}
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		w, err := z.Create("github.com/zuffd/uffd@v0.1.0/" + strings.TrimPrefix(filepath.ToSlash(path), "../"))
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	})
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"GOPROXY=file://" + proxy + ",file://" + filepath.Join(goAs(t, nil, ".", "env", "GOMODCACHE"), "cache/download"),
		"GOMODCACHE=" + t.TempDir(), "GOBIN=" + t.TempDir(),
		"GOSUMDB=off", "GOWORK=off", "GOFLAGS=-modcacherw -trimpath",
	}
}

// TestImporters: whoever imports the bindings or the runtime is given what
// they and the generator need, and nothing that only judges them.
func TestImporters(t *testing.T) {
	env := publish(t)
	want := []string{ // by the main module; what these need in turn is theirs
		"github.com/aymanbagabas/go-udiff", "github.com/dave/jennifer", "golang.org/x/sys", "modernc.org/cc/v4",
		"github.com/remyoudompheng/bigfft", "modernc.org/mathutil", "modernc.org/opt", "modernc.org/sortutil", "modernc.org/strutil", "modernc.org/token",
		"github.com/zuffd/uffd", "importer", "go", "toolchain",
	}
	for _, imports := range []string{"github.com/zuffd/uffd", "github.com/zuffd/uffd/runtime"} {
		t.Run("of "+imports, func(t *testing.T) {
			dir := t.TempDir()
			os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module importer\n\ngo 1.26.0\n"), 0o644)
			os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nimport _ \""+imports+"\"\n\nfunc main() {}\n"), 0o644)
			goAs(t, env, dir, "get", imports+"@v0.1.0")
			goAs(t, env, dir, "build", "-o", os.DevNull)
			edges := strings.Fields(goAs(t, env, dir, "mod", "graph"))
			for _, module := range edges {
				if path, _, _ := strings.Cut(module, "@"); !slices.Contains(want, path) {
					t.Errorf("the graph of modules has %s", module)
				}
			}
			if !slices.Contains(edges, "github.com/zuffd/uffd@v0.1.0") {
				t.Errorf("not imported: %q", edges)
			}
		})
	}
	t.Run("install gen by its version", func(t *testing.T) {
		goAs(t, env, t.TempDir(), "install", "github.com/zuffd/uffd/gen@v0.1.0")
	})
}
