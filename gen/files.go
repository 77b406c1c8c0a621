package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zuffd/uffd/gen/internal/golang"
	"github.com/zuffd/uffd/internal/abi"
)

// A file is a generated file: what is on disk and what is to be.
type file struct {
	path    string
	old     []byte
	missing bool // there is none on disk
	new     []byte
	model   *abi.Model
}

func (f *file) changed() bool { return f.missing || !bytes.Equal(f.old, f.new) }

// render prints each architecture's models into its file.
func (o *options) render(models []*abi.Model) ([]*file, error) {
	if len(o.headers) > 1 {
		models = mergeHeaders(models)
	}
	var files []*file
	for _, m := range models {
		src, err := golang.Render(m, o.pkg)
		if err != nil {
			return nil, err
		}
		f := &file{path: filepath.Join(o.dir, fmt.Sprintf("z%s_linux_%s.go", o.name, m.Arch)), new: src, model: m}
		f.old, err = os.ReadFile(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			f.missing = true
		} else if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// mergeHeaders makes one model of those of several headers, for each
// architecture. What one header has from another is there once.
func mergeHeaders(models []*abi.Model) []*abi.Model {
	var merged []*abi.Model
	byArch := map[string]*abi.Model{}
	for _, m := range models {
		all := byArch[m.Arch]
		if all == nil {
			copied := *m
			byArch[m.Arch] = &copied
			merged = append(merged, &copied)
			continue
		}
		all.Header += " " + m.Header
		all.Constants = append(all.Constants, m.Constants...)
		all.Ioctls = append(all.Ioctls, m.Ioctls...)
		all.Omitted = append(all.Omitted, m.Omitted...)
		have := map[string]bool{}
		for _, s := range all.Structs {
			have[s.Name] = true
		}
		for _, s := range m.Structs {
			if !have[s.Name] {
				all.Structs = append(all.Structs, s)
			}
		}
	}
	return merged
}

// writeFiles replaces the files that changed, all of them or none.
func writeFiles(files []*file) (err error) {
	var staged []string
	defer func() {
		for _, tmp := range staged {
			os.Remove(tmp) // those that were not renamed
		}
	}()
	var todo []*file
	for _, f := range files {
		if !f.changed() {
			continue
		}
		tmp, err := stage(f.path, f.new)
		if tmp != "" {
			staged = append(staged, tmp)
		}
		if err != nil {
			return fmt.Errorf("%s cannot be written: %w; no file was changed", f.path, err)
		}
		todo = append(todo, f)
	}
	for i, f := range todo {
		if err := os.Rename(staged[i], f.path); err != nil {
			undoErr := restore(todo[:i])
			return errors.Join(fmt.Errorf("%s cannot be replaced: %w", f.path, err), undoErr)
		}
	}
	return nil
}

// stage writes a file's new content beside it.
func stage(path string, content []byte) (tmp string, err error) {
	t, err := os.CreateTemp(filepath.Dir(path), ".gen-*")
	if err != nil {
		return "", err
	}
	_, err = t.Write(content)
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
func restore(files []*file) error {
	var errs []error
	for _, f := range files {
		if f.missing {
			errs = append(errs, os.Remove(f.path))
		} else {
			errs = append(errs, os.WriteFile(f.path, f.old, 0o644))
		}
	}
	return errors.Join(errs...)
}
