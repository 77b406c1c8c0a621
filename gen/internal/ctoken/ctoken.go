// Package ctoken splits C source into the preprocessing tokens of the
// standard's third phase of translation.
package ctoken

import "strings"

// A Kind is what a token is.
type Kind uint8

// The kinds of tokens.
const (
	Word   Kind = iota // an identifier or a keyword
	Number             // a preprocessing number
	String             // "..." with its prefix, if any
	Char               // '...' with its prefix, if any
	Mark               // a punctuator, or a character that is nothing else
)

// A Token is a preprocessing token and the place that it stands in.
type Token struct {
	Kind Kind
	Text string
	File string // as messages name it
	Line int    // from 1
}

// Is reports whether t is a word or a punctuator of this text.
func (t Token) Is(text string) bool {
	return t.Text == text && (t.Kind == Word || t.Kind == Mark)
}

// Unterminated reports whether t is a string or a character constant that its
// line ends before it does.
func (t Token) Unterminated() bool {
	if t.Kind != String && t.Kind != Char {
		return false
	}
	return !closes(t.Text[strings.IndexAny(t.Text, `"'`):])
}

// closes reports whether a literal ends in what it begins with, and that is no
// part of an escape.
func closes(literal string) bool {
	for i := 1; i < len(literal); i++ {
		switch literal[i] {
		case '\\':
			i++
		case literal[0]:
			return i == len(literal)-1
		}
	}
	return false
}

// Join returns the texts of tokens with a space between them.
func Join(tokens []Token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.Text)
	}
	return b.String()
}

// Next returns the token that text begins with: text has neither white space
// nor comments there, and is not empty. Digraphs are returned as what they
// stand for, with the length that they have.
func Next(text string) (kind Kind, token string, length int) {
	c := text[0]
	switch {
	case isLetter(c):
		n := 1
		for n < len(text) && (isLetter(text[n]) || isDigit(text[n])) {
			n++
		}
		if n < len(text) && (text[n] == '"' || text[n] == '\'') {
			switch text[:n] {
			case "L", "u", "U", "u8":
				q := n + quoted(text[n:])
				if text[n] == '"' {
					return String, text[:q], q
				}
				return Char, text[:q], q
			}
		}
		return Word, text[:n], n
	case isDigit(c), c == '.' && len(text) > 1 && isDigit(text[1]):
		n := 1
		for n < len(text) {
			d := text[n]
			if isLetter(d) || isDigit(d) || d == '.' || (d == '+' || d == '-') && strings.IndexByte("eEpP", text[n-1]) >= 0 {
				n++
				continue
			}
			break
		}
		return Number, text[:n], n
	case c == '"':
		n := quoted(text)
		return String, text[:n], n
	case c == '\'':
		n := quoted(text)
		return Char, text[:n], n
	}
	for _, d := range digraphs {
		if strings.HasPrefix(text, d.text) {
			return Mark, d.means, len(d.text)
		}
	}
	for _, p := range punctuators {
		if strings.HasPrefix(text, p) {
			return Mark, p, len(p)
		}
	}
	return Mark, text[:1], 1
}

// The longer ones come first.
var (
	digraphs    = []struct{ text, means string }{{"%:%:", "##"}, {"%:", "#"}, {"<:", "["}, {":>", "]"}, {"<%", "{"}, {"%>", "}"}}
	punctuators = []string{"<<=", ">>=", "...", "->", "++", "--", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "*=", "/=", "%=", "+=", "-=", "&=", "^=", "|=", "##"}
)

// quoted returns the length of the string or character constant that text
// begins with. One without an end is as long as its line.
func quoted(text string) int {
	for i := 1; i < len(text) && text[i] != '\n'; i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	if n := strings.IndexByte(text, '\n'); n >= 0 {
		return n
	}
	return len(text)
}

// isLetter takes every byte beyond ASCII for one, as identifiers may have them.
func isLetter(c byte) bool {
	return c == '_' || c == '$' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
