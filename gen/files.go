package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zuffd/uffd/gen/internal/golang"
	"github.com/zuffd/uffd/gen/internal/replace"
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
func writeFiles(files []*file) error {
	var changed []replace.File
	for _, f := range files {
		if f.changed() {
			changed = append(changed, replace.File{Path: f.path, Content: f.new})
		}
	}
	return replace.All(changed)
}
