// Package bindings reads the Go bindings back: from a generated file, as the Go
// compiler of its architecture sees it, or from the running program. It shares
// nothing with the generator: names are derived from C's anew.
package bindings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// A Package is what Go has, by Go name; of a field or a method, "UffdMsg.Arg".
// Only a file has anything but structs.
type Package struct {
	constants map[string]string // values in decimal; of a typed one with its type
	structs   map[string]layout
	others    map[string]string // the text of methods and functions; "type" or "variable"
}

type layout struct {
	size   int64
	fields map[string]field
}

type field struct {
	offset, size int64
	typ          string // "uint64", "uffd.UffdioRange"
}

// Structs returns the names of the structs.
func (p *Package) Structs() []string { return slices.Sorted(maps.Keys(p.structs)) }

// Compare holds the Go package against a model that an oracle made: every
// symbol of the model must be in Go, and have the same value, size, offset and
// type. If the model is whole, nothing else may be in Go. It returns how many
// values were compared, and a line for each that is missing or differs.
func (p *Package) Compare(m *abi.Model, whole bool) (compared int, wrong []string) {
	c := &comparison{p: p, m: m, unions: map[string]abi.Struct{}, seen: map[string]bool{}}
	c.run()
	if !whole {
		return c.compared, c.wrong
	}
	names := slices.Concat(slices.Collect(maps.Keys(p.constants)), p.Structs(), slices.Collect(maps.Keys(p.others)))
	for tag, s := range p.structs {
		for name := range s.fields {
			names = append(names, tag+"."+name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if !c.seen[name] {
			c.differs("%s is in Go and not in %s", name, m.Header)
		}
	}
	return c.compared, c.wrong
}

type comparison struct {
	p        *Package
	m        *abi.Model
	unions   map[string]abi.Struct
	seen     map[string]bool // Go names that the model has
	compared int
	wrong    []string
}

func (c *comparison) differs(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *comparison) run() {
	for _, k := range c.m.Constants {
		name := constantName(k.Name)
		c.seen[name] = true
		c.compared++
		v, ok := c.p.constants[name]
		if !ok {
			c.differs("the constant %s is missing", name)
		} else if v != k.Value.String() {
			c.differs("%s is %s in Go, %v in C", name, v, k.Value)
		}
	}
	for _, s := range c.m.Structs {
		if s.Union {
			c.unions[s.Name] = s
		}
	}
	for _, s := range c.m.Structs {
		if !s.Union || !strings.Contains(s.Name, ".") { // else storage in the struct that it is in
			c.structure(s)
		}
	}
}

func (c *comparison) structure(s abi.Struct) {
	name := typeName(s.Name, c.unions)
	c.seen[name] = true
	c.compared++
	st, ok := c.p.structs[name]
	if !ok {
		c.differs("the type %s is missing", name)
		return
	}
	if st.size != s.Size {
		c.differs("%s has %d bytes in Go, %d in C", name, st.size, s.Size)
	}
	for _, f := range s.Fields {
		c.compared += 2
		want := fieldName(f, c.unions)
		c.seen[name+"."+want] = true
		g, ok := st.fields[want]
		if !ok {
			c.differs("the field %s.%s is missing", name, want)
			continue
		}
		if g.offset != f.Offset {
			c.differs("%s.%s is at offset %d in Go, %d in C", name, want, g.offset, f.Offset)
		}
		if g.size != f.Size {
			c.differs("%s.%s has %d bytes in Go, %d in C", name, want, g.size, f.Size)
		}
		if typ := integerType(c.unwrap(f.Type.Spelling)); typ != "" {
			c.compared++
			if g.typ != typ {
				c.differs("%s.%s is %s in Go, %s in C", name, want, g.typ, f.Type.Spelling)
			}
		}
		if u, ok := c.unions[strings.TrimPrefix(f.Type.Spelling, "union ")]; ok && len(u.Fields) > 1 && c.p.others != nil {
			c.accessors(name, want, u)
		}
	}
}

// accessors wants a method for each member of a union, which returns a pointer
// to the storage as that member.
func (c *comparison) accessors(goType, storage string, u abi.Struct) {
	for _, f := range u.Fields {
		c.compared++
		typ := integerType(f.Type.Spelling)
		if tag, ok := strings.CutPrefix(f.Type.Spelling, "struct "); ok {
			typ = typeName(tag, c.unions)
		}
		method := capital(f.Name)
		want := fmt.Sprintf("func (s *%s) %s() *%s {\n\treturn (*%[3]s)(unsafe.Pointer(&s.%s))\n}", goType, method, typ, storage)
		name := goType + "." + method
		c.seen[name] = true
		if got, ok := c.p.others[name]; !ok {
			c.differs("the method %s is missing", name)
		} else if got != want {
			c.differs("%s is %q, expected %q", name, got, want)
		}
	}
}

// unwrap returns the type of the member of a union that has only one, and any
// other type as it is.
func (c *comparison) unwrap(spelling string) string {
	if u, ok := c.unions[strings.TrimPrefix(spelling, "union ")]; ok && len(u.Fields) == 1 {
		return u.Fields[0].Type.Spelling
	}
	return spelling
}
