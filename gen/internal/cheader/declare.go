package cheader

import (
	"fmt"
	"github.com/zuffd/uffd/gen/internal/cexpr"
	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
	"modernc.org/cc/v4"
)

// A scope is what the declarations of a unit declare.
type scope struct {
	*declarations
	types *ctype.Types
	eval  *cexpr.Evaluator

	typedefs    map[string]*ctype.Type
	tags        map[string]*ctype.Type // by keyword and tag: "struct kvm_regs"
	enumerators map[string]cexpr.Value
	variables   map[string]*ctype.Type

	records []*record // as their definitions end
	enums   []*enum
	byType  map[*ctype.Record]*record
	byEnum  map[*ctype.EnumType]*enum
}

// A record is the definition of a struct or union.
type record struct {
	*ctype.Record
	at    ctoken.Token   // the keyword
	names []ctoken.Token // of the members; without text where one has none
	alias string         // the first typedef of it, if it has no tag
}

// An enum is the definition of an enum.
type enum struct {
	*ctype.EnumType
	at    ctoken.Token
	alias string
	names []ctoken.Token
}

// declare builds the scope of a tree.
func declare(d *declarations, a *arch, tree *cc.TranslationUnit) (*scope, error) {
	s := &scope{
		declarations: d, types: a.types,
		typedefs: map[string]*ctype.Type{}, tags: map[string]*ctype.Type{},
		enumerators: map[string]cexpr.Value{}, variables: map[string]*ctype.Type{},
		byType: map[*ctype.Record]*record{}, byEnum: map[*ctype.EnumType]*enum{},
	}
	s.typedefs["__builtin_va_list"] = a.types.Basic([]string{"__builtin_va_list"})
	s.eval = &cexpr.Evaluator{Types: a.types, Scope: s}
	for tu := tree; tu != nil; tu = tu.TranslationUnit {
		x := tu.ExternalDeclaration
		if x == nil || x.Declaration == nil || x.Declaration.Case != cc.DeclarationDecl || x.Declaration.DeclarationSpecifiers == nil {
			continue
		}
		if s.index(firstToken(x.Declaration.DeclarationSpecifiers)) < 0 {
			continue // the parser's own
		}
		if s.index(x.Declaration.Token) < 0 {
			return nil, errorAt(s.tokens[len(s.tokens)-1], "syntax error: the last declaration has no end")
		}
		if err := s.declaration(x.Declaration); err != nil {
			return nil, err
		}
	}
	return s, s.assert()
}

// assert checks every _Static_assert whose condition can be known.
func (s *scope) assert() error {
	for _, a := range s.asserts {
		v, err := s.eval.Eval(a.condition)
		if err == nil && v.Known && v.Type.Integral() != nil && v.Bits == 0 {
			return errorAt(a.at, "the assertion %s is wrong here", ctoken.Join(a.condition))
		}
	}
	return nil
}

// declaration declares what stands at file scope.
func (s *scope) declaration(d *cc.Declaration) error {
	var specs specifiers
	for ds := d.DeclarationSpecifiers; ds != nil; ds = ds.DeclarationSpecifiers {
		if ds.StorageClassSpecifier != nil && ds.StorageClassSpecifier.Case == cc.StorageClassSpecifierTypedef {
			specs.typedef = true
		}
		if err := specs.add(s, ds.TypeSpecifier); err != nil {
			return err
		}
	}
	start := s.index(firstToken(d.DeclarationSpecifiers))
	base, err := specs.finish(s, start)
	if err != nil {
		return err
	}
	at := start
	for l := d.InitDeclaratorList; l != nil; l = l.InitDeclaratorList {
		name, t, err := s.declarator(l.InitDeclarator.Declarator, base)
		if err != nil {
			return err
		}
		first, end := s.extent(l.InitDeclarator.Declarator, at)
		own, err := s.attributesOf(start, first, at, end, &specs)
		at = end
		if !specs.typedef {
			s.variables[name.Text] = t
			continue
		}
		if err == nil && own.packed {
			own.packed = false // gcc ignores it
		}
		if err != nil {
			// Of a typedef that is not known, nothing is known.
			s.typedefs[name.Text] = &ctype.Type{Kind: ctype.Unsupported, Name: name.Text, Why: err.Error()}
			continue
		}
		s.typedefs[name.Text] = t.Named(name.Text, own.aligned)
		if t.Kind == ctype.Aggregate {
			if r := s.byType[t.Record]; r != nil && r.Tag == "" && r.alias == "" {
				r.alias = name.Text
			}
		} else if t.Kind == ctype.Enum {
			if e := s.byEnum[t.Enum]; e != nil && e.Tag == "" && e.alias == "" {
				e.alias = name.Text
			}
		}
	}
	return nil
}

