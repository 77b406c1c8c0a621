package main

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"testing"
)

// compiles type-checks a file as the compiler for arm64 does.
func compiles(t *testing.T, src string) error {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "zuffd_linux_arm64.go", src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	config := types.Config{Sizes: types.SizesFor("gc", "arm64"), Importer: standard}
	_, err = config.Check("uffd", fset, []*ast.File{file}, nil)
	return err
}

// standard imports from the standard library's source, once for all tests.
var standard = importer.ForCompiler(token.NewFileSet(), "source", nil)
