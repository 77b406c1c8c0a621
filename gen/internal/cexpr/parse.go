package cexpr

import (
	"fmt"
	"math/bits"

	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
)

// A Scope knows the names of a translation unit.
type Scope interface {
	// Typedef returns the type that a typedef names, or nil.
	Typedef(name string) *ctype.Type
	// Tagged returns the struct, union or enum of a tag, by the keyword. One
	// that was never defined is incomplete.
	Tagged(keyword, tag string) *ctype.Type
	// Enumerator returns the value of an enumerator.
	Enumerator(name string) (Value, bool)
	// Variable returns the type of a variable or function, or nil.
	Variable(name string) *ctype.Type
}

// An Evaluator evaluates expressions in a scope.
type Evaluator struct {
	Types *ctype.Types
	Scope Scope
}

// An Error is a place where tokens are no expression or type.
type Error struct {
	At   ctoken.Token // its text is "" at the end of the tokens
	What string
}

func (e *Error) Error() string {
	if e.At.Text == "" {
		return e.What + " at the end"
	}
	return fmt.Sprintf("%s at %q", e.What, e.At.Text)
}

// Eval returns the value of an expression. It is an error if the tokens are no
// expression; one without a constant value is a Value that is not Known.
func (e *Evaluator) Eval(tokens []ctoken.Token) (v Value, err error) {
	defer recoverError(&err)
	p := &parser{Evaluator: e, tokens: tokens}
	v = p.rvalue(p.expression())
	p.end()
	return v, nil
}

// Type returns the type that a type name stands for.
func (e *Evaluator) Type(tokens []ctoken.Token) (t *ctype.Type, err error) {
	defer recoverError(&err)
	p := &parser{Evaluator: e, tokens: tokens}
	if !p.startsType(0) {
		p.fail("no type")
	}
	t = p.typeName()
	p.end()
	return t, nil
}

func recoverError(err *error) {
	if r := recover(); r != nil {
		e, ok := r.(*Error)
		if !ok {
			panic(r)
		}
		*err = e
	}
}

// parser reads tokens from left to right and evaluates them on the way. It
// gives up by panicking with an *Error.
type parser struct {
	*Evaluator
	tokens []ctoken.Token
	at     int
	depth  int
}

// maxDepth is how deep an expression may nest: Go cannot recover from a stack
// that overflows.
const maxDepth = 500

func (p *parser) fail(format string, args ...any) {
	panic(&Error{p.peek(0), fmt.Sprintf(format, args...)})
}

func (p *parser) peek(n int) ctoken.Token {
	if p.at+n < len(p.tokens) {
		return p.tokens[p.at+n]
	}
	return ctoken.Token{Kind: ctoken.Mark}
}

func (p *parser) is(text string) bool { return p.peek(0).Is(text) }

func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.fail("%s expected", text)
	}
}

func (p *parser) end() {
	if p.at < len(p.tokens) {
		p.fail("unexpected token")
	}
}

func (p *parser) nest() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("the expression nests too deep")
	}
	return func() { p.depth-- }
}

// expression reads a whole expression. The comma operator is in no constant
// expression.
func (p *parser) expression() Value {
	v := p.conditional()
	for p.accept(",") {
		right := p.rvalue(p.conditional())
		v = unknown(right.Type, "the comma operator is in no constant")
	}
	if p.peek(0).Kind == ctoken.Mark {
		switch p.peek(0).Text {
		case "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "++", "--":
			p.fail("an assignment")
		}
	}
	return v
}

func (p *parser) conditional() Value {
	defer p.nest()()
	c := p.binary(0)
	if !p.accept("?") {
		return c
	}
	c = p.rvalue(c)
	var yes Value
	if p.is(":") {
		yes = c // a GNU extension
	} else {
		yes = p.rvalue(p.expression())
	}
	p.expect(":")
	no := p.rvalue(p.conditional())
	t := yes.Type
	switch {
	case yes.Type.Integral() != nil && no.Type.Integral() != nil:
		t = p.Types.Common(yes.Type, no.Type)
		yes, no = p.convert(yes, t), p.convert(no, t)
	case yes.Type.Kind != no.Type.Kind:
		return unknown(t, "the branches of ?: are of different types")
	}
	switch {
	case !c.Known:
		return unknown(t, "%s", c.Why)
	case !c.zero():
		return yes
	}
	return no
}

