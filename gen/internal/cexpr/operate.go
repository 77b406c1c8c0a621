package cexpr

import (
	"math/bits"

	"github.com/zuffd/uffd/gen/internal/ctype"
)

// rvalue returns the value of what may be an lvalue: memory has no constant
// value, but an array is the address of its first element.
func (p *parser) rvalue(v Value) Value {
	if v.Type.Kind == ctype.Array {
		t := p.Types.PointerTo(v.Type.Elem)
		if v.IsText {
			v.Type = t
			v.Known, v.Why = false, "a string"
			return v
		}
		return Value{Type: t, Known: v.Known && v.lvalue, Why: v.Why, Bits: v.Bits}
	}
	if v.lvalue {
		why := v.Why
		if why == "" {
			why = "it reads memory"
		}
		return unknown(v.Type, "%s", why)
	}
	return v
}

func (p *parser) address(v Value) Value {
	if !v.lvalue {
		if v.Type.Kind == ctype.Function {
			return unknown(p.Types.PointerTo(v.Type), "the address of a function")
		}
		p.fail("no address is to be had")
	}
	return Value{Type: p.Types.PointerTo(v.Type), Known: v.Known, Why: v.Why, Bits: v.Bits}
}

func (p *parser) deref(v Value) Value {
	if v.Type.Kind != ctype.Pointer {
		p.fail("no pointer")
	}
	return Value{Type: v.Type.Elem, Known: v.Known, Why: v.Why, Bits: v.Bits, lvalue: true}
}

// member reads a member's name and returns the member of v.
func (p *parser) member(v Value) Value {
	name := p.peek(0)
	if v.Type.Kind != ctype.Aggregate || !v.Type.Record.Complete {
		p.fail("no struct that is defined")
	}
	p.at++
	f, offset := find(v.Type.Record, name.Text)
	if f == nil {
		p.at--
		p.fail("no such member")
	}
	if f.BitField {
		return unknown(f.Type, "a bit-field")
	}
	v.Type, v.Bits = f.Type, v.Bits+uint64(offset)
	return v
}

// find returns a member of a record, or of what it holds without a name, and
// its offset in bytes.
func find(r *ctype.Record, name string) (*ctype.Field, int64) {
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Name == name {
			return f, f.Offset / 8
		}
		if f.Name == "" && f.Type.Kind == ctype.Aggregate {
			if inner, offset := find(f.Type.Record, name); inner != nil {
				return inner, f.Offset/8 + offset
			}
		}
	}
	return nil, 0
}

// convert casts a value to a type.
func (p *parser) convert(v Value, t *ctype.Type) Value {
	from := v.Type.Integral() != nil || v.Type.Kind == ctype.Pointer
	to := t.Integral() != nil || t.Kind == ctype.Pointer
	size, ok := t.Size()
	switch {
	case !v.Known:
		return Value{Type: t, Why: v.Why}
	case !from || !to || !ok:
		return unknown(t, "a conversion to %s", describe(t))
	case size > 8:
		return unknown(t, "an integer of more than 64 bits")
	}
	return Int(t, v.Bits)
}

// prefix applies a unary operator.
func (p *parser) prefix(op string, v Value) Value {
	if op == "!" {
		if !v.Known {
			return unknown(p.Types.Int, "%s", v.Why)
		}
		return p.truth(v.zero())
	}
	if v.Type.Integral() == nil {
		return unknown(v.Type, "%s of no integer", op)
	}
	t := p.Types.Promote(v.Type)
	v = p.convert(v, t)
	if !v.Known {
		return v
	}
	switch op {
	case "-":
		r := Int(t, -v.Bits)
		if signed(t) && v.Negative() && r.Negative() {
			return unknown(t, "the value overflows")
		}
		return r
	case "~":
		return Int(t, ^v.Bits)
	}
	return v
}

func (p *parser) truth(is bool) Value {
	if is {
		return Int(p.Types.Int, 1)
	}
	return Int(p.Types.Int, 0)
}

// operate applies a binary operator.
func (p *parser) operate(op string, x, y Value) Value {
	switch op {
	case "||", "&&":
		// The right side counts only where the left one does not decide.
		if x.Known && x.zero() == (op == "&&") {
			return p.truth(op == "||")
		}
		for _, v := range []Value{x, y} {
			if !v.Known {
				return unknown(p.Types.Int, "%s", v.Why)
			}
		}
		return p.truth(!y.zero())
	}
	if x.Type.Kind == ctype.Pointer || y.Type.Kind == ctype.Pointer {
		return p.pointers(op, x, y)
	}
	if x.Type.Integral() == nil || y.Type.Integral() == nil {
		t := x.Type
		if y.Type.Kind == ctype.Float {
			t = y.Type
		}
		switch op {
		case "==", "!=", "<", ">", "<=", ">=":
			t = p.Types.Int
		}
		return unknown(t, "%s of no integers", op)
	}
	t := p.Types.Common(x.Type, y.Type)
	if op == "<<" || op == ">>" {
		t = p.Types.Promote(x.Type)
		x, y = p.convert(x, t), p.convert(y, p.Types.Promote(y.Type))
	} else {
		x, y = p.convert(x, t), p.convert(y, t)
	}
	result := t
	switch op {
	case "==", "!=", "<", ">", "<=", ">=":
		result = p.Types.Int
	}
	for _, v := range []Value{x, y} {
		if !v.Known {
			return unknown(result, "%s", v.Why)
		}
	}
	return p.integers(op, t, x, y)
}

