package cheader

import (
	"fmt"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"modernc.org/cc/v4"
)

// constants fills in the constants, ioctls and omissions of m: every macro
// and enumerator that the header itself defines is in one of them.
func (b *builder) constants(m *abi.Model, a arch, content string) error {
	guard := includeGuard(content)
	for _, name := range definitions(content) {
		macro := b.ast.Macros[name]
		if macro == nil || macro.Position().Filename != b.file {
			// Undefined again, in a branch not taken, or defined by another
			// header first.
			continue
		}
		reason := ""
		switch {
		case name == guard && len(macro.ReplacementList()) == 0:
			reason = "include guard"
		case macro.IsFnLike:
			reason = "function-like"
		case !macro.IsConst:
			return fmt.Errorf("%v: %s is defined more than once, in different ways", macro.Position(), name)
		}
		if reason != "" {
			m.Omitted = append(m.Omitted, abi.Omission{Name: name, Reason: reason})
			continue
		}
		value, ok := integer(macro.Value(), macro.Type())
		if !ok {
			if err := b.mustNotBeInteger(macro); err != nil {
				return err
			}
			m.Omitted = append(m.Omitted, abi.Omission{Name: name, Reason: "not an integer"})
			continue
		}
		m.Constants = append(m.Constants, abi.Constant{Name: name, Value: value, Line: macro.Position().Line})
		if ioctl, ok, err := b.ioctl(macro, value); err != nil {
			return err
		} else if ok {
			m.Ioctls = append(m.Ioctls, ioctl)
		}
	}
	for _, e := range b.enumerators() {
		value, ok := integer(e.Value(), e.Type())
		if !ok {
			return fmt.Errorf("%v: the value of %s is not known", e.Position(), e.Token.SrcStr())
		}
		m.Constants = append(m.Constants, abi.Constant{Name: e.Token.SrcStr(), Value: value, Line: e.Position().Line})
	}
	return nil
}

// integer returns the value of a constant expression of an integer type.
func integer(v cc.Value, t cc.Type) (abi.Int, bool) {
	if t != nil && !cc.IsIntegerType(t) {
		return abi.Int{}, false
	}
	switch x := v.(type) {
	case cc.Int64Value:
		return abi.Signed(int64(x)), true
	case cc.UInt64Value:
		return abi.Unsigned(uint64(x)), true
	}
	return abi.Int{}, false
}

// mustNotBeInteger returns an error for a macro without a value that looks as
// if it had one: the parser has failed on it, or its expansion was cut off.
// Nothing is to be left out for that reason in silence.
func (b *builder) mustNotBeInteger(m *cc.Macro) error {
	list := m.ReplacementList()
	for _, t := range list {
		src := t.SrcStr()
		if strings.HasPrefix(src, `"`) || b.ast.Macros[src] == nil && isWord(src) && !b.isConstantName(src) {
			return nil // a string, a type, a keyword or a name that only a program has
		}
	}
	if len(list) == 0 {
		return nil
	}
	if v := m.Value(); v != cc.Unknown && v != nil {
		return nil // a floating-point number, say
	}
	for _, t := range list {
		if inner := b.ast.Macros[t.SrcStr()]; inner != nil && inner != m && !inner.IsFnLike {
			if _, ok := integer(inner.Value(), inner.Type()); !ok {
				return nil // no integer because another macro is none, which that one accounts for
			}
		}
	}
	return fmt.Errorf("%v: %s has no value: its expansion is no constant expression, or is too long", m.Position(), m.Name.SrcStr())
}

func (b *builder) isConstantName(name string) bool {
	for _, e := range b.enumerators() {
		if e.Token.SrcStr() == name {
			return true
		}
	}
	return false
}

// ioctl returns the ioctl that a macro encodes, if its replacement is a use of
// one of linux/ioctl.h's macros, directly or through another macro.
func (b *builder) ioctl(m *cc.Macro, value abi.Int) (abi.Ioctl, bool, error) {
	var dir string
	list := m.ReplacementList()
	for depth := 0; depth < 10; depth++ {
		if len(list) == 0 {
			return abi.Ioctl{}, false, nil
		}
		switch list[0].SrcStr() {
		case "_IO":
			dir = "none"
		case "_IOR":
			dir = "r"
		case "_IOW":
			dir = "w"
		case "_IOWR":
			dir = "rw"
		default:
			next := b.ast.Macros[list[0].SrcStr()]
			if next == nil || next.IsFnLike || len(words(list)) != 1 {
				return abi.Ioctl{}, false, nil
			}
			list = next.ReplacementList()
			continue
		}
		break
	}
	if dir == "" {
		return abi.Ioctl{}, false, nil
	}
	bits := int64(14)
	if v, ok := b.macroValue("_IOC_SIZEBITS"); ok {
		bits = v
	}
	v := int64(value.Uint64())
	io := abi.Ioctl{
		Name: m.Name.SrcStr(),
		Dir:  dir,
		Nr:   v & 0xff,
		Type: v >> 8 & 0xff,
		Size: v >> 16 & (1<<bits - 1),
	}
	if dir != "none" {
		arg, err := lastArgument(list)
		if err != nil {
			return abi.Ioctl{}, false, fmt.Errorf("%v: %s: %w", m.Position(), m.Name.SrcStr(), err)
		}
		io.Struct = strings.TrimPrefix(strings.TrimPrefix(arg, "struct "), "union ")
	}
	return io, true, nil
}

func (b *builder) macroValue(name string) (int64, bool) {
	m := b.ast.Macros[name]
	if m == nil {
		return 0, false
	}
	v, ok := integer(m.Value(), m.Type())
	return int64(v.Uint64()), ok
}

// lastArgument returns the text after the last comma at the outermost level
// of a macro's use, without the closing parenthesis.
func lastArgument(list []cc.Token) (string, error) {
	ws := words(list)
	depth, start := 0, -1
	for i, w := range ws {
		switch w {
		case "(":
			depth++
		case ")":
			depth--
			if depth == 0 {
				if start < 0 {
					return "", fmt.Errorf("no argument type")
				}
				return strings.Join(ws[start:i], " "), nil
			}
		case ",":
			if depth == 1 {
				start = i + 1
			}
		}
	}
	return "", fmt.Errorf("no argument type")
}

// words returns the tokens' texts without white space.
func words(list []cc.Token) []string {
	var ws []string
	for _, t := range list {
		if s := strings.TrimSpace(t.SrcStr()); s != "" {
			ws = append(ws, s)
		}
	}
	return ws
}

func isWord(s string) bool {
	return s != "" && (s[0] == '_' || s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}
