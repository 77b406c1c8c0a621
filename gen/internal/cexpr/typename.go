package cexpr

import (
	"slices"

	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
)

// keywords are those of which specifiers of basic types are made. The value
// tells how gcc writes one that has several spellings.
var keywords = map[string]string{
	"void": "void", "char": "char", "short": "short", "int": "int", "long": "long", "float": "float", "double": "double",
	"signed": "signed", "__signed__": "signed", "__signed": "signed", "unsigned": "unsigned", "_Bool": "_Bool",
	"__int128": "__int128", "__int128_t": "__int128_t", "__uint128_t": "__uint128_t",
	"_Complex": "_Complex", "__complex__": "_Complex", "__builtin_va_list": "__builtin_va_list",
	"_Float16": "_Float16", "_Float32": "_Float32", "_Float64": "_Float64", "_Float128": "_Float128", "__float128": "_Float128",
	"_Float32x": "_Float32x", "_Float64x": "_Float64x",
}

var qualifiers = []string{"const", "volatile", "restrict", "__const", "__const__", "__volatile__", "__volatile", "__restrict", "__restrict__", "__extension__", "_Atomic"}

// Qualifier reports whether a word is a type qualifier, which changes no
// layout.
func Qualifier(word string) bool { return slices.Contains(qualifiers, word) }

// startsType reports whether a type name begins n tokens ahead.
func (p *parser) startsType(n int) bool {
	t := p.peek(n)
	if t.Kind != ctoken.Word {
		return false
	}
	switch t.Text {
	case "struct", "union", "enum", "typeof", "__typeof__", "__typeof":
		return true
	}
	if _, ok := keywords[t.Text]; ok || Qualifier(t.Text) {
		return true
	}
	return p.Scope.Typedef(t.Text) != nil
}

// typeName reads a type name: specifiers, and a declarator without a name.
func (p *parser) typeName() *ctype.Type {
	defer p.nest()()
	return p.abstract(p.specifiers())
}

// specifiers reads the specifiers of a type.
func (p *parser) specifiers() *ctype.Type {
	var t *ctype.Type
	var words []string
	for {
		w := p.peek(0)
		if w.Kind != ctoken.Word {
			break
		}
		if Qualifier(w.Text) {
			p.at++
			continue
		}
		if spelled, ok := keywords[w.Text]; ok && t == nil {
			words = append(words, spelled)
			p.at++
			continue
		}
		if t != nil || len(words) > 0 {
			break
		}
		switch w.Text {
		case "struct", "union", "enum":
			tag := p.peek(1)
			if tag.Kind != ctoken.Word {
				p.fail("a definition in an expression")
			}
			p.at += 2
			t = p.Scope.Tagged(w.Text, tag.Text)
			if p.is("{") {
				p.fail("a definition in an expression")
			}
			continue
		case "typeof", "__typeof__", "__typeof":
			p.at++
			p.expect("(")
			if p.startsType(0) {
				t = p.typeName()
			} else {
				t = p.expression().Type
			}
			p.expect(")")
			continue
		}
		named := p.Scope.Typedef(w.Text)
		if named == nil {
			break
		}
		t = named
		p.at++
	}
	if t != nil {
		return t
	}
	t = p.Types.Basic(words)
	if t == nil {
		p.fail("no type")
	}
	return t
}

// abstract reads a declarator without a name, of pointers, arrays and
// functions.
func (p *parser) abstract(t *ctype.Type) *ctype.Type {
	defer p.nest()()
	for p.accept("*") {
		t = p.Types.PointerTo(t)
		for p.peek(0).Kind == ctoken.Word && Qualifier(p.peek(0).Text) {
			p.at++
		}
	}
	if p.is("(") && (p.peek(1).Is("*") || p.peek(1).Is("(")) {
		// What is inside applies to what comes behind.
		p.at++
		inside := p.at
		p.skip(")")
		t = p.suffixes(t)
		end := p.at
		p.at = inside
		t = p.abstract(t)
		p.expect(")")
		p.at = end
		return t
	}
	return p.suffixes(t)
}

func (p *parser) suffixes(t *ctype.Type) *ctype.Type {
	defer p.nest()()
	switch {
	case p.accept("["):
		length := int64(-1)
		if !p.is("]") {
			n := p.rvalue(p.expression())
			if !n.Known || n.Type.Integral() == nil || n.Negative() {
				p.fail("no length of an array")
			}
			length = int64(n.Bits)
		}
		p.expect("]")
		return ctype.ArrayOf(p.suffixes(t), length)
	case p.accept("("):
		p.skip(")")
		return &ctype.Type{Kind: ctype.Function, Elem: t}
	}
	return t
}

// skip passes over tokens up to the bracket that closes one already read.
func (p *parser) skip(closing string) {
	for depth := 1; depth > 0; p.at++ {
		switch t := p.peek(0); {
		case t.Text == "":
			p.fail("%s expected", closing)
		case t.Is("("):
			depth++
		case t.Is(")"):
			depth--
		}
	}
}

// Keyword returns the one spelling that is used here of a keyword of a basic
// type.
func Keyword(word string) string {
	if k, ok := keywords[word]; ok {
		return k
	}
	return word
}