// levels are the binary operators, those that bind least first.
var levels = [][]string{
	{"||"}, {"&&"}, {"|"}, {"^"}, {"&"}, {"==", "!="}, {"<", ">", "<=", ">="}, {"<<", ">>"}, {"+", "-"}, {"*", "/", "%"},
}

func (p *parser) binary(level int) Value {
	if level == len(levels) {
		return p.cast()
	}
	left := p.binary(level + 1)
next:
	for _, op := range levels[level] {
		if p.is(op) {
			p.at++
			left = p.operate(op, p.rvalue(left), p.rvalue(p.binary(level+1)))
			goto next
		}
	}
	return left
}

func (p *parser) cast() Value {
	defer p.nest()()
	if p.is("(") && p.startsType(1) {
		p.at++
		t := p.typeName()
		p.expect(")")
		if p.is("{") {
			p.fail("a compound literal")
		}
		return p.convert(p.rvalue(p.cast()), t)
	}
	return p.unary()
}

func (p *parser) unary() Value {
	t := p.peek(0)
	if t.Kind == ctoken.Mark {
		switch t.Text {
		case "+", "-", "~", "!":
			p.at++
			return p.prefix(t.Text, p.rvalue(p.cast()))
		case "&":
			p.at++
			return p.address(p.cast())
		case "*":
			p.at++
			return p.deref(p.rvalue(p.cast()))
		case "&&":
			p.fail("the address of a label")
		}
	}
	if t.Kind == ctoken.Word {
		switch t.Text {
		case "sizeof":
			p.at++
			return p.sizeOf()
		case "_Alignof", "__alignof__", "__alignof":
			p.at++
			return p.alignOf(t.Text)
		}
	}
	return p.postfix()
}

// operand reads what sizeof is asked of: a type, or an expression of which the
// type counts.
func (p *parser) operand() Value {
	if p.is("(") && p.startsType(1) {
		p.at++
		t := p.typeName()
		p.expect(")")
		if p.is("{") {
			p.fail("a compound literal")
		}
		return Value{Type: t}
	}
	return p.cast()
}

func (p *parser) sizeOf() Value {
	v := p.operand()
	n, ok := v.Type.Size()
	if !ok || v.Type.Kind == ctype.Array && v.Type.Len < 0 {
		return unknown(p.Types.Size, "the size of %s is not known", describe(v.Type))
	}
	return Int(p.Types.Size, uint64(n))
}

func (p *parser) alignOf(operator string) Value {
	if !p.is("(") || !p.startsType(1) {
		p.cast()
		return unknown(p.Types.Size, "the alignment of an expression")
	}
	t := p.operand().Type
	if _, ok := t.Size(); !ok {
		return unknown(p.Types.Size, "the alignment of %s is not known", describe(t))
	}
	if operator == "_Alignof" {
		return Int(p.Types.Size, uint64(p.Types.MinAlign(t)))
	}
	return Int(p.Types.Size, uint64(t.Align()))
}

func (p *parser) postfix() Value {
	v := p.primary()
	for {
		switch {
		case p.accept("["):
			i := p.rvalue(p.expression())
			p.expect("]")
			v = p.deref(p.operate("+", p.rvalue(v), i))
		case p.accept("."):
			v = p.member(v)
		case p.accept("->"):
			v = p.member(p.deref(p.rvalue(v)))
		case p.accept("("):
			p.skip(")")
			t := v.Type
			if t.Kind == ctype.Pointer {
				t = t.Elem
			}
			if t.Kind != ctype.Function {
				p.fail("a call of no function")
			}
			v = unknown(t.Elem, "a call of a function")
		default:
			return v
		}
	}
}

