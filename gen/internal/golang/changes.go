package golang

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"slices"
)

// Changes compares two generated files and returns a line for each
// declaration that was added, removed or changed: constants by their value,
// types by their fields, methods by their signature.
func Changes(old, new []byte) ([]string, error) {
	before, err := declarations(old)
	if err != nil {
		return nil, err
	}
	after, err := declarations(new)
	if err != nil {
		return nil, err
	}
	var lines []string
	for name, was := range before {
		is, ok := after[name]
		switch {
		case !ok:
			lines = append(lines, "removed "+name)
		case was != is && len(was)+len(is) < 60:
			lines = append(lines, fmt.Sprintf("changed %s: was %s, is %s", name, was, is))
		case was != is:
			lines = append(lines, "changed "+name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			lines = append(lines, "added "+name)
		}
	}
	slices.Sort(lines)
	return lines, nil
}

// Names returns the names that a generated file declares, sorted: methods with
// their type's.
func Names(src []byte) ([]string, error) {
	all, err := declarations(src)
	return slices.Sorted(maps.Keys(all)), err
}

// declarations returns the text of each declaration without comments, by
// name.
func declarations(src []byte) (map[string]string, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	text := func(n ast.Node) string {
		var b bytes.Buffer
		printer.Fprint(&b, fset, n)
		return b.String()
	}
	all := map[string]string{}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for i, name := range s.Names {
						if i < len(s.Values) {
							all[name.Name] = text(s.Values[i])
						}
					}
				case *ast.TypeSpec:
					all[s.Name.Name] = text(s.Type)
				}
			}
		case *ast.FuncDecl:
			if d.Recv != nil {
				all[text(d.Recv.List[0].Type)+"."+d.Name.Name] = text(d.Type)
			}
		}
	}
	return all, nil
}
