package cheader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/gen/internal/cexpr"
	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
	"github.com/zuffd/uffd/internal/abi"
)

// macroConstants fills in the constants and strings that the header's macros
// stand for at its end, the ioctls among them, and those that are left out:
// every macro that the header itself defines is one of them.
func (b *builder) macroConstants() error {
	var own []*definition
	for _, def := range b.macros {
		if def != nil && def.file == b.header {
			own = append(own, def)
		}
	}
	slices.SortFunc(own, func(x, y *definition) int {
		if x.line != y.line {
			return x.line - y.line
		}
		return strings.Compare(x.name, y.name)
	})
	for _, def := range own {
		if b.namesEnumerator(def) {
			continue // of which the enum tells
		}
		v, reason := b.macro(def)
		switch {
		case reason != "":
			b.model.Omitted = append(b.model.Omitted, abi.Omission{Name: def.name, Reason: reason, Line: def.line})
		case v.IsText:
			b.model.Strings = append(b.model.Strings, abi.String{Name: def.name, Value: v.Text, Line: def.line})
		default:
			b.model.Constants = append(b.model.Constants, abi.Constant{Name: def.name, Value: intOf(v), Line: def.line})
			if io, ok := b.ioctl(def.name, v); ok {
				b.model.Ioctls = append(b.model.Ioctls, io)
			}
		}
	}
	return nil
}

// namesEnumerator reports whether a macro stands for an enumerator of the header
// by the same name.
func (b *builder) namesEnumerator(def *definition) bool {
	tokens := b.values[def.name]
	return !def.function && len(tokens) == 1 && tokens[0].Text == def.name && b.ownEnumerators[def.name]
}

// isConstant reports whether a macro has an integer value.
func (b *builder) isConstant(name string) bool {
	def := b.macros[name]
	if def == nil || def.file != b.header || b.namesEnumerator(def) {
		return false
	}
	v, reason := b.macro(def)
	return reason == "" && !v.IsText
}

// macro returns the value of a macro, or the reason why it has none.
func (b *builder) macro(def *definition) (v cexpr.Value, reason string) {
	switch {
	case def.name == b.header.guard && def.empty():
		return v, "include guard"
	case def.function:
		return v, "function-like"
	case def.empty():
		return v, "no value"
	case def.broken():
		return v, "no constant expression: it ends in a comma"
	}
	if err := b.unit.broken[def.name]; err != nil {
		_, what, _ := strings.Cut(err.Error(), fmt.Sprintf(":%d: ", def.line))
		return v, "it does not expand: " + what
	}
	tokens := b.values[def.name]
	if len(tokens) == 0 {
		return v, "no value"
	}
	if slices.ContainsFunc(tokens, func(t ctoken.Token) bool { return t.Text == stringized }) {
		return v, "no constant here: the # operator makes it"
	}
	if slices.ContainsFunc(tokens, func(t ctoken.Token) bool { return t.Text == varies }) {
		return v, "no constant: it depends on where it is used"
	}
	if isText(tokens) {
		text, err := b.eval.Text(tokens)
		if err != nil {
			return v, err.Error()
		}
		return text, ""
	}
	tokens, ok := b.encode(tokens, 0)
	if !ok {
		return v, "no constant: an ioctl of ioctls"
	}
	v, err := b.eval.Eval(tokens)
	switch {
	case err != nil:
		if t, typeErr := b.eval.Type(tokens); typeErr == nil {
			return v, "a type: " + spelling(t)
		}
		return v, "no constant expression: " + err.Error()
	case !v.Known:
		return v, "no constant: " + v.Why
	case v.Type.Kind == ctype.Pointer:
		return v, "a pointer"
	case v.Type.Integral() == nil:
		return v, "no integer"
	}
	return v, ""
}

func isText(tokens []ctoken.Token) bool {
	return !slices.ContainsFunc(unwrap(tokens), func(t ctoken.Token) bool { return t.Kind != ctoken.String })
}

// unwrap takes the brackets that are around all of the tokens away.
func unwrap(tokens []ctoken.Token) []ctoken.Token {
	for len(tokens) > 2 && tokens[0].Is("(") && closing(tokens, 0) == len(tokens)-1 {
		tokens = tokens[1 : len(tokens)-1]
	}
	return tokens
}

