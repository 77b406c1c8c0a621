package replace

import (
	"os"
	"path/filepath"
	"testing"
)

func TestARenameThatFailsPutsTheEarlierFilesBack(t *testing.T) {
	dir := t.TempDir()
	fresh, one, two := filepath.Join(dir, "fresh"), filepath.Join(dir, "one"), filepath.Join(dir, "two")
	if err := os.WriteFile(one, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := []old{{File{fresh, nil}, true}, {File{one, []byte("old")}, false}}
	for _, f := range before {
		if err := os.WriteFile(f.Path, []byte("new"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := restore(before); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(one); string(b) != "old" {
		t.Errorf("the file holds %q", b)
	}
	if _, err := os.Stat(fresh); err == nil {
		t.Error("a file that was not there is")
	}
	// A directory in the place of the last file: nothing is changed at all.
	if err := os.MkdirAll(filepath.Join(two, "occupied"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := All([]File{{fresh, []byte("new")}, {one, []byte("new")}, {two, []byte("new")}}); err == nil {
		t.Error("no error")
	}
	if b, _ := os.ReadFile(one); string(b) != "old" {
		t.Errorf("the file holds %q", b)
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("files were left: %v", left)
	}
}
