package cheader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// A source is a header as the preprocessor is given it: lines spliced,
// comments gone, digraphs spelled out, every token of a macro's body apart from
// the next, and behind each directive a mark. A mark is a word on a line of its
// own. It comes out of the preprocessor where the directive was executed, and
// so tells which were, in which order, and where the text goes on.
type source struct {
	name    string   // of the file, for messages
	text    string   // for the preprocessor
	lines   []int    // the line in the file, by that in the text, from 1
	objects []string // the macros without parameters that it may define
	guard   string   // the macro that keeps it from being read twice

	comments []comment
}

// A mark stands behind a directive.
type mark struct {
	src  *source
	kind markKind
	line int // of the directive, in the file
	next int // the line of the text that follows
	name string
	def  *definition
	rest []ctoken.Token // of a pragma
}

type markKind int

const (
	begins  markKind = iota // the text begins here
	goesOn                  // the text goes on here
	defines                 // a #define
	undefs                  // an #undef
	pragma                  // a #pragma, which the preprocessor does not see
	asks                    // what follows is the value of a macro
)

// A definition is that of a macro.
type definition struct {
	name     string
	file     *source
	line     int
	function bool // it has parameters
	empty    bool
	broken   bool // its body ends in a comma, so that it is no expression
}

// markPrefix begins the names of marks, and those that this package gives to
// the preprocessor. A header that uses it is refused.
const markPrefix = "__gen_"

// stringized stands for the # operator, varies for a macro of the compiler that
// is not the same everywhere.
const (
	stringized = markPrefix + "stringized"
	varies     = markPrefix + "varies"
)

var varying = []string{"__LINE__", "__FILE__", "__COUNTER__", "__DATE__", "__TIME__", "__TIMESTAMP__", "__BASE_FILE__", "__INCLUDE_LEVEL__"}

// reader makes sources and knows their marks.
type reader struct {
	marks []mark
}

func (r *reader) mark(m mark) string {
	r.marks = append(r.marks, m)
	return fmt.Sprint(markPrefix, len(r.marks)-1)
}

// read makes a source of a header.
func (r *reader) read(name string, content []byte) (*source, error) {
	if len(content) > maxFileSize {
		return nil, fmt.Errorf("%s: the file has %d bytes, of which at most %d are read", name, len(content), maxFileSize)
	}
	text := string(content)
	if i := strings.IndexByte(text, 0); i >= 0 {
		return nil, fmt.Errorf("%s:%d: a zero byte: this is no text", name, 1+strings.Count(text[:i], "\n"))
	}
	text, splices := splice(text)
	w := &writer{r: r, src: &source{name: name}}
	s := &scanner{name: name, text: text, splices: splices, line: 1}
	w.putMark(mark{kind: begins, line: 1})
	var shape guardShape
	parens := 0
	for {
		line, err := s.next()
		if err != nil {
			return nil, err
		}
		if line == nil {
			break
		}
		shape.line(line)
		if line[0].text == "#" {
			if err := w.directive(s, line); err != nil {
				return nil, err
			}
			continue
		}
		if w.split && parens == 0 {
			w.goOn(line[0].line)
		}
		was := parens
		for _, p := range line {
			switch p.text {
			case "(":
				parens++
			case ")":
				parens = max(parens-1, 0)
			}
		}
		w.split = was > 0 || parens > 0
		w.put(line[0].line, spaced(line))
	}
	if w.once {
		w.put(s.line, "#endif")
	}
	w.src.guard, w.src.comments = shape.guard(), s.comments
	w.src.text = w.b.String()
	return w.src, nil
}

// writer writes a source's text.
type writer struct {
	r     *reader
	src   *source
	b     strings.Builder
	split bool // the line before was in brackets that another line closes
	once  bool // the file says #pragma once
}

// put writes a line, which is that of the file.
func (w *writer) put(line int, text string) {
	w.b.WriteString(text)
	w.b.WriteByte('\n')
	w.src.lines = append(w.src.lines, line)
}

// putMark writes a mark on a line of its own.
func (w *writer) putMark(m mark) {
	m.src = w.src
	m.next = len(w.src.lines) + 2
	w.put(m.line, w.r.mark(m))
}

func (w *writer) goOn(line int) { w.putMark(mark{kind: goesOn, line: line}) }