// encode puts what _IOC expands to in the place of each [ioctlCall].
func (b *builder) encode(tokens []ctoken.Token, depth int) ([]ctoken.Token, bool) {
	at := slices.IndexFunc(tokens, func(t ctoken.Token) bool { return t.Text == ioctlCall })
	if at < 0 {
		return tokens, true
	}
	end := -1
	if at+1 < len(tokens) {
		end = closing(tokens, at+1)
	}
	if end < 0 || depth > 20 {
		return nil, false
	}
	args := split(tokens[at+2 : end])
	all := slices.Clone(tokens[:at])
	for _, t := range b.values[ioctlCall] {
		number, ok := strings.CutPrefix(t.Text, ioctlOperand)
		if !ok {
			all = append(all, t)
			continue
		}
		i := int(number[0] - '0')
		if i >= len(args) {
			return nil, false
		}
		all = append(all, args[i]...)
	}
	return b.encode(append(all, tokens[end+1:]...), depth+1)
}

// intOf returns the model's form of a known integer.
func intOf(v cexpr.Value) abi.Int {
	if v.Negative() {
		return abi.Signed(int64(v.Bits))
	}
	return abi.Unsigned(v.Bits)
}

// ioctl returns the ioctl that a macro encodes, if all that it expands to is
// linux/ioctl.h's _IOC, by whichever macros.
func (b *builder) ioctl(name string, v cexpr.Value) (abi.Ioctl, bool) {
	tokens := unwrap(b.values[name])
	if len(tokens) < 3 || tokens[0].Text != ioctlCall || closing(tokens, 1) != len(tokens)-1 {
		return abi.Ioctl{}, false
	}
	args := split(tokens[2 : len(tokens)-1])
	if len(args) != 4 {
		return abi.Ioctl{}, false
	}
	var n [4]int64
	for i, arg := range args {
		arg, ok := b.encode(arg, 0)
		if !ok {
			return abi.Ioctl{}, false
		}
		a, err := b.eval.Eval(arg)
		if err != nil || !a.Known || a.Type.Integral() == nil {
			return abi.Ioctl{}, false
		}
		n[i] = int64(a.Bits)
	}
	bits := b.number("_IOC_SIZEBITS")
	io := abi.Ioctl{
		Name: name,
		Dir:  b.direction(n[0]),
		Nr:   int64(v.Bits) & 0xff,
		Type: int64(v.Bits) >> 8 & 0xff,
		Size: int64(v.Bits) >> 16 & (1<<bits - 1),
	}
	// What does not fit its place in the number spills into the next one.
	if n[1] != io.Type || n[2] != io.Nr || n[3] != io.Size || io.Dir == "" {
		return abi.Ioctl{}, false
	}
	io.Struct = b.argument(args[3])
	return io, true
}

// number returns the value of one of [ioctlMacros].
func (b *builder) number(name string) int64 {
	v, err := b.eval.Eval(b.values[name])
	if err != nil || !v.Known {
		return -1
	}
	return int64(v.Bits)
}

// direction says what the first operand of _IOC means on this architecture.
func (b *builder) direction(dir int64) string {
	none, read, write := b.number("_IOC_NONE"), b.number("_IOC_READ"), b.number("_IOC_WRITE")
	switch dir {
	case none:
		return "none"
	case read:
		return "r"
	case write:
		return "w"
	case read | write:
		return "rw"
	}
	return ""
}

// argument returns the type that the size of an ioctl is that of, as C writes
// it, without the keyword of a struct or union; "" where the size is none of a
// type.
func (b *builder) argument(size []ctoken.Token) string {
	size = unwrap(size)
	if len(size) < 2 || !size[0].Is("sizeof") {
		return ""
	}
	arg := unwrap(size[1:])
	if t, err := b.eval.Type(arg); err == nil && t.Kind == ctype.Aggregate {
		b.argued[t.Record] = true
	}
	name := ctoken.Join(arg)
	for _, keyword := range []string{"struct ", "union "} {
		name = strings.TrimPrefix(name, keyword)
	}
	return name
}
