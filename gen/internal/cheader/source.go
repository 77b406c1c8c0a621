package cheader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// A source is a header as the preprocessor reads it: its lines, split into
// tokens, without comments. It is the same for every architecture, and is
// never changed once it is made.
type source struct {
	name  string // of the file, for messages
	text  string // with lines spliced
	lines [][]piece
	end   int    // the last line
	guard string // the macro that keeps it from being read twice

	comments []comment
}

// A definition is that of a macro.
type definition struct {
	name     string
	file     *source
	line     int
	function bool     // it has parameters
	params   []string // of a function; the last is that of the variable arguments, if it takes any
	variadic bool
	body     []piece
}

// empty reports whether a macro stands for nothing.
func (d *definition) empty() bool { return len(d.body) == 0 }

// broken reports whether a macro's body ends in a comma, so that it is no
// expression.
func (d *definition) broken() bool { return !d.empty() && d.body[len(d.body)-1].text == "," }

// ownPrefix begins the names that this package gives to tokens of its own. A
// header that uses it is refused.
const ownPrefix = "__gen_"

// stringized stands for what the # operator makes, which is no constant here,
// and varies for a macro of the compiler that is not the same everywhere.
const (
	stringized = ownPrefix + "stringized"
	varies     = ownPrefix + "varies"
)

// readSource makes a source of a header, with its comments if they are wanted.
func readSource(name string, content []byte, comments bool) (*source, error) {
	if len(content) > maxFileSize {
		return nil, fmt.Errorf("%s: the file has %d bytes, of which at most %d are read", name, len(content), maxFileSize)
	}
	text := string(content)
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, fmt.Errorf("%s:%d: a zero byte: this is no text", name, 1+strings.Count(text[:i], "\n"))
	}
	text, splices := splice(text)
	s := &scanner{name: name, text: text, splices: splices, line: 1, keep: comments}
	src := &source{name: name, text: text}
	var shape guardShape
	for {
		line, err := s.next()
		if err != nil {
			return nil, err
		}
		if line == nil {
			break
		}
		shape.line(line)
		src.lines = append(src.lines, line)
	}
	src.end, src.guard, src.comments = s.line, shape.guard(), s.comments
	return src, nil
}

// isDirective reports whether a line is one. A # alone is one that says
// nothing.
func isDirective(line []piece) bool { return line[0].text == "#" && line[0].kind == ctoken.Mark }

// definition reads what stands behind #define. GNU's named variable arguments
// are parameters like others.
func (s *source) definition(at int, args []piece) (*definition, error) {
	if len(args) == 0 || args[0].kind != ctoken.Word {
		return nil, fmt.Errorf("%s:%d: a #define without a name", s.name, at)
	}
	def := &definition{name: args[0].text, file: s, line: int(args[0].line), body: args[1:]}
	if len(def.body) == 0 || def.body[0].text != "(" || def.body[0].spaced {
		return def, nil
	}
	def.function = true
	end := slices.IndexFunc(def.body, func(p piece) bool { return p.text == ")" })
	if end < 0 {
		return nil, fmt.Errorf("%s:%d: the parameters of %s have no end", s.name, at, def.name)
	}
	list := def.body[1:end]
	def.body = def.body[end+1:]
	wanted := true // a parameter
	for _, p := range list {
		switch {
		case def.variadic:
			return nil, fmt.Errorf("%s:%d: %s takes parameters behind its variable ones", s.name, at, def.name)
		case wanted && p.text == "...":
			def.variadic, wanted = true, false
			def.params = append(def.params, "__VA_ARGS__")
		case wanted && p.kind == ctoken.Word && !slices.Contains(def.params, p.text):
			def.params, wanted = append(def.params, p.text), false
		case !wanted && p.text == "...":
			def.variadic = true
		case !wanted && p.text == ",":
			wanted = true
		default:
			return nil, fmt.Errorf("%s:%d: the parameters of %s are not understood at %q", s.name, at, def.name, p.text)
		}
	}
	if wanted && len(list) > 0 {
		return nil, fmt.Errorf("%s:%d: a parameter of %s is missing", s.name, at, def.name)
	}
	return def, nil
}

// tokens returns pieces of a source as tokens.
func (s *source) tokens(line []piece) []ctoken.Token {
	all := make([]ctoken.Token, len(line))
	for i, p := range line {
		all[i] = ctoken.Token{Kind: p.kind, Text: p.text, File: s.name, Line: int(p.line)}
	}
	return all
}
