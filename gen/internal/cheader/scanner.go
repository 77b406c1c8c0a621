package cheader

import (
	"fmt"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// A piece is a token in its line.
type piece struct {
	text   string
	line   int32
	at     int32 // its offset in the spliced text
	kind   ctoken.Kind
	spaced bool // white space stands before it
}

// scanner splits a header's text into lines of pieces.
type scanner struct {
	name    string
	text    string // spliced
	splices []int  // offsets where a line was spliced on
	at      int
	line    int
	depth   int // of brackets

	block []piece // of which lines are parts

	keep     bool // comments are wanted
	comments []comment
	followed bool // what follows the last comment is known
	slashes  bool // the last comment is of the // kind
}

// splice removes every backslash at the end of a line together with its end.
// White space may stand between them, as gcc has it.
func splice(text string) (spliced string, at []int) {
	var b strings.Builder
	for from := 0; ; {
		i := strings.IndexByte(text[from:], '\\')
		if i < 0 {
			break
		}
		i += from
		rest := strings.TrimLeft(text[i+1:], " \t\r\f\v")
		if !strings.HasPrefix(rest, "\n") {
			from = i + 1
			continue
		}
		b.WriteString(text[:i])
		at = append(at, b.Len())
		text, from = rest[1:], 0
	}
	if at == nil {
		return text, nil
	}
	b.WriteString(text)
	return b.String(), at
}

// advance moves to an offset and counts the lines on the way.
func (s *scanner) advance(to int) {
	s.line += strings.Count(s.text[s.at:to], "\n")
	s.move(to)
}

// move moves to an offset, where no line ends on the way.
func (s *scanner) move(to int) {
	s.at = to
	for len(s.splices) > 0 && s.splices[0] <= to {
		s.splices = s.splices[1:]
		s.line++
	}
}

// blockSize is how many pieces are allocated at once.
const blockSize = 512

// next returns the pieces of the next line that has any, or nil at the end. A
// comment does not end a line.
func (s *scanner) next() ([]piece, error) {
	start := len(s.block) // of the line
	spaced := false
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '\n':
			s.line++
			s.move(s.at + 1)
			if len(s.block) > start {
				return s.block[start:len(s.block):len(s.block)], nil
			}
			continue
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
			s.move(s.at + 1)
			spaced = true
			continue
		}
		rest := s.text[s.at:]
		switch {
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return nil, fmt.Errorf("%s:%d: a comment without an end", s.name, s.line)
			}
			line := s.line
			s.advance(s.at + 2 + end + 2)
			s.comment(rest[:2+end+2], line, len(s.block) > start)
			spaced = true
			continue
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			line := s.line
			s.move(s.at + end)
			s.comment(rest[:end], line, len(s.block) > start)
			continue
		}
		s.follows(s.line)
		kind, text, n := ctoken.Next(rest)
		switch {
		case kind == ctoken.Word:
			if strings.HasPrefix(text, ownPrefix) {
				return nil, fmt.Errorf("%s:%d: %s: no header may use names that begin with %s", s.name, s.line, text, ownPrefix)
			}
		case text == "(" || text == "[" || text == "{":
			if s.depth++; s.depth > maxNesting {
				return nil, fmt.Errorf("%s:%d: more than %d levels of brackets", s.name, s.line, maxNesting)
			}
		case text == ")" || text == "]" || text == "}":
			s.depth = max(s.depth-1, 0)
		}
		if len(s.block) == cap(s.block) {
			line := s.block[start:]
			s.block = append(make([]piece, 0, blockSize+2*len(line)), line...)
			start = 0
		}
		s.block = append(s.block, piece{text, int32(s.line), int32(s.at), kind, spaced})
		spaced = false
		s.move(s.at + n)
	}
	if len(s.block) > start {
		return s.block[start:len(s.block):len(s.block)], nil
	}
	return nil, nil
}
