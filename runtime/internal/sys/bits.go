package sys

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// BitNames names the bits of a set; an empty string is a bit without a name.
type BitNames struct {
	Prefix string // of the C constants
	Names  [64]string
}

// Format joins the names of v's bits with "|". Bits without a name come last,
// as one hexadecimal number.
func (t *BitNames) Format(v uint64) string { return t.join(v, "") }

// FormatFull is Format with the names as C spells them.
func (t *BitNames) FormatFull(v uint64) string { return t.join(v, t.Prefix) }

func (t *BitNames) join(v uint64, prefix string) string {
	if v == 0 {
		return "0"
	}
	var b strings.Builder
	var unnamed uint64
	for rest := v; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		if t.Names[i] == "" {
			unnamed |= 1 << i
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		b.WriteString(prefix)
		b.WriteString(t.Names[i])
	}
	if unnamed != 0 {
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		fmt.Fprintf(&b, "%#x", unnamed)
	}
	return b.String()
}

// Parse is the inverse of Format. It takes names in either case, with or
// without the C prefix, and numbers, separated by '|' or ','.
func (t *BitNames) Parse(s string) (uint64, error) {
	var v uint64
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '|' || r == ',' || r == ' ' }) {
		bit, err := t.parseWord(word)
		if err != nil {
			return 0, err
		}
		v |= bit
	}
	return v, nil
}

func (t *BitNames) parseWord(word string) (uint64, error) {
	if n, err := strconv.ParseUint(word, 0, 64); err == nil {
		return n, nil
	}
	name := strings.TrimPrefix(strings.ToUpper(word), t.Prefix)
	for i, known := range t.Names {
		if known != "" && known == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("userfaultfd: %q is neither a %s* name nor a number", word, t.Prefix)
}
