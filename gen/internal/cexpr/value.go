// Package cexpr evaluates C's constant expressions as gcc does for an
// architecture, over the types and layouts of package ctype.
package cexpr

import (
	"fmt"

	"github.com/zuffd/uffd/gen/internal/ctype"
)

// A Value is what an expression comes to.
type Value struct {
	Type *ctype.Type

	// Known is whether the value itself is known. sizeof needs it of no
	// operand; everything else that is constant does.
	Known bool
	Why   string // it is not

	// Bits are the value of an integer or a pointer, extended to 64 bits by
	// the sign of its type; of an lvalue, its address.
	Bits   uint64
	lvalue bool

	// Text is the value of a string literal, without the zero behind it.
	Text   string
	IsText bool
}

// Int returns a known value of an integer type, which holds it.
func Int(t *ctype.Type, bits uint64) Value {
	return Value{Type: t, Known: true, Bits: truncate(t, bits)}
}

// unknown returns a value of which only the type is known.
func unknown(t *ctype.Type, format string, args ...any) Value {
	return Value{Type: t, Why: fmt.Sprintf(format, args...)}
}

// Negative reports whether v is below zero.
func (v Value) Negative() bool { return signed(v.Type) && int64(v.Bits) < 0 }

func (v Value) zero() bool { return v.Bits == 0 }

func signed(t *ctype.Type) bool {
	i := t.Integral()
	return i != nil && i.Signed
}

// truncate converts bits to an integer or pointer type as C does.
func truncate(t *ctype.Type, bits uint64) uint64 {
	if t.Kind == ctype.Bool {
		if bits != 0 {
			return 1
		}
		return 0
	}
	size, _ := t.Size()
	if size >= 8 || size == 0 {
		return bits
	}
	shift := 64 - 8*size
	if signed(t) {
		return uint64(int64(bits<<shift) >> shift)
	}
	return bits << shift >> shift
}
