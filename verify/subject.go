package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"

	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/since"
)

// sources are the generated files: the header that they come from, and their
// stem.
var sources = []struct{ header, stem string }{
	{"linux/userfaultfd.h", "zuffd"},
	{"linux/fs.h", "zpagemap"},
}

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
	for _, source := range sources {
		if s.symbols[source.header], err = since.Documented(headers.FS, source.header); err != nil {
			return nil, err
		}
		if err := s.generate(ctx, source.header, arches); err != nil {
			return nil, err
		}
		for _, arch := range arches {
			f := &goFile{path: fmt.Sprintf("%s_linux_%s.go", source.stem, arch)}
			f.pkg, f.err = bindings.Load(f.path, arch)
			s.files[arch][source.header] = f
		}
	}
	return s, nil
}

// generate runs the generator for what it claims of a header.
func (s *subject) generate(ctx context.Context, header string, arches []string) error {
	cmd := exec.CommandContext(ctx, "go", "run", "./gen", "-json", "-arch", strings.Join(arches, ","), header)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go run ./gen -json: %w\n%s", err, stderr.Bytes())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		m := new(abi.Model)
		if err := d.Decode(m); err != nil {
			return fmt.Errorf("the generator's JSON: %w", err)
		}
		s.models[m.Arch][header] = m
	}
	return nil
}
