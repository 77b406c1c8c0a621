// Package replace writes files all together or not at all.
package replace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A File is what is to be in a file.
type File struct {
	Path    string
	Content []byte
}

// All replaces the content of files, and makes those that are not there. On an
// error every file is as it was.
func All(files []File) (err error) {
	var staged []string
	defer func() {
		for _, tmp := range staged {
			os.Remove(tmp) // those that were not renamed
		}
	}()
	var before []old
	for _, f := range files {
		was, err := read(f.Path)
		var tmp string
		if err == nil {
			before = append(before, was)
			tmp, err = stage(f)
		}
		if tmp != "" {
			staged = append(staged, tmp)
		}
		if err != nil {
			return fmt.Errorf("%s cannot be written: %w; no file was changed", f.Path, err)
		}
	}
	for i, f := range files {
		if err := os.Rename(staged[i], f.Path); err != nil {
			undoErr := restore(before[:i])
			return errors.Join(fmt.Errorf("%s cannot be replaced: %w", f.Path, err), undoErr)
		}
	}
	return nil
}

// old is what was in a file.
type old struct {
	File
	missing bool // there was none
}

func read(path string) (old, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return old{File{Path: path}, true}, nil
	}
	return old{File{path, content}, false}, err
}

// stage writes a file's new content beside it.
func stage(f File) (tmp string, err error) {
	t, err := os.CreateTemp(filepath.Dir(f.Path), ".gen-*")
	if err != nil {
		return "", err
	}
	_, err = t.Write(f.Content)
	if err == nil {
		err = t.Chmod(0o644)
	}
	if err == nil {
		err = t.Sync()
	}
	if closeErr := t.Close(); err == nil {
		err = closeErr
	}
	return t.Name(), err
}

// restore puts the old files back.
func restore(files []old) error {
	var errs []error
	for _, f := range files {
		if f.missing {
			errs = append(errs, os.Remove(f.Path))
		} else {
			errs = append(errs, os.WriteFile(f.Path, f.Content, 0o644))
		}
	}
	return errors.Join(errs...)
}
