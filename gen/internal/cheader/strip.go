package cheader

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// declarations are the tokens of a unit as the parser is given them, and what
// it is not given since it would forget it or not take it: attributes, #pragma
// pack, assertions. Bodies of functions and stray semicolons are gone.
type declarations struct {
	tokens     []ctoken.Token
	attributes map[int][]attribute // by the token that they stand before
	pack       map[int]int64       // bytes, by the brace that closes a struct or union
	asserts    []assertion
}

// An attribute is one of those in __attribute__((...)), or _Alignas.
type attribute struct {
	name string // without the underscores around it
	at   ctoken.Token
	args []ctoken.Token // nil where it has no brackets
}

// An assertion is a _Static_assert.
type assertion struct {
	at        ctoken.Token
	condition []ctoken.Token
}

// A brace is what an opening brace is for.
type brace int

const (
	ofRecord brace = iota
	ofEnum
	ofInitializer
)

type stripper struct {
	in     []ctoken.Token
	at     int
	out    declarations
	braces []brace
	packs  packs
}

// strip returns the declarations of a unit.
func strip(tokens []ctoken.Token) (*declarations, error) {
	s := &stripper{in: tokens, out: declarations{attributes: map[int][]attribute{}, pack: map[int]int64{}}}
	s.out.tokens = make([]ctoken.Token, 0, len(tokens))
	for s.at < len(s.in) {
		if err := s.token(); err != nil {
			return nil, err
		}
	}
	return &s.out, nil
}

func errorAt(t ctoken.Token, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", t.File, t.Line, fmt.Sprintf(format, args...))
}

// token moves one token, or something that is not for the parser, from in.
func (s *stripper) token() error {
	t := s.in[s.at]
	switch t.Text {
	case pragmaToken:
		end := s.at + 1
		for s.in[end].Text != pragmaToken {
			end++
		}
		args := s.in[s.at+1 : end]
		s.at = end + 1
		return s.pragma(t, args)
	case "_Pragma":
		args, err := s.group()
		if err != nil || len(args) != 1 || args[0].Kind != ctoken.String {
			return errorAt(t, "_Pragma without a string")
		}
		text, err := strconv.Unquote(args[0].Text)
		if err != nil {
			return errorAt(t, "_Pragma of %s", args[0].Text)
		}
		return s.pragma(t, lex(text, t))
	case "__attribute__", "__attribute":
		return s.attribute(t)
	case "_Alignas", "alignas":
		args, err := s.group()
		s.add(attribute{"aligned", t, args})
		return err
	case "_Static_assert", "static_assert":
		args, err := s.group()
		if err != nil {
			return err
		}
		s.out.asserts = append(s.out.asserts, assertion{t, upToComma(args)})
		if s.at < len(s.in) && s.in[s.at].Is(";") {
			s.at++
		}
		return nil
	case "__extension__", "_Noreturn", "__inline", "__inline__", "inline":
		s.at++
		return nil
	case "{":
		return s.open(t)
	case "}":
		if len(s.braces) == 0 {
			return errorAt(t, "unexpected }")
		}
		if s.braces[len(s.braces)-1] == ofRecord && s.packs.now > 0 {
			s.out.pack[len(s.out.tokens)] = s.packs.now
		}
		s.braces = s.braces[:len(s.braces)-1]
	case "#", "##", "@", "\\", "`":
		return errorAt(t, "a stray %s", t.Text) // the parser would take a # for a directive
	case ";":
		if s.previous("{") || s.previous(";") || s.previous("") {
			s.at++
			return nil
		}
	}
	if t.Unterminated() {
		return errorAt(t, "%s has no end", t.Text) // the parser would look for one for ever
	}
	s.out.tokens = append(s.out.tokens, t)
	s.at++
	return nil
}

// previous reports whether the token before has this text; "" is the beginning.
func (s *stripper) previous(text string) bool {
	n := len(s.out.tokens)
	if n == 0 {
		return text == ""
	}
	return s.out.tokens[n-1].Is(text)
}

func (s *stripper) add(a attribute) {
	n := len(s.out.tokens)
	s.out.attributes[n] = append(s.out.attributes[n], a)
}

