package cheader

import (
	"fmt"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// A piece is a token in its line.
type piece struct {
	kind   ctoken.Kind
	text   string
	line   int
	spaced bool // white space stands before it
	at     int  // its offset in the spliced text
}

// scanner splits a header's text into lines of pieces.
type scanner struct {
	name    string
	text    string // spliced
	splices []int  // offsets where a line was spliced on
	at      int
	line    int
	depth   int // of brackets

	comments []comment
	followed bool // what follows the last comment is known
	slashes  bool // the last comment is of the // kind
}

// splice removes every backslash at the end of a line together with its end.
func splice(text string) (spliced string, at []int) {
	if !strings.Contains(text, "\\\n") {
		return text, nil
	}
	var b strings.Builder
	for {
		i := strings.Index(text, "\\\n")
		if i < 0 {
			b.WriteString(text)
			return b.String(), at
		}
		b.WriteString(text[:i])
		at = append(at, b.Len())
		text = text[i+2:]
	}
}

// advance moves to an offset and counts the lines on the way.
func (s *scanner) advance(to int) {
	s.line += strings.Count(s.text[s.at:to], "\n")
	s.at = to
	for len(s.splices) > 0 && s.splices[0] <= to {
		s.splices = s.splices[1:]
		s.line++
	}
}

// next returns the pieces of the next line that has any, or nil at the end. A
// comment does not end a line.
func (s *scanner) next() ([]piece, error) {
	var line []piece
	spaced := false
	for s.at < len(s.text) {
		rest := s.text[s.at:]
		switch c := rest[0]; {
		case c == '\n':
			s.advance(s.at + 1)
			if line != nil {
				return line, nil
			}
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			s.advance(s.at + 1)
			spaced = true
			continue
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return nil, fmt.Errorf("%s:%d: a comment without an end", s.name, s.line)
			}
			start := s.line
			s.advance(s.at + 2 + end + 2)
			s.comment(rest[:2+end+2], start, line != nil)
			spaced = true
			continue
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			start := s.line
			s.advance(s.at + end)
			s.comment(rest[:end], start, line != nil)
			continue
		}
		s.follows(s.line)
		kind, text, n := ctoken.Next(rest)
		switch text {
		case "(", "[", "{":
			if s.depth++; s.depth > maxNesting {
				return nil, fmt.Errorf("%s:%d: more than %d levels of brackets", s.name, s.line, maxNesting)
			}
		case ")", "]", "}":
			s.depth = max(s.depth-1, 0)
		}
		if kind == ctoken.Word && strings.HasPrefix(text, markPrefix) {
			return nil, fmt.Errorf("%s:%d: %s: no header may use names that begin with %s", s.name, s.line, text, markPrefix)
		}
		line = append(line, piece{kind, text, s.line, spaced, s.at})
		spaced = false
		s.advance(s.at + n)
	}
	return line, nil
}
