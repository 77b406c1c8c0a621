// Package bindings reads generated Go files back, as the Go compiler for their
// architecture sees them: the values of constants, the sizes of structs, and
// the offsets of fields. It shares nothing with the generator: names are
// derived from C's anew.
package bindings

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// A Package is a generated file, type-checked for one architecture.
type Package struct {
	arch  string
	sizes types.Sizes
	scope *types.Scope
}

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
	config := types.Config{Sizes: sizes, Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := config.Check("uffd", fset, []*ast.File{file}, nil)
	if err != nil {
		return nil, err
	}
	return &Package{goarch, sizes, pkg.Scope()}, nil
}

// Compare looks every symbol of a model up in the Go package and returns how
// many values were compared, and a line for each that is missing or differs.
func (p *Package) Compare(m *abi.Model) (compared int, wrong []string) {
	differs := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, c := range m.Constants {
		compared++
		o, ok := p.scope.Lookup(constantName(c.Name)).(*types.Const)
		if !ok {
			differs("the constant %s is missing", constantName(c.Name))
			continue
		}
		if v := constant.ToInt(o.Val()); v.ExactString() != c.Value.String() {
			differs("%s is %v in Go, %v in C", o.Name(), v, c.Value)
		}
	}
	unions := map[string]abi.Struct{}
	for _, s := range m.Structs {
		if s.Union {
			unions[s.Name] = s
		}
	}
	for _, s := range m.Structs {
		if s.Union && strings.Contains(s.Name, ".") {
			continue // storage in the struct that it is in
		}
		name := typeName(s.Name, unions)
		st, ok := p.structure(name)
		if !ok {
			compared++
			differs("the type %s is missing", name)
			continue
		}
		compared++
		if size := p.sizes.Sizeof(st); size != s.Size {
			differs("%s has %d bytes in Go, %d in C", name, size, s.Size)
		}
		offsets := p.sizes.Offsetsof(fields(st))
		for _, f := range s.Fields {
			compared += 2
			want := fieldName(f, unions)
			i := indexOf(st, want)
			if i < 0 {
				differs("the field %s.%s is missing", name, want)
				continue
			}
			if offsets[i] != f.Offset {
				differs("%s.%s is at offset %d in Go, %d in C", name, want, offsets[i], f.Offset)
			}
			if size := p.sizes.Sizeof(st.Field(i).Type()); size != f.Size {
				differs("%s.%s has %d bytes in Go, %d in C", name, want, size, f.Size)
			}
			compared++
			if got, wantType := st.Field(i).Type().String(), integerType(f.Type.Spelling); wantType != "" && got != wantType {
				differs("%s.%s is %s in Go, %s in C", name, want, got, f.Type.Spelling)
			}
		}
	}
	return compared, wrong
}

func (p *Package) structure(name string) (*types.Struct, bool) {
	o := p.scope.Lookup(name)
	if o == nil {
		return nil, false
	}
	st, ok := o.Type().Underlying().(*types.Struct)
	return st, ok
}

func fields(st *types.Struct) []*types.Var {
	var all []*types.Var
	for i := range st.NumFields() {
		all = append(all, st.Field(i))
	}
	return all
}

func indexOf(st *types.Struct, name string) int {
	for i := range st.NumFields() {
		if st.Field(i).Name() == name {
			return i
		}
	}
	return -1
}

func constantName(c string) string {
	if strings.HasPrefix(c, "_") {
		return "X" + c
	}
	return c
}

// typeName returns the Go name of a struct: words joined in camel case,
// without those of unions that are no types of their own.
func typeName(c string, unions map[string]abi.Struct) string {
	var b strings.Builder
	parts := strings.Split(c, ".")
	for i, part := range parts {
		if _, union := unions[strings.Join(parts[:i+1], ".")]; union && i > 0 {
			continue
		}
		for _, word := range strings.Split(part, "_") {
			b.WriteString(capital(word))
		}
	}
	return b.String()
}

// fieldName returns the Go name of a field; a union of one member is named as
// that member.
func fieldName(f abi.Field, unions map[string]abi.Struct) string {
	name := f.Name
	if u, ok := unions[strings.TrimPrefix(f.Type.Spelling, "union ")]; ok && len(u.Fields) == 1 {
		name = u.Fields[0].Name
	}
	return capital(name)
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// integerType returns the Go type of a fixed-width C type, or "".
func integerType(c string) string {
	switch c {
	case "__u8", "__u16", "__u32", "__u64":
		return "uint" + c[3:]
	case "__s8", "__s16", "__s32", "__s64":
		return "int" + c[3:]
	}
	return ""
}
