package golang

import (
	"fmt"
	"go/types"

	"github.com/dave/jennifer/jen"
	"github.com/zuffd/uffd/internal/abi"
)

// A goStruct is a struct as it is emitted.
type goStruct struct {
	c      *abi.Struct
	name   string
	fields []goField
	unions []union    // whose members get accessors
	bits   []bitField // which get accessors
	tails  []tail     // which get accessors
	taken  map[string]bool
}

// A goField is a field of a goStruct, or padding.
type goField struct {
	name   string // "" for padding
	typ    *jen.Statement
	offset int64
	size   int64
	align  int64
	doc    string
	note   string // what the type does not tell
	tail   *tail  // of an array without elements, what it is if nothing follows
}

// A union is a C union whose members share a field of storage.
type union struct {
	c      *abi.Struct
	field  string // of the outer struct
	offset int64  // of that field
}

// A tail is an array at the end of a struct whose length the header does not
// tell.
type tail struct {
	name   string // of the method
	c      string // the name in C
	offset int64
	elem   abi.Type
	doc    string
}

// A layouter builds goStructs of a model for one GOARCH.
type layouter struct {
	names     *names
	sizes     types.Sizes
	bigEndian bool
	done      map[string]*goStruct
}

var basics = map[abi.Kind]*types.Basic{
	abi.Int8: types.Typ[types.Int8], abi.Int16: types.Typ[types.Int16],
	abi.Int32: types.Typ[types.Int32], abi.Int64: types.Typ[types.Int64],
	abi.Uint8: types.Typ[types.Uint8], abi.Uint16: types.Typ[types.Uint16],
	abi.Uint32: types.Typ[types.Uint32], abi.Uint64: types.Typ[types.Uint64],
	abi.Float32: types.Typ[types.Float32], abi.Float64: types.Typ[types.Float64],
	abi.Pointer: types.Typ[types.Uintptr],
}

// goType returns the Go type of a C type, and its alignment in Go. What Go has
// no type for is bytes, and an integer of 128 bits two words in memory order.
func (l *layouter) goType(t abi.Type) (*jen.Statement, int64) {
	if b, ok := basics[t.Kind]; ok {
		if name := l.names.enums[t.Enum]; t.IsEnum && name != "" {
			return jen.Id(name), l.sizes.Alignof(b)
		}
		return jen.Id(b.Name()), l.sizes.Alignof(b)
	}
	switch t.Kind {
	case abi.Int128, abi.Uint128:
		return jen.Index(jen.Lit(2)).Uint64(), l.sizes.Alignof(types.Typ[types.Uint64])
	case abi.Array:
		elem, align := l.goType(*t.Elem)
		return jen.Index(jen.Lit(int(max(t.Len, 0)))).Add(elem), align
	case abi.Aggregate:
		s := l.names.structs[t.Name]
		if goName, ok := l.names.types[t.Name]; ok {
			return jen.Id(goName), l.layOut(s).align()
		}
		if collapses(s) {
			return l.goType(s.Fields[0].Type)
		}
		return l.storage(s)
	}
	return byteArray(t.Size), 1
}

func byteArray(n int64) *jen.Statement { return jen.Index(jen.Lit(int(n))).Byte() }

// collapses reports whether a union is nothing but its one member.
func collapses(s *abi.Struct) bool {
	return s.Union && len(s.Fields) == 1 && s.Fields[0].Name != "" && s.Fields[0].BitSize == 0 &&
		s.Fields[0].Size == s.Size && s.Size > 0
}

// storage returns the type that holds a union: an array of the widest unsigned
// integer that one of its members, or its alignment, asks for, as far as Go
// aligns that no more than C does the union. It is the same on all
// architectures where it can be: 386 aligns 64-bit integers to 4 bytes in Go
// and in C.
func (l *layouter) storage(s *abi.Struct) (*jen.Statement, int64) {
	widest := max(s.Align, l.widest(s))
	for _, b := range []*types.Basic{types.Typ[types.Uint64], types.Typ[types.Uint32], types.Typ[types.Uint16]} {
		size, align := l.sizes.Sizeof(b), l.sizes.Alignof(b)
		if size <= widest && align <= s.Align && s.Size%size == 0 {
			return jen.Index(jen.Lit(int(s.Size / size))).Id(b.Name()), align
		}
	}
	return jen.Index(jen.Lit(int(s.Size))).Uint8(), 1
}

// widest returns the size of the largest scalar in a struct or union.
func (l *layouter) widest(s *abi.Struct) int64 {
	size := int64(0)
	for _, f := range s.Fields {
		t := &f.Type
		for t.Kind == abi.Array {
			t = t.Elem
		}
		if inner := l.names.structs[t.Name]; inner != nil {
			size = max(size, l.widest(inner))
		} else {
			size = max(size, t.Size)
		}
	}
	return size
}

// layOut arranges a struct's fields so that Go puts them where C does.
func (l *layouter) layOut(s *abi.Struct) *goStruct {
	if g := l.done[s.Name]; g != nil {
		return g
	}
	g := &goStruct{c: s, name: l.names.types[s.Name], taken: map[string]bool{}}
	if s.Union {
		typ, align := l.storage(s)
		g.taken["Data"] = true
		g.fields = []goField{{name: "Data", typ: typ, size: s.Size, align: align}}
		g.unions = []union{{s, "Data", 0}}
	} else {
		l.members(g, s, 0)
	}
	l.trim(g)
	g.reconcile()
	l.raise(g)
	l.done[s.Name] = g
	return g
}

