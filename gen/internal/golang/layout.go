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
	unions []union // whose members get accessors
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
}

// A union is a C union whose members share a field of storage.
type union struct {
	c     *abi.Struct
	field string // of the outer struct
}

// A layouter builds goStructs of a model for one GOARCH.
type layouter struct {
	names *names
	sizes types.Sizes
}

var basics = map[abi.Kind]*types.Basic{
	abi.Int8: types.Typ[types.Int8], abi.Int16: types.Typ[types.Int16],
	abi.Int32: types.Typ[types.Int32], abi.Int64: types.Typ[types.Int64],
	abi.Uint8: types.Typ[types.Uint8], abi.Uint16: types.Typ[types.Uint16],
	abi.Uint32: types.Typ[types.Uint32], abi.Uint64: types.Typ[types.Uint64],
	abi.Float32: types.Typ[types.Float32], abi.Float64: types.Typ[types.Float64],
	abi.Pointer: types.Typ[types.Uintptr],
}

// goType returns the Go type of a C type, and its alignment in Go.
func (l *layouter) goType(t abi.Type) (*jen.Statement, int64, error) {
	if b, ok := basics[t.Kind]; ok {
		return jen.Id(b.Name()), l.sizes.Alignof(b), nil
	}
	switch t.Kind {
	case abi.Array:
		elem, align, err := l.goType(*t.Elem)
		if err != nil {
			return nil, 0, err
		}
		return jen.Index(jen.Lit(int(max(t.Len, 0)))).Add(elem), align, nil
	case abi.Aggregate:
		s := l.names.structs[t.Name]
		if goName, ok := l.names.types[t.Name]; ok {
			g, err := l.layOut(s)
			if err != nil {
				return nil, 0, err
			}
			return jen.Id(goName), g.align(), nil
		}
		if len(s.Fields) == 1 {
			return l.goType(s.Fields[0].Type)
		}
		return l.storage(s)
	}
	return nil, 0, fmt.Errorf("%s has no Go type", t.Spelling)
}

// storage returns the type that holds a union: an array of the widest unsigned
// integer that one of its members, or its alignment, asks for, as far as Go
// aligns that no more than C does the union. It is the same on all
// architectures where it can be: 386 aligns 64-bit integers to 4 bytes in Go
// and in C.
func (l *layouter) storage(s *abi.Struct) (*jen.Statement, int64, error) {
	widest := max(s.Align, l.widest(s))
	for _, b := range []*types.Basic{types.Typ[types.Uint64], types.Typ[types.Uint32], types.Typ[types.Uint16]} {
		size, align := l.sizes.Sizeof(b), l.sizes.Alignof(b)
		if size <= widest && align <= s.Align && s.Size%size == 0 {
			return jen.Index(jen.Lit(int(s.Size / size))).Id(b.Name()), align, nil
		}
	}
	return jen.Index(jen.Lit(int(s.Size))).Uint8(), 1, nil
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
func (l *layouter) layOut(s *abi.Struct) (*goStruct, error) {
	g := &goStruct{c: s, name: l.names.types[s.Name]}
	if s.Union {
		typ, align, err := l.storage(s)
		if err != nil {
			return nil, err
		}
		g.fields = []goField{{name: "Data", typ: typ, size: s.Size, align: align}}
		g.unions = []union{{s, "Data"}}
	} else if err := l.members(g, s, 0); err != nil {
		return nil, fmt.Errorf("struct %s: %w", s.Name, err)
	}
	g.reconcile()
	return g, nil
}

// members adds the members of s, which lies at offset base in g.
func (l *layouter) members(g *goStruct, s *abi.Struct, base int64) error {
	for i := 0; i < len(s.Fields); i++ {
		f := s.Fields[i]
		if f.BitSize > 0 {
			i += l.bitFields(g, s.Fields[i:], base) - 1
			continue
		}
		if f.Type.Kind == abi.Array && f.Type.Len < 0 {
			continue // Go would pad a struct that ends in an array of no elements
		}
		inner := l.names.structs[f.Type.Name]
		if f.Name == "" && inner != nil && !inner.Union {
			if err := l.members(g, inner, base+f.Offset); err != nil {
				return err
			}
			continue
		}
		typ, align, err := l.goType(f.Type)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		name, doc := exported(f.Name), f.Doc
		if name == "" {
			name = fmt.Sprintf("Anon%d", i)
		}
		if inner != nil && l.names.types[inner.Name] == "" {
			if len(inner.Fields) == 1 {
				// A union of one member is that member.
				name, doc = exported(inner.Fields[0].Name), inner.Fields[0].Doc
			} else {
				g.unions = append(g.unions, union{inner, name})
			}
		}
		g.fields = append(g.fields, goField{name: name, typ: typ, offset: base + f.Offset, size: f.Size, align: align, doc: doc})
	}
	return nil
}

// bitFields adds one field of bytes for the bit-fields that fields begins
// with, and returns their number.
func (l *layouter) bitFields(g *goStruct, fields []abi.Field, base int64) int {
	start, end, n := int64(-1), int64(0), 0
	note := ""
	for ; n < len(fields) && fields[n].BitSize > 0; n++ {
		f := fields[n]
		from := f.Offset*8 + f.BitOffset
		if start < 0 {
			start = from / 8
		}
		end = max(end, (from+f.BitSize+7)/8)
		note += fmt.Sprintf(" %s:%d", f.Name, f.BitSize)
	}
	g.fields = append(g.fields, goField{
		name:   fmt.Sprintf("Bits%d", start),
		typ:    jen.Index(jen.Lit(int(end - start))).Byte(),
		offset: base + start, size: end - start, align: 1,
		doc:  "The bit-fields" + note + ".",
		note: "bit-fields",
	})
	return n
}

// reconcile makes bytes of what Go would align otherwise than C does, and
// puts padding where Go would leave too little.
func (g *goStruct) reconcile() {
	for i := range g.fields {
		f := &g.fields[i]
		if f.offset%f.align != 0 || g.c.Size%f.align != 0 {
			f.typ, f.align, f.note = jen.Index(jen.Lit(int(f.size))).Byte(), 1, "not aligned for its type"
		}
	}
	var all []goField
	at := int64(0)
	pad := func(to int64) {
		if to > at {
			all = append(all, goField{typ: jen.Index(jen.Lit(int(to - at))).Byte(), offset: at, size: to - at, align: 1})
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

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