// extent returns where a declarator that is looked for from a token on begins,
// and the token behind it and all that belongs to it: a comma or a semicolon.
func (s *scope) extent(d *cc.Declarator, from int) (first, end int) {
	first = from
	if d != nil {
		if i := s.index(firstOfDeclarator(d)); i >= 0 {
			first = i
		}
	}
	for end = first; end < len(s.tokens); end++ {
		if s.tokens[end].Kind != ctoken.Mark {
			continue
		}
		switch s.tokens[end].Text {
		case "(", "[", "{":
			close := closing(s.tokens, end)
			if close < 0 {
				return first, len(s.tokens)
			}
			end = close
		case ",", ";", "}":
			return first, end
		}
	}
	return first, end
}

func firstOfDeclarator(d *cc.Declarator) cc.Token {
	if d.Pointer != nil {
		return d.Pointer.Token
	}
	dd := d.DirectDeclarator
	for {
		switch dd.Case {
		case cc.DirectDeclaratorIdent, cc.DirectDeclaratorDecl:
			return dd.Token
		}
		dd = dd.DirectDeclarator
	}
}

// specifiers are those of a declaration.
type specifiers struct {
	typedef bool
	words   []string
	t       *ctype.Type
	first   int      // the token that the first declarator begins with
	inner   [][2]int // the tokens from a keyword to behind the closing brace, whose attributes are a type's
}

func (x *specifiers) add(s *scope, ts *cc.TypeSpecifier) error {
	if ts == nil {
		return nil
	}
	switch ts.Case {
	case cc.TypeSpecifierStructOrUnion:
		t, err := s.recordType(x, ts.StructOrUnionSpecifier)
		x.t = t
		return err
	case cc.TypeSpecifierEnum:
		t, err := s.enumType(x, ts.EnumSpecifier)
		x.t = t
		return err
	case cc.TypeSpecifierTypeName:
		name := ts.Token.SrcStr()
		if x.t = s.typedefs[name]; x.t == nil {
			return errorAt(s.tokens[s.index(ts.Token)], "the type %s is not known", name)
		}
	case cc.TypeSpecifierTypeofExpr, cc.TypeSpecifierTypeofType:
		open := s.index(ts.Token2)
		inside := s.tokens[open+1 : closing(s.tokens, open)]
		t, err := s.eval.Type(inside)
		if err != nil {
			v, evalErr := s.eval.Eval(inside)
			if evalErr != nil {
				return errorAt(s.tokens[open], "typeof: %v", evalErr)
			}
			t = v.Type
		}
		x.t = t
	case cc.TypeSpecifierAtomic:
		return errorAt(s.tokens[s.index(ts.AtomicTypeSpecifier.Token)], "_Atomic is not supported")
	default:
		x.words = append(x.words, cexpr.Keyword(ts.Token.SrcStr()))
	}
	return nil
}

