package cheader

import (
	"fmt"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"modernc.org/cc/v4"
)

// builder turns the parser's types into the model's.
type builder struct {
	ast   *cc.AST
	root  string // the sysroot's name in positions
	file  string // the header's
	specs *specs
	docs  *documentation

	all      []*abi.Struct // in the order in which they were finished
	byType   map[cc.Type]*abi.Struct
	building map[cc.Type]bool
}

// structs fills in the structs of m: those with a tag that the header itself
// defines, and before each the types that it holds.
func (b *builder) structs(m *abi.Model) error {
	for _, s := range b.specs.order {
		if s.spec.Token.SrcStr() == "" || s.spec.Position().Filename != b.file {
			continue
		}
		if _, err := b.aggregate(s.spec.Type(), s.spec.Token.SrcStr()); err != nil {
			return err
		}
	}
	for _, s := range b.all {
		m.Structs = append(m.Structs, *s)
	}
	return nil
}

// fieldsOf is what struct and union types have in common.
type fieldsOf interface {
	cc.Type
	NumFields() int
	FieldByIndex(int) *cc.Field
	IsIncomplete() bool
}

// aggregate returns the layout of a struct or union type. name is its tag, or
// the designator that reaches it.
func (b *builder) aggregate(t cc.Type, name string) (*abi.Struct, error) {
	if s := b.byType[t]; s != nil {
		return s, nil
	}
	ft, ok := t.(fieldsOf)
	if !ok || ft.IsIncomplete() {
		return nil, fmt.Errorf("%s: %s is not defined", b.file, name)
	}
	spec := b.specs.of[t]
	if spec == nil {
		return nil, fmt.Errorf("%s: the definition of %s was not found", b.file, name)
	}
	pos := spec.spec.Position()
	if b.building[t] {
		return nil, fmt.Errorf("%v: %s holds itself", pos, name)
	}
	b.building[t] = true
	defer delete(b.building, t)

	_, union := t.(*cc.UnionType)
	s := &abi.Struct{Name: name, Union: union, Line: pos.Line}
	if pos.Filename != b.file {
		s.File = strings.TrimPrefix(pos.Filename, b.root+"/")
	}
	l := layouter{union: union, packed: spec.packed, align: 1}
	members := spec.members
	if len(members) != ft.NumFields() {
		return nil, fmt.Errorf("%v: %s: the parser sees %d members, this program %d", pos, name, ft.NumFields(), len(members))
	}
	for i := range ft.NumFields() {
		f, member := ft.FieldByIndex(i), members[i]
		ctype, err := b.typeOf(f.Type(), path2(name, f.Name(), i))
		if err != nil {
			return nil, fmt.Errorf("%v: %s.%s: %w", pos, name, f.Name(), err)
		}
		field := abi.Field{Name: f.Name(), Type: ctype, Size: ctype.Size, Line: b.line(f)}
		if f.IsBitfield() {
			if ctype.Kind == abi.Aggregate || ctype.Size == 0 {
				return nil, fmt.Errorf("%v: %s.%s: a bit-field of %s", pos, name, f.Name(), ctype.Spelling)
			}
			field.BitSize = f.ValueBits()
			l.bitField(&field, member)
		} else {
			l.field(&field, member)
		}
		if f.Name() == "" && f.IsBitfield() {
			continue // padding with a width
		}
		s.Fields = append(s.Fields, field)
	}
	l.finish(spec.aligned)
	s.Size, s.Align = l.size, l.align
	if !b.specs.anyPacked(t) && (s.Size != t.Size() || s.Align != int64(t.Align())) {
		return nil, fmt.Errorf("%v: %s: the parser computes %d bytes aligned to %d, this program %d aligned to %d",
			pos, name, t.Size(), t.Align(), s.Size, s.Align)
	}
	b.byType[t] = s
	b.all = append(b.all, s)
	return s, nil
}

// line returns where a member is declared.
func (b *builder) line(f *cc.Field) int {
	if d := f.Declarator(); d != nil {
		return d.Position().Line
	}
	if inner := b.specs.of[f.Type()]; inner != nil {
		return inner.spec.Position().Line
	}
	return 0
}

// path2 is the name of the type of member i if it has no tag.
func path2(outer, member string, i int) string {
	if member == "" {
		return fmt.Sprintf("%s.%d", outer, i)
	}
	return outer + "." + member
}

