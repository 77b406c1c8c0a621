package bindings

import (
	"bytes"
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
	"sync"
)

// Load reads a generated file for a GOARCH. It is type-checked as that
// architecture's compiler would, its assertions included. A file that Go would
// pass over there is an error.
func Load(path, goarch string) (*Package, error) {
	sizes := types.SizesFor("gc", goarch)
	if sizes == nil {
		return nil, fmt.Errorf("no Go architecture %q", goarch)
	}
	target := build.Default
	target.GOOS, target.GOARCH = "linux", goarch
	if match, err := target.MatchFile(filepath.Split(path)); err != nil {
		return nil, err
	} else if !match {
		return nil, fmt.Errorf("a constraint keeps the file from being built for linux/%s", goarch)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	standard.Lock()
	defer standard.Unlock()
	config := types.Config{Sizes: sizes, Importer: standard.importer}
	pkg, err := config.Check("uffd", fset, []*ast.File{file}, nil)
	if err != nil {
		return nil, err
	}
	p := &Package{constants: map[string]string{}, structs: map[string]layout{}, others: map[string]string{}}
	for _, name := range pkg.Scope().Names() {
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			p.constants[name] = constantOf(o)
		case *types.TypeName:
			if st, ok := o.Type().Underlying().(*types.Struct); ok && !o.IsAlias() {
				p.structs[name] = layoutOf(st, sizes)
			} else {
				p.others[name] = "type"
			}
		case *types.Var:
			p.others[name] = "variable"
		}
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name != "_" { // which is an assertion
			p.function(fset, f)
		}
	}
	return p, nil
}

// standard imports from the standard library's source, once for all files:
// what they import is the same on every architecture.
var standard = struct {
	sync.Mutex
	importer types.Importer
}{importer: importer.ForCompiler(token.NewFileSet(), "source", nil)}

// constantOf returns a constant's value, and its type unless it is untyped.
func constantOf(c *types.Const) string {
	value := constant.ToInt(c.Val()).ExactString()
	if c.Type() != types.Typ[types.UntypedInt] {
		return fmt.Sprintf("%v(%s)", c.Type(), value)
	}
	return value
}

func layoutOf(st *types.Struct, sizes types.Sizes) layout {
	var vars []*types.Var
	for i := range st.NumFields() {
		vars = append(vars, st.Field(i))
	}
	l := layout{size: sizes.Sizeof(st), fields: map[string]field{}}
	for i, offset := range sizes.Offsetsof(vars) {
		if t := vars[i].Type(); vars[i].Name() != "_" {
			l.fields[vars[i].Name()] = field{offset, sizes.Sizeof(t), t.String()}
		}
	}
	return l
}

// function records a function as it stands.
func (p *Package) function(fset *token.FileSet, f *ast.FuncDecl) {
	name := f.Name.Name
	if f.Recv != nil {
		if pointer, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
			name = fmt.Sprintf("%v.%s", pointer.X, name)
		}
	}
	f.Doc = nil
	var text bytes.Buffer
	printer.Fprint(&text, fset, f)
	p.others[name] = text.String()
}
