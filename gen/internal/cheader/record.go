package cheader

import (
	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
	"modernc.org/cc/v4"
)

// recordType returns the type of a struct or union specifier, and defines it
// if it is a definition.
func (s *scope) recordType(x *specifiers, su *cc.StructOrUnionSpecifier) (*ctype.Type, error) {
	keyword := s.index(su.StructOrUnion.Token)
	word, tag := s.tokens[keyword].Text, su.Token.SrcStr()
	if su.Case == cc.StructOrUnionSpecifierTag {
		return s.Tagged(word, tag), nil
	}
	t := newTagged(word, "")
	if tag != "" {
		t = s.Tagged(word, tag)
	}
	r := &record{Record: t.Record, at: s.tokens[keyword]}
	if r.Complete {
		return nil, errorAt(r.at, "%s %s is defined twice", word, tag)
	}
	open, end := s.index(su.Token2), s.index(su.Token3)
	x.inner = append(x.inner, [2]int{keyword, end + 1})
	var own layoutAttributes
	for _, i := range []int{keyword + 1, keyword + 2, end + 1} {
		if i < open || i == open && i > keyword || i == end+1 {
			if err := s.take(&own, i); err != nil {
				return nil, err
			}
		}
	}
	r.Packed, r.Aligned, r.Pack = own.packed, own.aligned, s.pack[end]
	for l := su.StructDeclarationList; l != nil; l = l.StructDeclarationList {
		if d := l.StructDeclaration; d != nil && d.Case == cc.StructDeclarationDecl {
			if err := s.members(r, d); err != nil {
				return nil, err
			}
		}
	}
	if err := s.types.Model.Layout(r.Record); err != nil {
		return nil, errorAt(r.at, "%s %s: %v", word, tag, err)
	}
	s.records = append(s.records, r)
	s.byType[r.Record] = r
	return t, nil
}

// members adds the members of a declaration to r.
func (s *scope) members(r *record, d *cc.StructDeclaration) error {
	var specs specifiers
	for q := d.SpecifierQualifierList; q != nil; q = q.SpecifierQualifierList {
		if err := specs.add(s, q.TypeSpecifier); err != nil {
			return err
		}
	}
	start := s.index(firstToken(d.SpecifierQualifierList))
	base, err := specs.finish(s, start)
	if err != nil {
		return err
	}
	if d.StructDeclaratorList == nil {
		// A struct or union without a name, whose members are r's. One with a
		// tag only declares the tag.
		if base.Kind != ctype.Aggregate || base.Record.Tag != "" || len(specs.inner) == 0 {
			return nil
		}
		_, end := s.extent(nil, specs.inner[0][1])
		own, err := s.attributesOf(start, end, start, end, &specs)
		if err != nil {
			return err
		}
		at := s.byType[base.Record].at
		r.names = append(r.names, ctoken.Token{File: at.File, Line: at.Line})
		r.Fields = append(r.Fields, ctype.Field{Type: base, Packed: own.packed, Aligned: own.aligned})
		return nil
	}
	at := start
	for l := d.StructDeclaratorList; l != nil; l = l.StructDeclaratorList {
		sd := l.StructDeclarator
		f := ctype.Field{Type: base}
		var name ctoken.Token
		if sd.Declarator != nil {
			if name, f.Type, err = s.declarator(sd.Declarator, base); err != nil {
				return err
			}
			if name.Is(":") {
				name.Text = "" // see paddingName
			}
			f.Name = name.Text
		}
		from := at
		if sd.Case == cc.StructDeclaratorBitField {
			from = s.index(sd.Token)
		}
		first, end := s.extent(sd.Declarator, from)
		if sd.Case == cc.StructDeclaratorBitField {
			colon := s.index(sd.Token)
			if sd.Declarator == nil {
				name = ctoken.Token{File: s.tokens[colon].File, Line: s.tokens[colon].Line}
			}
			v, err := s.constant(s.tokens[colon+1:end], s.tokens[colon], "the width of a bit-field")
			if err != nil {
				return err
			}
			f.BitField, f.Bits = true, int64(v.Bits)
			if f.Bits == 0 && f.Name != "" || f.Bits < 0 {
				return errorAt(name, "%s is a bit-field of %d bits", f.Name, f.Bits)
			}
		}
		own, err := s.attributesOf(start, first, at, end, &specs)
		if err != nil {
			return err
		}
		f.Packed, f.Aligned = own.packed, own.aligned
		r.names = append(r.names, name)
		r.Fields = append(r.Fields, f)
		at = end
	}
	return nil
}