// directive writes a directive and its mark.
func (w *writer) directive(s *scanner, line []piece) error {
	if len(line) == 1 {
		return nil
	}
	at, args := line[0].line, line[2:]
	switch line[1].text {
	case "define":
		return w.define(at, args)
	case "undef":
		w.put(at, asWritten(line))
		if len(args) > 0 {
			w.putMark(mark{kind: undefs, line: at, name: args[0].text})
		}
	case "include", "include_next", "import":
		text := asWritten(line)
		if len(args) > 0 && args[0].text == "<" {
			// The name in the brackets is no C.
			raw := s.text[args[0].at:]
			if end := strings.IndexByte(raw, '>'); end >= 0 {
				text = "#" + strings.Replace(line[1].text, "import", "include", 1) + " " + raw[:end+1]
			}
		}
		w.put(at, text)
		w.goOn(at)
	case "if", "ifdef", "ifndef", "elif", "else", "endif":
		w.put(at, asWritten(line))
		w.goOn(at)
	case "error":
		w.put(at, asWritten(line))
	case "pragma":
		w.pragma(at, args)
	}
	return nil // #line, #warning and #ident change nothing
}

func (w *writer) pragma(at int, args []piece) {
	if len(args) == 1 && args[0].text == "once" && !w.once {
		once := fmt.Sprint(markPrefix, "once_", len(w.r.marks))
		// The text before, if any, is read again; the rest is what counts.
		rest := w.b.String()
		w.b.Reset()
		w.b.WriteString("#ifndef " + once + "\n#define " + once + "\n")
		w.b.WriteString(rest)
		w.src.lines = append([]int{at, at}, w.src.lines...)
		for i := range w.r.marks {
			if w.r.marks[i].src == w.src {
				w.r.marks[i].next += 2
			}
		}
		w.once = true
		return
	}
	w.putMark(mark{kind: pragma, line: at, rest: tokens(w.src.name, args)})
}

// define writes a #define with a space between the tokens of its body, so that
// what it expands to never runs together. GNU's named variable arguments
// become the standard's. What the # operator makes is no constant here, since
// the white space in it is not kept.
func (w *writer) define(at int, args []piece) error {
	if len(args) == 0 || args[0].kind != ctoken.Word {
		return fmt.Errorf("%s:%d: a #define without a name", w.src.name, at)
	}
	def := &definition{name: args[0].text, file: w.src, line: args[0].line}
	text := "#define " + def.name
	body := args[1:]
	var params []string
	variadic := ""
	if len(body) > 0 && body[0].text == "(" && !body[0].spaced {
		def.function = true
		end := slices.IndexFunc(body, func(p piece) bool { return p.text == ")" })
		if end < 0 {
			return fmt.Errorf("%s:%d: the parameters of %s have no end", w.src.name, at, def.name)
		}
		list := body[1:end]
		for i, p := range list {
			if p.kind != ctoken.Word {
				continue
			}
			if i+1 < len(list) && list[i+1].text == "..." {
				variadic = p.text
				continue
			}
			params = append(params, p.text)
		}
		if len(list) > 0 && list[len(list)-1].text == "..." {
			params = append(params, "...")
		}
		text += "(" + strings.Join(params, ",") + ")"
		body = body[end+1:]
	}
	def.empty = len(body) == 0
	def.broken = !def.empty && body[len(body)-1].text == ","
	if !def.function && !def.broken {
		w.src.objects = append(w.src.objects, def.name)
	}
	var b strings.Builder
	b.WriteString(text)
	for i, p := range body {
		b.WriteByte(' ')
		switch {
		case variadic != "" && p.text == variadic:
			b.WriteString("__VA_ARGS__")
		case p.kind == ctoken.Word && slices.Contains(varying, p.text):
			b.WriteString(varies)
		case def.function && p.text == "#" && i+1 < len(body) && body[i+1].kind == ctoken.Word:
			b.WriteString(stringized)
		default:
			b.WriteString(pragmaOperator(p.text))
		}
	}
	w.put(at, b.String())
	w.putMark(mark{kind: defines, line: at, name: def.name, def: def})
	return nil
}

// pragmaOperator renames _Pragma, so that it passes through the preprocessor.
func pragmaOperator(word string) string {
	if word == "_Pragma" {
		return markPrefix + "pragma"
	}
	return word
}

// spaced joins a line's pieces with a space between all of them.
func spaced(line []piece) string {
	var b strings.Builder
	for i, p := range line {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(pragmaOperator(p.text))
	}
	return b.String()
}

// asWritten joins a line's pieces with spaces where the file has them.
func asWritten(line []piece) string {
	var b strings.Builder
	for i, p := range line {
		if i > 0 && p.spaced {
			b.WriteByte(' ')
		}
		b.WriteString(p.text)
	}
	return b.String()
}

func tokens(name string, line []piece) []ctoken.Token {
	var all []ctoken.Token
	for _, p := range line {
		all = append(all, ctoken.Token{Kind: p.kind, Text: p.text, File: name, Line: p.line})
	}
	return all
}