// typeOf returns the model's type of a member's C type. path names it if it
// is a struct or union without a tag.
func (b *builder) typeOf(t cc.Type, path string) (abi.Type, error) {
	r := abi.Type{Size: t.Size(), Align: int64(t.FieldAlign())}
	if a := t.Attributes(); a != nil && a.Aligned() > 0 {
		// A typedef's own alignment, which the parser forgets in members of
		// 32-bit architectures.
		r.Align = a.Aligned()
	}
	switch x := t.(type) {
	case *cc.StructType, *cc.UnionType:
		keyword := "struct "
		var tag cc.Token
		if u, ok := x.(*cc.UnionType); ok {
			keyword, tag = "union ", u.Tag()
		} else {
			tag = x.(*cc.StructType).Tag()
		}
		name := tag.SrcStr()
		if name == "" {
			name = path
		}
		s, err := b.aggregate(t, name)
		if err != nil {
			return abi.Type{}, err
		}
		return abi.Type{Spelling: keyword + s.Name, Kind: abi.Aggregate, Size: s.Size, Align: s.Align, Name: s.Name}, nil
	case *cc.ArrayType:
		elem, err := b.typeOf(x.Elem(), path)
		if err != nil {
			return abi.Type{}, err
		}
		r = abi.Type{Kind: abi.Array, Elem: &elem, Len: x.Len(), Align: elem.Align}
		if x.IsIncomplete() || x.Len() < 0 {
			r.Len = -1
			r.Spelling = arraySpelling(elem.Spelling, "[]")
			return r, nil
		}
		r.Size = elem.Size * r.Len
		r.Spelling = arraySpelling(elem.Spelling, fmt.Sprintf("[%d]", r.Len))
		return r, nil
	case *cc.PointerType:
		r.Kind = abi.Pointer
		r.Spelling = strings.TrimSpace(x.Elem().String()) + " *"
		return r, nil
	case *cc.EnumType:
		r.Kind = intKind(t)
		r.Spelling = "enum"
		if tag := x.Tag(); tag.SrcStr() != "" {
			r.Spelling = "enum " + tag.SrcStr()
		}
	default:
		r.Kind = intKind(t)
		r.Spelling = t.Kind().String()
	}
	if d := t.Typedef(); d != nil {
		r.Spelling = d.Name()
	}
	if r.Kind == abi.Opaque || t.VectorSize() > 0 {
		return abi.Type{}, fmt.Errorf("the type %s has no layout here", r.Spelling)
	}
	return r, nil
}

// arraySpelling puts an outer array's length before the inner ones', as C
// does.
func arraySpelling(elem, length string) string {
	if i := strings.IndexByte(elem, '['); i >= 0 {
		return elem[:i] + length + elem[i:]
	}
	return elem + length
}

func intKind(t cc.Type) abi.Kind {
	if cc.IsIntegerType(t) {
		kinds := map[int64][2]abi.Kind{1: {abi.Uint8, abi.Int8}, 2: {abi.Uint16, abi.Int16}, 4: {abi.Uint32, abi.Int32}, 8: {abi.Uint64, abi.Int64}}
		if k, ok := kinds[t.Size()]; ok {
			if cc.IsSignedInteger(t) {
				return k[1]
			}
			return k[0]
		}
	}
	if cc.IsFloatingPointType(t) && !cc.IsComplexType(t) {
		switch t.Size() {
		case 4:
			return abi.Float32
		case 8:
			return abi.Float64
		}
	}
	return abi.Opaque
}

// layouter lays members out one after another as the System V ABIs do, which
// every Linux architecture follows.
type layouter struct {
	union  bool
	packed bool

	bits  int64 // where the next member goes, in bits from the start
	size  int64 // bytes
	align int64 // bytes
}

func (l *layouter) field(f *abi.Field, m member) {
	align := f.Type.Align
	if l.packed || m.packed {
		align = 1
	}
	align = max(align, m.aligned)
	l.align = max(l.align, align)
	start := int64(0)
	if !l.union {
		start = roundUp((l.bits+7)/8, align)
	}
	f.Offset = start
	l.bits = (start + f.Size) * 8
	l.size = max(l.size, start+f.Size)
}

// bitField places a bit-field: in the storage unit of its type that the next
// free bit is in, if it fits there, else at the start of the next unit. Packed,
// it takes the next free bit. Its offset is that of its storage unit.
func (l *layouter) bitField(f *abi.Field, m member) {
	unit := f.Size * 8
	align := f.Type.Align * 8
	packed := l.packed || m.packed
	start := l.bits
	if l.union {
		start = 0
	}
	switch {
	case f.BitSize == 0:
		start = roundUp(start, align)
	case !packed && start%align+f.BitSize > unit:
		start = roundUp(start, align)
	}
	if m.aligned > 0 {
		start = roundUp(start, m.aligned*8)
	}
	if f.Name != "" {
		switch {
		case !packed:
			l.align = max(l.align, f.Type.Align, m.aligned)
		default:
			l.align = max(l.align, m.aligned)
		}
	}
	f.Offset = start / align * f.Type.Align
	if packed && start%align+f.BitSize > unit {
		f.Offset = start / 8 // it lies across two units: count from its first byte
	}
	f.BitOffset = start - f.Offset*8
	l.bits = start + f.BitSize
	l.size = max(l.size, (l.bits+7)/8)
}

func (l *layouter) finish(aligned int64) {
	l.align = max(l.align, aligned)
	l.size = roundUp(l.size, l.align)
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
