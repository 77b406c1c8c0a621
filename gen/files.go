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
	notes   []golang.Note
}

func (f *file) changed() bool { return f.missing || !bytes.Equal(f.old, f.new) }

// render prints each architecture's models into its file, the architectures
// beside each other.
func (o *options) render(models []*abi.Model) ([]*file, error) {
	files := make([]*file, len(o.arches))
	err := each(len(files), func(i int) (err error) {
		files[i], err = o.renderArch(models, o.arches[i])
		return err
	})
	return files, err
}

func (o *options) renderArch(models []*abi.Model, arch string) (*file, error) {
	var mine []*abi.Model
	for _, m := range models {
		if m.Arch == arch {
			mine = append(mine, m)
		}
	}
	m := mine[0]
	if len(mine) > 1 {
		var err error
		if m, err = abi.Merge(mine); err != nil {
			return nil, err
		}
	}
	src, notes, err := golang.Render(m, o.pkg)
	if err != nil {
		return nil, err
	}
	f := &file{path: filepath.Join(o.dir, fmt.Sprintf("z%s_linux_%s.go", o.name, arch)), new: src, model: m, notes: notes}
	f.old, err = os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.missing = true
	} else if err != nil {
		return nil, err
	}
	return f, nil
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
