package userfaultfd

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// bitNames names the bits of a set; an empty string is a bit without a name.
type bitNames struct {
	prefix string // of the C constants
	names  [64]string
}

// format joins the names of v's bits with "|". Bits without a name come last,
// as one hexadecimal number.
func (t *bitNames) format(v uint64) string { return t.join(v, "") }

// formatFull is format with the names as C spells them.
func (t *bitNames) formatFull(v uint64) string { return t.join(v, t.prefix) }

func (t *bitNames) join(v uint64, prefix string) string {
	if v == 0 {
		return "0"
	}
	var b strings.Builder
	var unnamed uint64
	for rest := v; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		if t.names[i] == "" {
			unnamed |= 1 << i
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		b.WriteString(prefix)
		b.WriteString(t.names[i])
	}
	if unnamed != 0 {
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		fmt.Fprintf(&b, "%#x", unnamed)
	}
	return b.String()
}

// parse is the inverse of format. It takes names in either case, with or
// without the C prefix, and numbers, separated by '|' or ','.
func (t *bitNames) parse(s string) (uint64, error) {
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

func (t *bitNames) parseWord(word string) (uint64, error) {
	if n, err := strconv.ParseUint(word, 0, 64); err == nil {
		return n, nil
	}
	name := strings.TrimPrefix(strings.ToUpper(word), t.prefix)
	for i, known := range t.names {
		if known != "" && known == name {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("userfaultfd: %q is neither a %s* name nor a number", word, t.prefix)
}