// unique returns a name for a field or method that no other has: the one that
// is wanted, or that with underscores behind it.
func (l *layouter) unique(g *goStruct, want, cName string, line int) string {
	name := want
	for g.taken[name] {
		name += "_"
	}
	if name != want && cName != "" {
		l.names.note(g.c.Name+"."+cName, line, "is %s.%s in Go: %s is another's", g.name, name, want)
	}
	g.taken[name] = true
	return name
}

// members adds the members of s, which lies at offset base in g.
func (l *layouter) members(g *goStruct, s *abi.Struct, base int64) {
	for i := 0; i < len(s.Fields); i++ {
		f := s.Fields[i]
		if f.BitSize > 0 {
			i += l.bitFields(g, s.Fields[i:], base) - 1
			continue
		}
		inner := l.names.structs[f.Type.Name]
		if f.Name == "" && inner != nil && !inner.Union {
			l.members(g, inner, base+f.Offset)
			continue
		}
		cName, doc := f.Name, f.Doc
		isUnion := inner != nil && l.names.types[inner.Name] == ""
		if isUnion && collapses(inner) {
			// A union of one member is that member.
			cName, doc = inner.Fields[0].Name, inner.Fields[0].Doc
		}
		name := exported(cName)
		if name == "" {
			name = fmt.Sprintf("Anon%d", i)
		}
		name = l.unique(g, name, cName, f.Line)
		if isUnion && !collapses(inner) {
			g.unions = append(g.unions, union{inner, name, base + f.Offset})
		}
		typ, align := l.goType(f.Type)
		field := goField{name: name, typ: typ, offset: base + f.Offset, size: f.Size, align: align, doc: doc, note: pointee(f.Type)}
		if f.Type.Kind == abi.Array && f.Size == 0 {
			field.tail = &tail{name: name, c: f.Name, offset: field.offset, elem: *f.Type.Elem, doc: doc}
		}
		if f.Type.Kind == abi.Array && f.Type.Len < 0 {
			field.name = "" // it is never a field
		}
		g.fields = append(g.fields, field)
	}
}

// trim takes what has no size from the end of a struct, since Go would put
// padding behind it. An array becomes a tail.
func (l *layouter) trim(g *goStruct) {
	end := int64(0)
	for _, f := range g.fields {
		end = max(end, f.offset+f.size)
	}
	var kept []goField
	for _, f := range g.fields {
		if f.size > 0 || f.offset < end && f.name != "" {
			kept = append(kept, f)
		} else if f.tail != nil {
			g.tails = append(g.tails, *f.tail)
		}
	}
	g.fields = kept
}

// raise gives a struct the alignment that C gives it, as far as Go has it, by a
// field without a size at its beginning. A typedef may be aligned to more than
// its size, which nothing in Go is.
func (l *layouter) raise(g *goStruct) {
	if g.c.Size == 0 {
		return
	}
	for _, b := range []*types.Basic{types.Typ[types.Uint64], types.Typ[types.Uint32], types.Typ[types.Uint16]} {
		if align := l.sizes.Alignof(b); align <= g.c.Align && align == l.sizes.Sizeof(b) && g.c.Size%align == 0 {
			if align > g.align() {
				g.fields = append([]goField{{typ: jen.Index(jen.Lit(0)).Id(b.Name()), align: align, note: "aligns the struct"}}, g.fields...)
			}
			return
		}
	}
}

// reconcile makes bytes of what Go would align otherwise than C does, and
// puts padding where Go would leave too little.
func (g *goStruct) reconcile() {
	for i := range g.fields {
		f := &g.fields[i]
		if f.offset%f.align != 0 || g.c.Size%f.align != 0 {
			f.typ, f.align, f.note = byteArray(f.size), 1, "not aligned for its type"
		}
	}
	var all []goField
	at := int64(0)
	pad := func(to int64) {
		if to > at {
			all = append(all, goField{typ: byteArray(to - at), offset: at, size: to - at, align: 1})
		}
	}
	for _, f := range g.fields {
		if roundUp(at, f.align) != f.offset {
			pad(f.offset)
		}
		all = append(all, f)
		at = f.offset + f.size
	}
	if roundUp(at, g.align()) != g.c.Size {
		pad(g.c.Size)
	}
	g.fields = all
}

// align returns the alignment that Go gives the struct.
func (g *goStruct) align() int64 {
	align := int64(1)
	for _, f := range g.fields {
		align = max(align, f.align)
	}
	return align
}

// alignOf returns the alignment that Go gives what lies at an offset.
func (g *goStruct) alignOf(offset int64) int64 {
	align := g.align()
	for offset%align != 0 {
		align /= 2
	}
	return align
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// pointee says what a pointer, or an array of pointers, is in C.
func pointee(t abi.Type) string {
	elem := t
	for elem.Kind == abi.Array {
		elem = *elem.Elem
	}
	if elem.Kind == abi.Pointer {
		return t.Spelling
	}
	return ""
}