func (p *parser) primary() Value {
	t := p.peek(0)
	switch t.Kind {
	case ctoken.Number:
		p.at++
		return p.number(t)
	case ctoken.Char:
		p.at++
		return p.character(t)
	case ctoken.String:
		return p.text()
	case ctoken.Word:
		switch t.Text {
		case "__builtin_offsetof":
			p.at++
			return p.offsetOf()
		case "__builtin_choose_expr":
			p.at++
			return p.chooseExpr()
		case "__builtin_constant_p":
			p.at++
			p.expect("(")
			v := p.rvalue(p.expression())
			p.expect(")")
			return p.truth(v.Known && v.Type.Integral() != nil)
		case "__builtin_bswap16", "__builtin_bswap32", "__builtin_bswap64":
			p.at++
			return p.swap(t.Text)
		}
		if v, ok := p.Scope.Enumerator(t.Text); ok {
			p.at++
			return v
		}
		if x := p.Scope.Variable(t.Text); x != nil {
			p.at++
			return Value{Type: x, lvalue: true, Why: t.Text + " is a variable"}
		}
		if p.startsType(0) {
			p.fail("a type")
		}
		p.fail("an unknown name")
	}
	if p.accept("(") {
		if p.is("{") {
			p.fail("a block of statements")
		}
		v := p.expression()
		p.expect(")")
		return v
	}
	if t.Text == "" {
		p.fail("an expression expected")
	}
	p.fail("unexpected token")
	panic("unreachable")
}

// chooseExpr reads __builtin_choose_expr(constant, yes, no), of which the
// branch that is not taken has no say.
func (p *parser) chooseExpr() Value {
	p.expect("(")
	c := p.rvalue(p.conditional())
	p.expect(",")
	yes := p.conditional()
	p.expect(",")
	no := p.conditional()
	p.expect(")")
	switch {
	case !c.Known:
		return unknown(p.Types.Int, "%s", c.Why)
	case c.zero():
		return no
	}
	return yes
}

// swap reads the operand of a builtin that reverses the bytes of an integer.
func (p *parser) swap(builtin string) Value {
	t := map[string]*ctype.Type{"__builtin_bswap16": p.Types.UShort, "__builtin_bswap32": p.Types.UInt, "__builtin_bswap64": p.Types.UInt64}[builtin]
	p.expect("(")
	v := p.convert(p.rvalue(p.expression()), t)
	p.expect(")")
	if !v.Known {
		return v
	}
	size, _ := t.Size()
	return Int(t, bits.ReverseBytes64(v.Bits)>>(64-8*size))
}

// offsetOf reads the operands of __builtin_offsetof.
func (p *parser) offsetOf() Value {
	p.expect("(")
	if !p.startsType(0) {
		p.fail("no type")
	}
	v := Value{Type: p.typeName(), Known: true, lvalue: true}
	p.expect(",")
	v = p.member(v)
	for !p.accept(")") {
		switch {
		case p.accept("."):
			v = p.member(v)
		case p.accept("["):
			i := p.rvalue(p.expression())
			p.expect("]")
			v = p.deref(p.operate("+", p.rvalue(v), i))
		default:
			p.fail("no member")
		}
	}
	if !v.Known {
		return unknown(p.Types.Size, "%s", v.Why)
	}
	return Int(p.Types.Size, v.Bits)
}

func describe(t *ctype.Type) string {
	switch {
	case t.Name != "":
		return t.Name
	case t.Kind == ctype.Aggregate && t.Record.Tag != "":
		return "struct " + t.Record.Tag
	case t.Kind == ctype.Enum && t.Enum.Tag != "":
		return "enum " + t.Enum.Tag
	}
	return "this type"
}

// Text returns the value of tokens that are string literals alone, in brackets
// or not.
func (e *Evaluator) Text(tokens []ctoken.Token) (v Value, err error) {
	defer recoverError(&err)
	p := &parser{Evaluator: e, tokens: tokens}
	v = p.expression()
	p.end()
	return v, nil
}
