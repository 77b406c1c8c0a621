package cheader

import (
	"github.com/zuffd/uffd/gen/internal/cexpr"
	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
	"modernc.org/cc/v4"
)

// enumType returns the type of an enum specifier, and defines it if it is a
// definition.
func (s *scope) enumType(x *specifiers, es *cc.EnumSpecifier) (*ctype.Type, error) {
	keyword := s.index(es.Token)
	tag := es.Token2.SrcStr()
	if es.EnumTypeSpecifier != nil {
		return nil, errorAt(s.tokens[keyword], "an enum with a type of its own")
	}
	if es.Case == cc.EnumSpecifierTag {
		return s.Tagged("enum", tag), nil
	}
	t := newTagged("enum", "")
	if tag != "" {
		t = s.Tagged("enum", tag)
	}
	e := &enum{EnumType: t.Enum, at: s.tokens[keyword]}
	if e.Complete {
		return nil, errorAt(e.at, "enum %s is defined twice", tag)
	}
	open, end := s.index(es.Token3), s.index(es.Token5)
	x.inner = append(x.inner, [2]int{keyword, end + 1})
	var own layoutAttributes
	for i := keyword + 1; i <= open; i++ {
		if err := s.take(&own, i); err != nil {
			return nil, err
		}
	}
	if err := s.take(&own, end+1); err != nil {
		return nil, err
	}
	if own.aligned > 0 {
		return nil, errorAt(e.at, "an enum with an alignment of its own")
	}
	return t, s.enumeratorsOf(e, t, s.tokens[open+1:end], own.packed)
}

// enumeratorsOf defines the enumerators between the braces of an enum.
func (s *scope) enumeratorsOf(e *enum, t *ctype.Type, body []ctoken.Token, packed bool) error {
	next := cexpr.Int(s.types.Int, 0)
	least, most := int64(0), uint64(0)
	for _, part := range split(body) {
		if len(part) == 0 {
			continue // behind the last comma
		}
		name := part[0]
		v := next
		if len(part) > 2 && part[1].Is("=") {
			var err error
			if v, err = s.constant(part[2:], name, name.Text); err != nil {
				return err
			}
		}
		if _, twice := s.enumerators[name.Text]; twice {
			return errorAt(name, "the enumerator %s is defined twice", name.Text)
		}
		v = s.narrow(v)
		s.enumerators[name.Text] = v
		e.names = append(e.names, name)
		if v.Negative() {
			least = min(least, int64(v.Bits))
		} else {
			most = max(most, v.Bits)
		}
		var ok bool
		if next, ok = s.successor(v); !ok {
			next = cexpr.Value{Type: s.types.Int, Why: "it follows the highest number"}
		}
	}
	if len(e.names) == 0 || !s.types.Complete(e.EnumType, least, most, packed) {
		return errorAt(e.at, "no integer type holds all of the enumerators")
	}
	for _, name := range e.names {
		v := s.enumerators[name.Text]
		if s.narrow(v).Type != s.types.Int {
			v = cexpr.Int(e.Integer, v.Bits)
			s.enumerators[name.Text] = v
		}
	}
	s.enums = append(s.enums, e)
	s.byEnum[e.EnumType] = e
	return nil
}

// narrow gives an enumerator type int where that holds it.
func (s *scope) narrow(v cexpr.Value) cexpr.Value {
	if n := cexpr.Int(s.types.Int, v.Bits); v.Known && n.Bits == v.Bits && n.Negative() == v.Negative() {
		return n
	}
	return v
}

// successor adds one, in a wider type where it must be.
func (s *scope) successor(v cexpr.Value) (cexpr.Value, bool) {
	for _, t := range []*ctype.Type{s.types.Int, s.types.UInt, s.types.Long, s.types.ULong, s.types.LLong, s.types.ULLong} {
		n := cexpr.Int(t, v.Bits+1)
		if n.Bits == v.Bits+1 && (n.Negative() == (v.Negative() && v.Bits+1 != 0)) && v.Bits+1 != 0 || v.Negative() && v.Bits+1 == 0 {
			return n, true
		}
	}
	return v, false
}
