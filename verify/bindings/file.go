package bindings

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"sync"
)

// Load reads a generated file for a GOARCH. It is type-checked as that
// architecture's compiler would, its assertions included.
func Load(path, goarch string) (*Package, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	sizes := types.SizesFor("gc", goarch)
	if sizes == nil {
		return nil, fmt.Errorf("no Go architecture %q", goarch)
	}
	standard.Lock()
	defer standard.Unlock()
	config := types.Config{Sizes: sizes, Importer: standard.importer}
	pkg, err := config.Check("uffd", fset, []*ast.File{file}, nil)
	if err != nil {
		return nil, err
	}
	p := &Package{constants: map[string]string{}, structs: map[string]layout{}}
	for _, name := range pkg.Scope().Names() {
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			p.constants[name] = constant.ToInt(o.Val()).ExactString()
		case *types.TypeName:
			if st, ok := o.Type().Underlying().(*types.Struct); ok {
				p.structs[name] = layoutOf(st, sizes)
			}
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
