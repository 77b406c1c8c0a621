package scratch

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// TestMain makes a directory, says where, and waits to be killed, if it is
// asked to.
func TestMain(m *testing.M) {
	if parent := os.Getenv("SCRATCH_TEST_PARENT"); parent != "" {
		dir, _, err := Dir(parent, "a-")
		if err != nil {
			panic(err)
		}
		os.WriteFile(filepath.Join(dir, "file"), nil, 0o644)
		os.Stdout.WriteString(dir)
		os.Stdout.Close()
		os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// other starts a process that makes a directory, and returns both.
func other(t *testing.T, parent string) (dir string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SCRATCH_TEST_PARENT="+parent)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe() // its end ends the process, should the test fail
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait(); stdin.Close() })
	t.Cleanup(kill)
	name := make([]byte, 4096)
	n, err := out.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(name[:n]), kill
}

func is(t *testing.T, path string, want bool) {
	t.Helper()
	if _, err := os.Lstat(path); (err == nil) != want {
		t.Errorf("%s: %v, want it to be there: %v", path, err, want)
	}
}

func TestDir(t *testing.T) {
	parent := t.TempDir()
	elsewhere := t.TempDir()
	for _, name := range []string{"b-other", "a-lost"} {
		if err := os.Mkdir(filepath.Join(parent, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(parent, "a-file"), nil, 0o644)
	os.Symlink(elsewhere, filepath.Join(parent, "a-link"))
	theirs, kill := other(t, parent)
	mine, remove, err := Dir(parent, "a-")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("leaves alone what is another's", func(t *testing.T) {
		is(t, filepath.Join(theirs, "file"), true)
		for _, name := range []string{"b-other", "a-file", "a-link"} {
			is(t, filepath.Join(parent, name), true)
		}
		is(t, elsewhere, true)
	})
	t.Run("removes what nobody holds", func(t *testing.T) {
		is(t, filepath.Join(parent, "a-lost"), false)
	})
	kill()
	_, remove2, err := Dir(parent, "a-")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("removes what a killed process left, and not its own", func(t *testing.T) {
		is(t, theirs, false)
		is(t, mine, true)
	})
	remove()
	remove2()
	t.Run("leaves nothing", func(t *testing.T) {
		if left, _ := filepath.Glob(filepath.Join(parent, "a-*")); len(left) != 2 {
			t.Errorf("left %q", left)
		}
	})
	t.Run("gives each of many its own", func(t *testing.T) {
		parent := t.TempDir()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 50 {
					dir, remove, err := Dir(parent, "a-")
					if err != nil {
						t.Error(err)
						return
					}
					if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
						t.Error(err)
					}
					remove()
				}
			})
		}
		wg.Wait()
	})
	t.Run("refuses a parent that is not there", func(t *testing.T) {
		if dir, _, err := Dir(filepath.Join(parent, "no"), "a-"); err == nil {
			t.Errorf("made %s", dir)
		}
	})
}
