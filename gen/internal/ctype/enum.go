package ctype

import "math/bits"

// Complete chooses the integer that an enum is stored as, as gcc does: the
// first that holds every value of int, unsigned int and the wider ones; of a
// packed enum, the smallest. least is the lowest enumerator where that is
// below zero, most the highest where that is not. ok is false where no integer
// holds both.
func (t *Types) Complete(e *EnumType, least int64, most uint64, packed bool) (ok bool) {
	signed := least < 0
	need := int64(bits.Len64(most))
	if signed {
		need = max(need, int64(bits.Len64(uint64(^least)))) + 1
	}
	candidates := [][2]*Type{{t.UInt, t.Int}, {t.ULong, t.Long}, {t.ULLong, t.LLong}}
	if packed {
		candidates = append([][2]*Type{{t.UChar, t.SChar}, {t.UShort, t.Short}}, candidates...)
	}
	for _, c := range candidates {
		integer := c[0]
		if signed {
			integer = c[1]
		}
		if need <= integer.width() {
			e.Integer, e.Complete = integer, true
			return true
		}
	}
	return false
}
