package cheader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// A unit is a header after preprocessing.
type unit struct {
	header *source
	tokens []ctoken.Token            // of the header and what it includes
	macros map[string]*definition    // that are defined at the end
	values map[string][]ctoken.Token // what macros of the header without parameters expand to, where _IOC is ioctlCall
	broken map[string]error          // why one does not expand
}

// A pragmaToken stands among the tokens of a unit where a #pragma begins and
// ends.
const pragmaToken = "#pragma"

// ioctlMacros are those of linux/ioctl.h that tell how an architecture encodes.
var ioctlMacros = []string{"_IOC_NONE", "_IOC_READ", "_IOC_WRITE", "_IOC_SIZEBITS"}

// A preprocessor runs over a header and what it includes.
type preprocessor struct {
	f      *archFS
	header string // that it runs over
	src    *source
	macros map[string]*definition // nil for one that was undefined
	out    []ctoken.Token

	files []*file
	begun map[*source]int
	once  map[*source]bool // that are not read again

	spent, limit int // see spend
	depth        int // of arguments in arguments
	counter      int // __COUNTER__
	inCondition  bool
	asking       bool // for values
}

// A file is a source that is being read.
type file struct {
	src        *source
	header     string // by which it was found
	next       int    // line
	conditions []condition
}

// A condition is an #if that no #endif has closed.
type condition struct {
	at      int  // its line
	outside bool // what it stands in is not skipped
	taken   bool // a branch was
	now     bool // this branch is
	last    bool // it is the #else
}

func (p *preprocessor) now() *file { return p.files[len(p.files)-1] }

// skips reports whether the lines here are left out.
func (f *file) skips() bool {
	n := len(f.conditions)
	return n > 0 && !f.conditions[n-1].now
}

// macro returns what a name stands for, or nil.
func (p *preprocessor) macro(name string) *definition {
	if def, known := p.macros[name]; known {
		return def
	}
	text, ok := p.f.a.predefined[name]
	if !ok {
		return nil
	}
	def := &definition{name: name, file: builtin}
	for _, t := range lex(text, ctoken.Token{}) {
		def.body = append(def.body, piece{text: t.Text, kind: t.Kind})
	}
	p.macros[name] = def
	return def
}

// builtin is where the compiler's own macros are from.
var builtin = &source{name: "<predefined>"}

// preprocess runs the preprocessor over a header, with linux/ioctl.h before it:
// kernel headers use its macros without including it. Then it looks what each
// macro of the header expands to in the end.
func (f *archFS) preprocess(header string) (*unit, error) {
	content, name, err := f.find(header)
	if err != nil {
		return nil, fmt.Errorf("no such header: %w", err)
	}
	src, err := readSource(name, content, true)
	if err != nil {
		return nil, err
	}
	p := &preprocessor{
		f: f, header: header, src: src, macros: make(map[string]*definition, 256),
		begun: map[*source]int{}, once: map[*source]bool{},
		limit: maxExpansion + len(content)*expansionPerByte,
	}
	if ioctl := p.known("linux/ioctl.h"); ioctl.found {
		if err := p.read(ioctl, "linux/ioctl.h"); err != nil {
			return nil, err
		}
	}
	if err := p.read(p.known(header), header); err != nil {
		return nil, err
	}
	u := &unit{header: src, tokens: p.out, macros: p.macros}
	u.values, u.broken, err = p.values(src)
	return u, err
}

// read goes through a header.
func (p *preprocessor) read(i *included, header string) error {
	if i.err != nil {
		return i.err
	}
	src := i.src
	if p.once[src] {
		return nil
	}
	if p.begun[src]++; p.begun[src] > maxIncluded {
		return fmt.Errorf("%s: the header is included more than %d times: does it include itself?", src.name, maxIncluded)
	}
	f := &file{src: src, header: header}
	p.files = append(p.files, f)
	defer func() { p.files = p.files[:len(p.files)-1] }()
	for f.next < len(src.lines) {
		line := src.lines[f.next]
		f.next++
		var err error
		if isDirective(line) {
			err = p.directive(line)
		} else if !f.skips() {
			err = p.text(line)
		}
		if err != nil {
			return err
		}
	}
	if n := len(f.conditions); n > 0 {
		return fmt.Errorf("%s:%d: an #if without an #endif", src.name, f.conditions[n-1].at)
	}
	return nil
}

