package main

import (
	"context"

	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/generator"
	"github.com/zuffd/uffd/verify/since"
)

// A subject is what is verified.
type subject struct {
	edition since.Release                    // of headers/
	models  map[string]map[string]*abi.Model // what the generator claims, by GOARCH and header
	files   map[string]map[string]*goFile    // by GOARCH and header
	symbols map[string]since.Symbols         // by header
}

// A goFile is a generated file, or why it could not be read.
type goFile struct {
	path string
	pkg  *bindings.Package
	err  error
}

func newSubject(ctx context.Context) (*subject, error) {
	s := &subject{models: map[string]map[string]*abi.Model{}, files: map[string]map[string]*goFile{}, symbols: map[string]since.Symbols{}}
	var err error
	if s.edition, err = since.Edition(headers.FS); err != nil {
		return nil, err
	}
	var arches []string
	for _, c := range cc.Compilers {
		arches = append(arches, c.Arch)
		s.models[c.Arch], s.files[c.Arch] = map[string]*abi.Model{}, map[string]*goFile{}
	}
	for _, source := range bindings.Sources {
		if s.symbols[source.Header], err = since.Documented(headers.FS, source.Header); err != nil {
			return nil, err
		}
		models, err := generator.Models(ctx, ".", "headers", source.Header, arches...)
		if err != nil {
			return nil, err
		}
		for _, arch := range arches {
			s.models[arch][source.Header] = models[arch]
			f := &goFile{path: source.File(arch)}
			f.pkg, f.err = bindings.Load(f.path, arch)
			s.files[arch][source.Header] = f
		}
	}
	return s, nil
}