// integers applies an operator to known values of one type, but for the count
// of a shift.
func (p *parser) integers(op string, t *ctype.Type, x, y Value) Value {
	isSigned := signed(t)
	a, b := x.Bits, y.Bits
	size, _ := t.Size()
	switch op {
	case "==":
		return p.truth(a == b)
	case "!=":
		return p.truth(a != b)
	case "<", ">", "<=", ">=":
		less, more := a < b, a > b
		if isSigned {
			less, more = int64(a) < int64(b), int64(a) > int64(b)
		}
		return p.truth(op == "<" && less || op == ">" && more || op == "<=" && !more || op == ">=" && !less)
	case "&":
		return Int(t, a&b)
	case "|":
		return Int(t, a|b)
	case "^":
		return Int(t, a^b)
	case "<<", ">>":
		if y.Negative() || b >= uint64(size*8) {
			return unknown(t, "a shift by as many bits as there are, or more")
		}
		if op == "<<" {
			return Int(t, a<<b)
		}
		if isSigned {
			return Int(t, uint64(int64(a)>>b))
		}
		return Int(t, a>>b)
	case "/", "%":
		switch {
		case b == 0:
			return unknown(t, "a division by zero")
		case !isSigned && op == "/":
			return Int(t, a/b)
		case !isSigned:
			return Int(t, a%b)
		case int64(b) == -1 && Int(t, -a).Bits == a && a != 0:
			return unknown(t, "the value overflows")
		case op == "/":
			return Int(t, uint64(int64(a)/int64(b)))
		}
		return Int(t, uint64(int64(a)%int64(b)))
	}
	var r uint64
	overflows := false
	switch op {
	case "+":
		r = a + b
		overflows = (a^r)&(b^r)>>63 != 0
	case "-":
		r = a - b
		overflows = (a^b)&(a^r)>>63 != 0
	case "*":
		r = a * b
		overflows = wideProduct(int64(a), int64(b))
	}
	v := Int(t, r)
	if isSigned && (overflows && size == 8 || v.Bits != r) {
		return unknown(t, "the value overflows")
	}
	return v
}

// wideProduct reports whether a product needs more than 64 bits.
func wideProduct(a, b int64) bool {
	negative := (a < 0) != (b < 0)
	ua, ub := uint64(a), uint64(b)
	if a < 0 {
		ua = -ua
	}
	if b < 0 {
		ub = -ub
	}
	hi, lo := bits.Mul64(ua, ub)
	if negative {
		return hi != 0 || lo > 1<<63
	}
	return hi != 0 || lo >= 1<<63
}

// pointers applies an operator of which an operand is a pointer.
func (p *parser) pointers(op string, x, y Value) Value {
	for _, v := range []Value{x, y} {
		if v.Type.Kind != ctype.Pointer && v.Type.Integral() == nil {
			return unknown(p.Types.Int, "%s of no integers", op)
		}
	}
	both := x.Type.Kind == y.Type.Kind
	result := x.Type
	if x.Type.Kind != ctype.Pointer {
		result = y.Type
	}
	switch {
	case op == "==" || op == "!=" || op == "<" || op == ">" || op == "<=" || op == ">=":
		result = p.Types.Int
	case op == "-" && both:
		result = p.Types.PtrDiff
	case op != "+" && op != "-" || both:
		p.fail("%s of pointers", op)
	}
	for _, v := range []Value{x, y} {
		if !v.Known {
			return unknown(result, "%s", v.Why)
		}
	}
	switch op {
	case "+", "-":
		elem := result
		if both {
			elem = x.Type
		}
		size, ok := elem.Elem.Size()
		switch {
		case !ok:
			return unknown(result, "the size of what is pointed to is not known")
		case both && size == 0:
			return unknown(result, "a division by zero")
		case both:
			return Int(result, uint64(int64(x.Bits-y.Bits)/size))
		case op == "-":
			return Int(result, x.Bits-y.Bits*uint64(size))
		case y.Type.Kind == ctype.Pointer:
			return Int(result, y.Bits+x.Bits*uint64(size))
		}
		return Int(result, x.Bits+y.Bits*uint64(size))
	case "==":
		return p.truth(x.Bits == y.Bits)
	case "!=":
		return p.truth(x.Bits != y.Bits)
	}
	return unknown(result, "an order of pointers")
}
