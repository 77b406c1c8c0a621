package cexpr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
	"github.com/zuffd/uffd/gen/internal/ctype"
)

// number returns the value of an integer constant, in the first type that
// holds it of those that its base and its suffix allow.
func (p *parser) number(t ctoken.Token) Value {
	digits := strings.TrimRight(t.Text, "uUlL")
	suffix := strings.ToLower(t.Text[len(digits):])
	base := 10
	switch lower := strings.ToLower(digits); {
	case strings.HasPrefix(lower, "0x"):
		base, digits = 16, digits[2:]
	case strings.HasPrefix(lower, "0b"):
		base, digits = 2, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, digits = 8, digits[1:]
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		if isFloat(t.Text) {
			return unknown(p.Types.Double, "a floating-point number")
		}
		p.at--
		p.fail("no integer of 64 bits")
	}
	long := strings.Count(suffix, "l")
	unsignedOnly := strings.Contains(suffix, "u")
	if !slices.Contains(suffixes, suffix) || strings.Contains(t.Text, "lL") || strings.Contains(t.Text, "Ll") {
		p.at--
		p.fail("no suffix of an integer")
	}
	types := []*ctype.Type{p.Types.Int, p.Types.UInt, p.Types.Long, p.Types.ULong, p.Types.LLong, p.Types.ULLong}
	for i := 2 * long; i < len(types); i++ {
		isSigned := i%2 == 0
		if unsignedOnly && isSigned || !unsignedOnly && !isSigned && base == 10 {
			continue
		}
		if v := Int(types[i], n); v.Bits == n && !v.Negative() {
			return v
		}
	}
	p.at--
	p.fail("an integer that no type holds")
	panic("unreachable")
}

// suffixes are those of integers, in lower case.
var suffixes = []string{"", "u", "l", "ul", "lu", "ll", "ull", "llu"}

func isFloat(s string) bool {
	s = strings.ToLower(s)
	_, err := strconv.ParseFloat(strings.TrimRight(s, "fld"), 64)
	return err == nil && strings.ContainsAny(s, ".ep")
}

// character returns the value of a character constant, which may have up to
// four characters.
func (p *parser) character(t ctoken.Token) Value {
	body := t.Text
	if body[0] != '\'' {
		return unknown(p.Types.Int, "a wide character")
	}
	if len(body) < 3 || body[len(body)-1] != '\'' {
		p.at--
		p.fail("no character")
	}
	chars, ok := unescape(body[1 : len(body)-1])
	if !ok || len(chars) == 0 || len(chars) > 4 {
		p.at--
		p.fail("no character")
	}
	if len(chars) == 1 {
		return Int(p.Types.Int, Int(p.Types.Char, uint64(chars[0])).Bits)
	}
	n := uint64(0)
	for i := range len(chars) {
		n = n<<8 | uint64(chars[i])
	}
	return Int(p.Types.Int, n)
}

// text returns the value of adjacent string literals, which are one.
func (p *parser) text() Value {
	var b strings.Builder
	for p.peek(0).Kind == ctoken.String {
		t := p.peek(0)
		if t.Text[0] != '"' {
			p.fail("a string of wide characters")
		}
		if len(t.Text) < 2 || t.Text[len(t.Text)-1] != '"' {
			p.fail("a string without an end")
		}
		part, ok := unescape(t.Text[1 : len(t.Text)-1])
		if !ok {
			p.fail("an unknown escape")
		}
		b.WriteString(part)
		p.at++
	}
	s := b.String()
	return Value{Type: ctype.ArrayOf(p.Types.Char, int64(len(s))+1), Text: s, IsText: true, Why: "a string"}
}

var escapes = map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', 'a': 7, 'b': '\b', 'f': '\f', 'v': '\v', 'e': 27, 'E': 27, '\\': '\\', '\'': '\'', '"': '"', '?': '?'}

// unescape returns the bytes that the inside of a literal stands for.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '\\') < 0 {
		return s, true
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		if c, ok := escapes[s[i]]; ok {
			b.WriteByte(c)
			continue
		}
		start, most, base := i, 3, 8
		if s[i] == 'x' {
			start, most, base = i+1, len(s), 16
		}
		end := start
		for end < len(s) && end-start < most && strings.IndexByte("0123456789abcdef"[:base], s[end]|0x20) >= 0 || end < len(s) && end-start < most && s[end] >= '0' && int(s[end]-'0') < min(base, 10) {
			end++
		}
		n, err := strconv.ParseUint(s[start:end], base, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i = end - 1
	}
	return b.String(), true
}
