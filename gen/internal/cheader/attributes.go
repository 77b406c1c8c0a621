package cheader

import (
	"slices"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// layoutAttributes are those that change a layout.
type layoutAttributes struct {
	packed  bool
	aligned int64 // bytes, 0 if not asked for
}

// harmless are the attributes that change no layout.
var harmless = []string{
	"access", "address_space", "alias", "alloc_align", "alloc_size", "always_inline", "artificial", "assume_aligned",
	"bitwise", "btf_decl_tag", "btf_type_tag", "cleanup", "cold", "const", "constructor", "context", "counted_by", "counted_by_ptr",
	"deprecated", "designated_init", "destructor", "error", "externally_visible", "fallthrough", "flatten", "force", "format", "format_arg",
	"gnu_inline", "hot", "ifunc", "leaf", "malloc", "may_alias", "no_instrument_function", "no_sanitize", "noclone", "nocast", "noderef",
	"noinline", "nonnull", "nonstring", "noreturn", "nothrow", "optimize", "preserve_access_index", "pure", "returns_nonnull",
	"returns_twice", "safe", "section", "sentinel", "symver", "target", "transparent_union", "unavailable", "unused", "used", "visibility",
	"warn_if_not_aligned", "warn_unused_result", "warning", "weak", "weakref", "zero_call_used_regs",
}

// take adds the attributes before a token to own. Attributes that are not
// known are refused, for they may change a layout.
func (s *scope) take(own *layoutAttributes, token int) error {
	for _, a := range s.attributes[token] {
		switch {
		case a.name == "packed":
			own.packed = true
		case a.name == "aligned":
			n, err := s.alignment(a)
			if err != nil {
				return err
			}
			own.aligned = max(own.aligned, n)
		case !slices.Contains(harmless, a.name):
			return errorAt(a.at, "the attribute %s may change a layout, and is not known", a.at.Text)
		}
	}
	return nil
}

// alignment evaluates the operand of aligned: a number, or, of _Alignas, a
// type.
func (s *scope) alignment(a attribute) (int64, error) {
	if len(a.args) == 0 {
		return s.types.Model.MaxAlign, nil
	}
	if t, err := s.eval.Type(a.args); err == nil {
		return s.types.MinAlign(t), nil
	}
	v, err := s.constant(a.args, a.at, "an alignment")
	if err != nil {
		return 0, err
	}
	n := int64(v.Bits)
	if n < 0 || n > 1<<28 || n&(n-1) != 0 {
		return 0, errorAt(a.at, "an alignment of %d bytes", n)
	}
	return n, nil
}

// attributesOf returns the attributes of a declarator: those among the
// specifiers, from start to before first of the first declarator, but for the
// ones of a type that is defined there; and those behind the one before, from
// after, and up to end.
func (s *scope) attributesOf(start, first, after, end int, x *specifiers) (own layoutAttributes, err error) {
	specsEnd := first
	if after != start {
		// A later declarator: the specifiers end where the first one begins.
		specsEnd = x.first
	} else {
		x.first = first
	}
	for i := start; i <= specsEnd; i++ {
		if j := x.behind(i); j > i {
			i = j
			continue
		}
		if err := s.take(&own, i); err != nil {
			return own, err
		}
	}
	from := first + 1
	if after != start {
		from = after + 1
	}
	for i := from; i <= end; i++ {
		if len(s.attributes[i]) == 0 {
			continue
		}
		if s.tokens[i-1].Is("*") || s.inBrackets(first, i) {
			var inner layoutAttributes
			if err := s.take(&inner, i); err != nil {
				return own, err
			}
			if inner != (layoutAttributes{}) {
				return own, errorAt(s.tokens[i-1], "an attribute inside a declarator")
			}
			continue
		}
		if err := s.take(&own, i); err != nil {
			return own, err
		}
	}
	return own, nil
}

// behind returns the token behind the closing brace of a type that is defined
// where token is its keyword, so that the attributes before it are its own; or
// token itself.
func (x *specifiers) behind(token int) int {
	for _, inner := range x.inner {
		if token > inner[0] && token <= inner[1] {
			return inner[1]
		}
	}
	return token
}

// inBrackets reports whether a token is in brackets that open behind another.
func (s *scope) inBrackets(from, token int) bool {
	depth := 0
	for _, t := range s.tokens[from:token] {
		if t.Kind != ctoken.Mark {
			continue
		}
		switch t.Text {
		case "(", "[":
			depth++
		case ")", "]":
			depth--
		}
	}
	return depth > 0
}
