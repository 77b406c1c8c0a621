package golang

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
)

// compiles returns what the type checker has against a source for the
// architecture that sizes are of.
func compiles(src []byte, pkg string, sizes types.Sizes) error {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, pkg+".go", src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	config := types.Config{Sizes: sizes, Importer: imports{}}
	_, err = config.Check(pkg, fset, []*ast.File{file}, nil)
	return err
}

// imports are the packages that the bindings import.
type imports struct{}

func (imports) Import(path string) (*types.Package, error) {
	switch path {
	case "unsafe":
		return types.Unsafe, nil
	case "structs":
		return structs, nil
	}
	return nil, fmt.Errorf("the bindings do not import %s", path)
}

// structs is package structs, as far as the bindings use it.
var structs = func() *types.Package {
	p := types.NewPackage("structs", "structs")
	name := types.NewTypeName(token.NoPos, p, "HostLayout", nil)
	types.NewNamed(name, types.NewStruct(nil, nil), nil)
	p.Scope().Insert(name)
	p.MarkComplete()
	return p
}()