// group returns the tokens in the brackets that follow the current token, and
// moves behind them.
func (s *stripper) group() ([]ctoken.Token, error) {
	t := s.in[s.at]
	if s.at+1 >= len(s.in) || !s.in[s.at+1].Is("(") {
		return nil, errorAt(t, "%s without brackets", t.Text)
	}
	end := closing(s.in, s.at+1)
	if end < 0 {
		return nil, errorAt(t, "the brackets behind %s have no end", t.Text)
	}
	args := s.in[s.at+2 : end]
	s.at = end + 1
	return args, nil
}

// closing returns the index of the bracket that closes the one at open, or -1.
func closing(tokens []ctoken.Token, open int) int {
	depth := 0
	for i := open; i < len(tokens); i++ {
		if tokens[i].Kind != ctoken.Mark {
			continue
		}
		switch tokens[i].Text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// split cuts tokens at the commas that no brackets are around.
func split(tokens []ctoken.Token) [][]ctoken.Token {
	var parts [][]ctoken.Token
	depth, start := 0, 0
	for i, t := range tokens {
		if t.Kind != ctoken.Mark {
			continue
		}
		switch t.Text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		case ",":
			if depth == 0 {
				parts = append(parts, tokens[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, tokens[start:])
}

func upToComma(tokens []ctoken.Token) []ctoken.Token { return split(tokens)[0] }

// attribute takes the attributes of __attribute__((...)) apart.
func (s *stripper) attribute(t ctoken.Token) error {
	outer, err := s.group()
	if err != nil {
		return err
	}
	if len(outer) < 2 || !outer[0].Is("(") || closing(outer, 0) != len(outer)-1 {
		return errorAt(t, "__attribute__ without double brackets")
	}
	for _, part := range split(outer[1 : len(outer)-1]) {
		if len(part) == 0 {
			continue
		}
		a := attribute{name: strings.TrimSuffix(strings.TrimPrefix(part[0].Text, "__"), "__"), at: part[0]}
		if len(part) > 1 {
			if !part[1].Is("(") || closing(part, 1) != len(part)-1 {
				return errorAt(part[0], "the attribute %s is not understood", part[0].Text)
			}
			a.args = part[2 : len(part)-1]
			if a.args == nil {
				a.args = []ctoken.Token{}
			}
		}
		s.add(a)
	}
	return nil
}

// open takes an opening brace: of a struct, union or enum, of an initializer,
// or of a function's body, which is passed over.
func (s *stripper) open(t ctoken.Token) error {
	out := s.out.tokens
	n := len(out)
	keyword := func(i int) string {
		if i >= 0 && out[i].Kind == ctoken.Word {
			return out[i].Text
		}
		return ""
	}
	kind := ofInitializer
	for _, word := range []string{keyword(n - 1), keyword(n - 2)} {
		switch word {
		case "struct", "union":
			kind = ofRecord
		case "enum":
			kind = ofEnum
		}
	}
	if kind == ofInitializer && len(s.braces) == 0 && s.previous(")") {
		end := closing(s.in, s.at)
		if end < 0 {
			return errorAt(t, "the body of a function has no end")
		}
		for _, inner := range s.in[s.at:end] {
			if inner.Text == pragmaToken {
				return errorAt(inner, "a #pragma in a function")
			}
		}
		s.out.tokens = append(s.out.tokens, ctoken.Token{Kind: ctoken.Mark, Text: ";", File: t.File, Line: t.Line})
		s.at = end + 1
		return nil
	}
	s.braces = append(s.braces, kind)
	s.out.tokens = append(s.out.tokens, t)
	s.at++
	return nil
}

// lex splits text that stands in one place into tokens.
func lex(text string, at ctoken.Token) []ctoken.Token {
	var all []ctoken.Token
	for len(text) > 0 {
		if text[0] == ' ' || text[0] == '\t' || text[0] == '\n' {
			text = text[1:]
			continue
		}
		kind, token, n := ctoken.Next(text)
		all = append(all, ctoken.Token{Kind: kind, Text: token, File: at.File, Line: at.Line})
		text = text[n:]
	}
	return all
}