// text puts a line out, with its macros expanded.
func (p *preprocessor) text(line []piece) error {
	src := p.now().src
	for i, t := range line {
		if t.kind == ctoken.Word && (p.macro(t.text) != nil || isSpecial(t.text)) {
			return p.expand(&input{stack: [][]token{p.tokens(line[i:])}, more: p.more}, func(t token) { p.out = append(p.out, t.Token) })
		}
		p.out = append(p.out, ctoken.Token{Kind: t.kind, Text: t.text, File: src.name, Line: int(t.line)})
	}
	return nil
}

// tokens makes tokens of pieces of the current file.
func (p *preprocessor) tokens(line []piece) []token {
	name := p.now().src.name
	all := make([]token, len(line))
	for i, t := range line {
		all[i].Token = ctoken.Token{Kind: t.kind, Text: t.text, File: name, Line: int(t.line)}
	}
	return all
}

// more returns the next line of the current file, for arguments that go on
// there. As in gcc, directives among them are obeyed, but one that stands
// before the first bracket is not looked behind.
func (p *preprocessor) more(peek bool) ([]token, error) {
	f := p.now()
	for f.next < len(f.src.lines) {
		line := f.src.lines[f.next]
		directive := isDirective(line)
		if directive && peek || !f.skips() && !directive && peek && line[0].text != "(" {
			return nil, nil
		}
		f.next++
		switch {
		case directive:
			if len(line) > 1 && strings.HasPrefix(line[1].text, "include") || len(line) > 1 && line[1].text == "pragma" {
				return nil, fmt.Errorf("%s:%d: #%s among the arguments of a macro", f.src.name, line[0].line, line[1].text)
			}
			if err := p.directive(line); err != nil {
				return nil, err
			}
		case !f.skips():
			return p.tokens(line), nil
		}
	}
	return nil, nil
}

// ioctlCall stands for _IOC in the values of macros, so that ioctls are known by
// whichever macros they come; and ioctlOperand with a number stands for the
// operands of _IOC in the value of ioctlCall itself, which is what it expands to.
const (
	ioctlCall    = ownPrefix + "ioc"
	ioctlOperand = ownPrefix + "operand"
)

// values returns what the macros of a header expand to at its end, or why they
// do not.
func (p *preprocessor) values(src *source) (values map[string][]ctoken.Token, broken map[string]error, err error) {
	values, broken = map[string][]ctoken.Token{}, map[string]error{}
	p.asking = true
	p.files = append(p.files, &file{src: src})
	ask := func(name string, text []token) {
		var all []ctoken.Token
		err := p.expand(&input{stack: [][]token{text}}, func(t token) { all = append(all, t.Token) })
		if err != nil {
			broken[name] = err
			return
		}
		values[name] = all
	}
	word := func(name string, line int) []token {
		return []token{{Token: ctoken.Token{Kind: ctoken.Word, Text: name, File: src.name, Line: line}}}
	}
	for _, name := range ioctlMacros {
		if def := p.macro(name); def != nil {
			ask(name, word(name, def.line))
		}
	}
	if def := p.macro("_IOC"); def != nil {
		call := word("_IOC", def.line)
		for _, t := range lex(fmt.Sprintf("(%[1]s0,%[1]s1,%[1]s2,%[1]s3)", ioctlOperand), call[0].Token) {
			call = append(call, token{Token: t})
		}
		ask(ioctlCall, call)
		params := []string{"dir", "type", "nr", "size"}
		wrapper := &definition{name: "_IOC", file: builtin, function: true, params: params}
		for _, t := range lex(ioctlCall+" ( "+strings.Join(params, " , ")+" )", ctoken.Token{}) {
			wrapper.body = append(wrapper.body, piece{text: t.Text, kind: t.Kind})
		}
		p.macros["_IOC"] = wrapper
		defer func() { p.macros["_IOC"] = def }()
	}
	var names []string
	for name, def := range p.macros {
		if def != nil && def.file == src && !def.function && !def.broken() && !slices.Contains(ioctlMacros, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		ask(name, word(name, p.macros[name].line))
		if p.spent > p.limit {
			return nil, nil, broken[name]
		}
	}
	return values, broken, nil
}