func (x *specifiers) finish(s *scope, start int) (*ctype.Type, error) {
	if x.t != nil {
		return x.t, nil
	}
	if len(x.words) == 0 {
		x.words = []string{"int"} // as C was before 1999
	}
	t := s.types.Basic(x.words)
	if t == nil {
		return nil, errorAt(s.tokens[max(start, 0)], "the type %v is not known", x.words)
	}
	return t, nil
}

// declarator applies a declarator to the type of its specifiers.
func (s *scope) declarator(d *cc.Declarator, t *ctype.Type) (name ctoken.Token, _ *ctype.Type, err error) {
	for p := d.Pointer; p != nil; p = p.Pointer {
		t = s.types.PointerTo(t)
	}
	for dd := d.DirectDeclarator; dd != nil; dd = dd.DirectDeclarator {
		switch dd.Case {
		case cc.DirectDeclaratorIdent:
			return s.tokens[s.index(dd.Token)], t, nil
		case cc.DirectDeclaratorDecl:
			return s.declarator(dd.Declarator, t)
		case cc.DirectDeclaratorArr:
			open := s.index(dd.Token)
			length, err := s.length(open)
			if err != nil {
				return name, nil, err
			}
			t = ctype.ArrayOf(t, length)
		case cc.DirectDeclaratorFuncParam, cc.DirectDeclaratorFuncIdent:
			t = &ctype.Type{Kind: ctype.Function, Elem: t}
		default:
			return name, nil, errorAt(s.tokens[s.index(dd.Token)], "an array of variable length")
		}
	}
	return name, t, fmt.Errorf("a declarator without a name")
}

// length evaluates what is in the square brackets that open at a token.
func (s *scope) length(open int) (int64, error) {
	inside := s.tokens[open+1 : closing(s.tokens, open)]
	if len(inside) == 0 {
		return -1, nil
	}
	v, err := s.constant(inside, s.tokens[open], "the length of an array")
	if err != nil {
		return 0, err
	}
	if v.Negative() || v.Bits > 1<<40 {
		return 0, errorAt(s.tokens[open], "an array of %d elements", int64(v.Bits))
	}
	return int64(v.Bits), nil
}

// constant evaluates an integer constant expression of a declaration.
func (s *scope) constant(tokens []ctoken.Token, at ctoken.Token, what string) (cexpr.Value, error) {
	v, err := s.eval.Eval(tokens)
	switch {
	case err != nil:
		return v, errorAt(at, "%s, %s: %v", what, ctoken.Join(tokens), err)
	case !v.Known:
		return v, errorAt(at, "%s, %s: %s", what, ctoken.Join(tokens), v.Why)
	case v.Type.Integral() == nil:
		return v, errorAt(at, "%s, %s: no integer", what, ctoken.Join(tokens))
	}
	return v, nil
}

// firstToken returns the first token of specifiers.
func firstToken(n any) cc.Token {
	switch n := n.(type) {
	case *cc.DeclarationSpecifiers:
		switch {
		case n == nil:
		case n.StorageClassSpecifier != nil:
			return n.StorageClassSpecifier.Token
		case n.TypeQualifier != nil:
			return n.TypeQualifier.Token
		case n.FunctionSpecifier != nil:
			return n.FunctionSpecifier.Token
		case n.TypeSpecifier != nil:
			return firstToken(n.TypeSpecifier)
		}
	case *cc.SpecifierQualifierList:
		switch {
		case n == nil:
		case n.TypeQualifier != nil:
			return n.TypeQualifier.Token
		case n.TypeSpecifier != nil:
			return firstToken(n.TypeSpecifier)
		}
	case *cc.TypeSpecifier:
		switch {
		case n.StructOrUnionSpecifier != nil:
			return n.StructOrUnionSpecifier.StructOrUnion.Token
		case n.EnumSpecifier != nil:
			return n.EnumSpecifier.Token
		case n.AtomicTypeSpecifier != nil:
			return n.AtomicTypeSpecifier.Token
		}
		return n.Token
	}
	return cc.Token{}
}
