package cheader

import (
	"modernc.org/cc/v4"
)

// specs are the struct and union definitions of a translation unit, with the
// attributes that decide their layout.
type specs struct {
	of    map[cc.Type]*spec
	order []*spec // as their definitions begin
	enums []*cc.EnumSpecifier
}

// A spec is the definition of a struct or union.
type spec struct {
	spec    *cc.StructOrUnionSpecifier
	packed  bool
	aligned int64 // bytes, 0 if not asked for
	members []member
	inner   []cc.Type // the definitions inside
}

// A member is what attributes say of one member, in declaration order.
type member struct {
	packed  bool
	aligned int64 // bytes, 0 if not asked for
}

// specifiers collects the definitions of a translation unit.
func specifiers(ast *cc.AST) *specs {
	s := &specs{of: map[cc.Type]*spec{}}
	for tu := ast.TranslationUnit; tu != nil; tu = tu.TranslationUnit {
		d := tu.ExternalDeclaration
		if d == nil || d.Declaration == nil {
			continue
		}
		for ds := d.Declaration.DeclarationSpecifiers; ds != nil; ds = ds.DeclarationSpecifiers {
			s.typeSpecifier(ds.TypeSpecifier, nil)
		}
	}
	return s
}

// typeSpecifier records what a type specifier defines, inside outer if that
// is not nil.
func (s *specs) typeSpecifier(ts *cc.TypeSpecifier, outer *spec) {
	if ts == nil {
		return
	}
	if e := ts.EnumSpecifier; e != nil && e.Case == cc.EnumSpecifierDef {
		s.enums = append(s.enums, e)
	}
	su := ts.StructOrUnionSpecifier
	if su == nil || su.Case != cc.StructOrUnionSpecifierDef {
		return
	}
	sp := &spec{spec: su}
	for _, list := range []*cc.AttributeSpecifierList{su.AttributeSpecifierList, su.AttributeSpecifierList2} {
		m := attributes(list)
		sp.packed = sp.packed || m.packed
		sp.aligned = max(sp.aligned, m.aligned)
	}
	s.of[su.Type()] = sp
	s.order = append(s.order, sp)
	if outer != nil {
		outer.inner = append(outer.inner, su.Type())
	}
	for l := su.StructDeclarationList; l != nil; l = l.StructDeclarationList {
		s.structDeclaration(l.StructDeclaration, sp)
	}
}

func (s *specs) structDeclaration(d *cc.StructDeclaration, sp *spec) {
	if d == nil || d.Case != cc.StructDeclarationDecl {
		return
	}
	var all member // what holds for every declarator of the declaration
	for q := d.SpecifierQualifierList; q != nil; q = q.SpecifierQualifierList {
		s.typeSpecifier(q.TypeSpecifier, sp)
		m := attributes(q.AttributeSpecifierList)
		all.packed = all.packed || m.packed
		all.aligned = max(all.aligned, m.aligned)
	}
	last := attributes(d.AttributeSpecifierList)
	if d.StructDeclaratorList == nil {
		all.packed = all.packed || last.packed
		all.aligned = max(all.aligned, last.aligned)
		sp.members = append(sp.members, all)
		return
	}
	for l := d.StructDeclaratorList; l != nil; l = l.StructDeclaratorList {
		m := all
		if l.StructDeclaratorList == nil { // attributes after the last declarator are its own
			m.packed = m.packed || last.packed
			m.aligned = max(m.aligned, last.aligned)
		}
		sp.members = append(sp.members, m)
	}
}

// attributes reads the two attributes that change a layout.
func attributes(l *cc.AttributeSpecifierList) member {
	var m member
	for ; l != nil; l = l.AttributeSpecifierList {
		for v := l.AttributeSpecifier.AttributeValueList; v != nil; v = v.AttributeValueList {
			a := v.AttributeValue
			if a == nil {
				continue
			}
			switch a.Token.SrcStr() {
			case "packed", "__packed__":
				m.packed = true
			case "aligned", "__aligned__":
				m.aligned = max(m.aligned, alignment(a))
			}
		}
	}
	return m
}

// maxAlignment is what aligned without a number means, on all but a few
// architectures that no header of the kernel uses it for.
const maxAlignment = 16

func alignment(a *cc.AttributeValue) int64 {
	if a.ArgumentExpressionList == nil || a.ArgumentExpressionList.AssignmentExpression == nil {
		return maxAlignment
	}
	switch v := a.ArgumentExpressionList.AssignmentExpression.Value().(type) {
	case cc.Int64Value:
		return int64(v)
	case cc.UInt64Value:
		return int64(v)
	}
	return 0
}

// anyPacked reports whether t, or a type that it defines or holds, is packed,
// so that the parser's own layout of it is wrong.
func (s *specs) anyPacked(t cc.Type) bool {
	if a, ok := t.(*cc.ArrayType); ok {
		return s.anyPacked(a.Elem())
	}
	sp := s.of[t]
	if sp == nil {
		return false
	}
	if sp.packed {
		return true
	}
	for _, m := range sp.members {
		if m.packed {
			return true
		}
	}
	ft := t.(fieldsOf)
	for i := range ft.NumFields() {
		if s.anyPacked(ft.FieldByIndex(i).Type()) {
			return true
		}
	}
	return false
}

// enumerators returns the enumerators that the header itself defines.
func (b *builder) enumerators() []*cc.Enumerator {
	var all []*cc.Enumerator
	for _, e := range b.specs.enums {
		if e.Position().Filename != b.file {
			continue
		}
		for l := e.EnumeratorList; l != nil; l = l.EnumeratorList {
			all = append(all, l.Enumerator)
		}
	}
	return all
}
