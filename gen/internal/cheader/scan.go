package cheader

import (
	"strings"
)

// A token is a piece of a header's text as the scanner for documentation sees
// it: less than C's tokens, but with the comments.
type token struct {
	kind tokenKind
	text string
	line int // where it begins
	end  int // where it ends
}

type tokenKind int

const (
	comment   tokenKind = iota // "/* ... */", or a run of "//" lines
	word                       // identifier or number
	punct                      // one character
	directive                  // "#define NAME ...", with its continuation lines
)

// scan splits a header's text. Strings and characters count as words.
func scan(text string) []token {
	var all []token
	line := 1
	for i := 0; i < len(text); {
		start, startLine := i, line
		kind := punct
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == '\\':
			i++
			continue
		case strings.HasPrefix(text[i:], "/*"):
			kind = comment
			i = after(text, i+2, "*/")
		case strings.HasPrefix(text[i:], "//"):
			kind = comment
			i = after(text, i, "\n")
		case c == '#':
			kind = directive
			i = endOfDirective(text, i)
		case c == '"' || c == '\'':
			kind = word
			i = endOfString(text, i)
		case isWordByte(c):
			kind = word
			for i < len(text) && isWordByte(text[i]) {
				i++
			}
		default:
			i++
		}
		piece := text[start:i]
		line += strings.Count(piece, "\n")
		all = append(all, token{kind, piece, startLine, line})
	}
	return all
}

// after returns the index behind the next end at or after i, or the end of
// the text.
func after(text string, i int, end string) int {
	if j := strings.Index(text[i:], end); j >= 0 {
		return i + j + len(end)
	}
	return len(text)
}

// endOfDirective returns the index of the newline that ends a directive: one
// that neither a backslash nor a comment carries over.
func endOfDirective(text string, i int) int {
	for i < len(text) {
		switch {
		case text[i] == '\n':
			return i
		case strings.HasPrefix(text[i:], "\\\n"):
			i += 2
		case strings.HasPrefix(text[i:], "/*"):
			i = after(text, i+2, "*/")
		case text[i] == '"' || text[i] == '\'':
			i = endOfString(text, i)
		default:
			i++
		}
	}
	return i
}

// endOfString returns the index behind a string or character that begins at
// i, or that of the newline that it lacks its end before.
func endOfString(text string, i int) int {
	quote := text[i]
	for i++; i < len(text) && text[i] != '\n'; i++ {
		if text[i] == '\\' {
			i++
		} else if text[i] == quote {
			return i + 1
		}
	}
	return min(i, len(text))
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// defined returns the name that a "#define" directive defines, or "".
func (t token) defined() string {
	if t.kind != directive {
		return ""
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(t.text[1:], " \t"), "define")
	if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t")
	end := 0
	for end < len(rest) && isWordByte(rest[end]) {
		end++
	}
	return rest[:end]
}
