package cheader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
	"github.com/zuffd/uffd/internal/abi"
)

// builder makes a model of what a header declares.
type builder struct {
	*unit
	*scope
	root  string // the sysroot's name in positions
	model *abi.Model
	built map[*record]*abi.Struct

	ownEnumerators map[string]bool        // that the header itself defines
	argued         map[*ctype.Record]bool // that are arguments of the header's ioctls
}

// build fills in the model: what the header itself defines, and the types that
// those hold.
func (b *builder) build() error {
	b.ownEnumerators = map[string]bool{}
	b.argued = map[*ctype.Record]bool{}
	for _, e := range b.scope.enums {
		for _, name := range e.names {
			b.ownEnumerators[name.Text] = b.own(name)
		}
	}
	if err := b.macroConstants(); err != nil {
		return err
	}
	for _, e := range b.scope.enums {
		if b.own(e.at) {
			b.enum(e)
		}
	}
	slices.SortStableFunc(b.model.Constants, func(x, y abi.Constant) int { return x.Line - y.Line })
	for _, r := range slices.SortedStableFunc(slices.Values(b.records), func(x, y *record) int { return x.at.Line - y.at.Line }) {
		if b.own(r.at) && r.name() != "" || b.argued[r.Record] {
			if _, err := b.record(r, r.name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// own reports whether a token stands in the header itself.
func (b *builder) own(t ctoken.Token) bool { return t.File == b.header.name }

// file returns the header that a token stands in, if that is another.
func (b *builder) file(t ctoken.Token) string {
	if b.own(t) {
		return ""
	}
	return strings.Trim(strings.TrimPrefix(t.File, b.root+"/"), "<>")
}

// name is the record's tag or its first typedef, or "" where it has neither.
func (r *record) name() string {
	if r.Tag != "" {
		return r.Tag
	}
	return r.alias
}

// enum adds an enum and its enumerators.
func (b *builder) enum(e *enum) {
	name := e.Tag
	if name == "" {
		name = e.alias
	}
	size, _ := e.Integer.Size()
	m := abi.Enum{Name: name, Typedef: e.Tag == "" && name != "", Size: size, Signed: e.Integer.Signed, Line: e.at.Line}
	for _, n := range e.names {
		if def := b.macros[n.Text]; def != nil && !def.function && b.isConstant(n.Text) {
			continue // the macro is what the name means
		}
		v := b.enumerators[n.Text]
		b.model.Constants = append(b.model.Constants, abi.Constant{Name: n.Text, Value: intOf(v), Line: n.Line, Enum: name})
		m.Constants = append(m.Constants, n.Text)
	}
	b.model.Enums = append(b.model.Enums, m)
}

// record adds a struct or union, and before it the types that it holds. name
// is its tag, or the designator that reaches it.
func (b *builder) record(r *record, name string) (*abi.Struct, error) {
	if s := b.built[r]; s != nil {
		return s, nil
	}
	s := &abi.Struct{
		Name: name, Union: r.Union, Typedef: r.Tag == "" && r.alias == name,
		Size: r.Size, Align: r.Align, Line: r.at.Line, File: b.file(r.at),
	}
	if t := b.typedefs[name]; s.Typedef && t != nil {
		s.Align = t.Align() // which the typedef may have of its own
	}
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.BitField && f.Name == "" {
			continue // padding
		}
		t, err := b.typeOf(f.Type, path2(name, f.Name, len(s.Fields)))
		if err != nil {
			return nil, errorAt(r.names[i], "%s.%s: %v", name, f.Name, err)
		}
		field := abi.Field{Name: f.Name, Type: t, Size: t.Size, Kind: t.KindName(), Line: r.names[i].Line, Offset: f.Offset / 8}
		if f.BitField {
			field.BitSize = f.Bits
			unit := t.Size * 8
			field.Offset = f.Offset / unit * t.Size
			if f.Offset%unit+f.Bits > unit {
				field.Offset = f.Offset / 8 // it lies across two units: count from its first byte
			}
			field.BitOffset = f.Offset - field.Offset*8
		}
		s.Fields = append(s.Fields, field)
	}
	b.built[r] = s
	b.model.Structs = append(b.model.Structs, *s)
	return s, nil
}

// path2 is the name of the type of member i if it has no tag.
func path2(outer, member string, i int) string {
	if member == "" {
		return fmt.Sprintf("%s.%d", outer, i)
	}
	return outer + "." + member
}

// typeOf returns the model's type of a member's C type. path names it if it
// is a struct or union without a name of its own.
func (b *builder) typeOf(t *ctype.Type, path string) (abi.Type, error) {
	size, _ := t.Size()
	m := abi.Type{Size: size, Align: t.Align(), Spelling: t.Name, Kind: abi.Opaque}
	switch t.Kind {
	case ctype.Aggregate:
		r := b.byType[t.Record]
		if r == nil {
			return m, fmt.Errorf("%s is not defined", t.Name)
		}
		name := r.name()
		if name == "" {
			name = path
		}
		s, err := b.record(r, name)
		if err != nil {
			return m, err
		}
		keyword := "struct "
		if s.Union {
			keyword = "union "
		}
		return abi.Type{Spelling: keyword + s.Name, Kind: abi.Aggregate, Size: s.Size, Align: m.Align, Name: s.Name, Union: s.Union}, nil
	case ctype.Array:
		elem, err := b.typeOf(t.Elem, path)
		if err != nil {
			return m, err
		}
		m.Kind, m.Elem, m.Len, m.Size = abi.Array, &elem, t.Len, max(size, 0)
		length := "[]"
		if t.Len >= 0 {
			length = fmt.Sprintf("[%d]", t.Len)
		} else {
			m.Size = 0
		}
		m.Spelling = arraySpelling(elem.Spelling, length)
		return m, nil
	case ctype.Pointer:
		m.Kind = abi.Pointer
		if m.Spelling == "" {
			m.Spelling = spelling(t)
		}
		return m, nil
	case ctype.Enum:
		m.Kind = integerKind(t.Enum.Integer)
		m.IsEnum, m.Enum = true, t.Enum.Tag
		if e := b.byEnum[t.Enum]; m.Enum == "" && e != nil {
			m.Enum = e.alias
		}
		if m.Spelling == "" {
			m.Spelling = strings.TrimSpace("enum " + m.Enum)
		}
		return m, nil
	case ctype.Int, ctype.Bool:
		m.Kind = integerKind(t)
		return m, nil
	case ctype.Float:
		switch size {
		case 4:
			m.Kind = abi.Float32
		case 8:
			m.Kind = abi.Float64
		}
		if t.Elem == nil && m.Kind == abi.Opaque {
			m.Opaque = fmt.Sprintf("float%d", size*8)
		}
		return m, nil
	}
	return m, fmt.Errorf("the type %s has no layout here", spelling(t))
}

// integerKind returns the kind of an integer; one of 16 bytes is opaque.
func integerKind(t *ctype.Type) abi.Kind {
	size, _ := t.Size()
	kinds := map[int64][2]abi.Kind{1: {abi.Uint8, abi.Int8}, 2: {abi.Uint16, abi.Int16}, 4: {abi.Uint32, abi.Int32}, 8: {abi.Uint64, abi.Int64}, 16: {abi.Uint128, abi.Int128}}
	k := kinds[size]
	if t.Signed {
		return k[1]
	}
	return k[0]
}

// arraySpelling puts an outer array's length before the inner ones', as C
// does.
func arraySpelling(elem, length string) string {
	if i := strings.IndexByte(elem, '['); i >= 0 {
		return elem[:i] + length + elem[i:]
	}
	return elem + length
}

// spelling writes a type as C does, as far as people need it.
func spelling(t *ctype.Type) string {
	switch {
	case t.Name != "":
		return t.Name
	case t.Kind == ctype.Pointer && t.Elem.Kind == ctype.Function && t.Elem.Name == "":
		return spelling(t.Elem.Elem) + " (*)()"
	case t.Kind == ctype.Pointer:
		elem := spelling(t.Elem)
		if strings.HasSuffix(elem, "*") {
			return elem + "*"
		}
		return elem + " *"
	case t.Kind == ctype.Array && t.Len < 0:
		return arraySpelling(spelling(t.Elem), "[]")
	case t.Kind == ctype.Array:
		return arraySpelling(spelling(t.Elem), fmt.Sprintf("[%d]", t.Len))
	case t.Kind == ctype.Function:
		return spelling(t.Elem) + " ()"
	case t.Kind == ctype.Enum:
		return strings.TrimSpace("enum " + t.Enum.Tag)
	case t.Kind == ctype.Aggregate && t.Record.Union:
		return strings.TrimSpace("union " + t.Record.Tag)
	case t.Kind == ctype.Aggregate:
		return strings.TrimSpace("struct " + t.Record.Tag)
	}
	return "a type"
}
