// Package bindings takes the Go bindings apart into facts: what a generated
// file has, as the Go compiler of its architecture sees it, and what a model of
// C's wants there to be. It shares nothing with the generator: names are derived
// from C's anew.
package bindings

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// Facts are what there is in Go, each by its name: "value of UFFDIO_POISON",
// "size of UffdioPoison", "offset of UffdioPoison.Mode", "type of
// UffdioPoison.Mode", "func (s *UffdMsg) Fork() *UffdMsgFork".
type Facts map[string]string

func (f Facts) field(name string, offset, size int64, typ string) {
	f["offset of "+name], f["size of "+name], f["type of "+name] = fmt.Sprint(offset), fmt.Sprint(size), typ
}

// Load reads a generated file for a GOARCH. It is type-checked as that
// architecture's compiler would, its assertions included. A file that Go would
// pass over there is an error.
func Load(path, goarch string) (Facts, error) {
	target := build.Default
	target.GOOS, target.GOARCH = "linux", goarch
	if match, err := target.MatchFile(filepath.Split(path)); !match {
		return nil, cmp.Or(err, fmt.Errorf("a constraint keeps the file from being built for linux/%s", goarch))
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	sizes := types.SizesFor("gc", goarch)
	config := types.Config{Sizes: sizes, Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := config.Check("uffd", fset, []*ast.File{file}, nil)
	if err != nil {
		return nil, err
	}
	f := Facts{}
	for _, name := range pkg.Scope().Names() {
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			f["value of "+name] = constant.ToInt(o.Val()).ExactString()
			if o.Type() != types.Typ[types.UntypedInt] {
				f["value of "+name] += " of type " + o.Type().String()
			}
		case *types.TypeName:
			if st, ok := o.Type().Underlying().(*types.Struct); ok && !o.IsAlias() {
				f.structure(name, st, sizes)
			} else {
				f["type "+name] = o.Type().Underlying().String()
			}
		case *types.Var:
			f["variable "+name] = o.Type().String()
		}
	}
	for _, d := range file.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && d.Name.Name != "_" { // which is an assertion
			d.Doc = nil
			var text strings.Builder
			printer.Fprint(&text, fset, d)
			signature, body, _ := strings.Cut(text.String(), " {\n")
			f[signature] = body
		}
	}
	return f, nil
}

func (f Facts) structure(name string, st *types.Struct, sizes types.Sizes) {
	vars := slices.Collect(st.Fields())
	f["size of "+name] = fmt.Sprint(sizes.Sizeof(st))
	for i, offset := range sizes.Offsetsof(vars) {
		if v := vars[i]; v.Name() != "_" {
			f.field(name+"."+v.Name(), offset, sizes.Sizeof(v.Type()), v.Type().String())
		}
	}
}
