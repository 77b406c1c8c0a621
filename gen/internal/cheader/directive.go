package cheader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// directive obeys a directive.
func (p *preprocessor) directive(line []piece) error {
	if len(line) == 1 {
		return nil
	}
	f := p.now()
	at, what, args := int(line[0].line), line[1].text, line[2:]
	switch what {
	case "if", "ifdef", "ifndef":
		c := condition{at: at, outside: !f.skips()}
		if c.outside {
			yes, err := p.condition(line, what, args)
			if err != nil {
				return err
			}
			c.taken, c.now = yes, yes
		}
		f.conditions = append(f.conditions, c)
		return nil
	case "elif", "elifdef", "elifndef", "else", "endif":
		return p.branch(f, line, what, args)
	}
	if f.skips() {
		return nil
	}
	switch what {
	case "define":
		def, err := f.src.definition(at, args)
		if err != nil {
			return err
		}
		if def.name == "defined" {
			return fmt.Errorf("%s:%d: %s cannot be defined", f.src.name, at, def.name)
		}
		p.macros[def.name] = def
	case "undef":
		if len(args) == 0 || args[0].kind != ctoken.Word {
			return fmt.Errorf("%s:%d: an #undef without a name", f.src.name, at)
		}
		p.macros[args[0].text] = nil
	case "include", "include_next", "import":
		return p.include(at, what, args)
	case "error":
		return fmt.Errorf("%s:%d: #error %s", f.src.name, at, ctoken.Join(f.src.tokens(args)))
	case "pragma":
		p.pragma(at, args)
	case "line", "warning", "ident", "sccs", "assert", "unassert":
		// They change nothing.
	default:
		if line[1].kind != ctoken.Number { // as #line
			return fmt.Errorf("%s:%d: there is no directive #%s", f.src.name, at, what)
		}
	}
	return nil
}

// condition tells whether the condition of an #if, #ifdef or #ifndef is true.
func (p *preprocessor) condition(line []piece, what string, args []piece) (bool, error) {
	negated, isName := strings.CutSuffix(what, "ndef")
	if !isName && !strings.HasSuffix(what, "def") {
		return p.evaluate(line, what, args)
	}
	if len(args) == 0 || args[0].kind != ctoken.Word {
		return false, fmt.Errorf("%s:%d: #%s without a name", p.now().src.name, line[0].line, what)
	}
	return p.isDefined(args[0].text) != (negated != what), nil
}

// branch obeys #elif, #else and #endif.
func (p *preprocessor) branch(f *file, line []piece, what string, args []piece) error {
	n := len(f.conditions)
	if n == 0 {
		return fmt.Errorf("%s:%d: #%s without an #if", f.src.name, line[0].line, what)
	}
	c := &f.conditions[n-1]
	if what == "endif" {
		f.conditions = f.conditions[:n-1]
		return nil
	}
	if c.last {
		return fmt.Errorf("%s:%d: #%s behind #else", f.src.name, line[0].line, what)
	}
	c.now = false
	if what == "else" {
		c.last = true
		c.now = c.outside && !c.taken
		return nil
	}
	if !c.outside || c.taken {
		return nil
	}
	yes, err := p.condition(line, what, args)
	c.now, c.taken = yes, yes
	return err
}

// include reads a header.
func (p *preprocessor) include(at int, what string, args []piece) error {
	f := p.now()
	spelled := ""
	switch {
	case len(args) > 0 && args[0].text == "<":
		// The name in the brackets is no C.
		raw, _, _ := strings.Cut(f.src.text[args[0].at:], "\n")
		if end := strings.IndexByte(raw, '>'); end >= 0 {
			spelled = raw[:end+1]
		}
	case len(args) == 1 && args[0].kind == ctoken.String:
		spelled = args[0].text
	default:
		if err := p.expand(&input{stack: [][]token{p.tokens(args)}}, func(t token) { spelled += t.Text }); err != nil {
			return err
		}
	}
	name, quoted, err := includeName(spelled)
	if err != nil {
		return fmt.Errorf("%s:%d: #%s: %w", f.src.name, at, what, err)
	}
	header, i := p.look(name, quoted, what == "include_next")
	if !i.found {
		return p.f.notFound(fmt.Sprintf("%s:%d", f.src.name, at), name)
	}
	if what == "import" {
		defer func() { p.once[i.src] = true }()
	}
	return p.read(i, header)
}

// notFound is the error that no header of a name is there.
func (f *archFS) notFound(at, name string) error {
	var looked []string
	for _, p := range f.s.places(f.a, name) {
		looked = append(looked, p.name)
	}
	slices.Sort(looked)
	err := fmt.Errorf("%s: include file not found: %s (for %s; looked for %s)", at, name, f.a.name, strings.Join(slices.Compact(looked), ", "))
	if have := f.s.arches(name); len(have) > 0 {
		return &ArchError{Arch: f.a.name, Have: have, err: err}
	}
	return err
}

// pragma passes a pragma on, but for #pragma once.
func (p *preprocessor) pragma(at int, args []piece) {
	src := p.now().src
	if len(args) == 1 && args[0].text == "once" {
		p.once[src] = true
		return
	}
	mark := ctoken.Token{Kind: ctoken.Mark, Text: pragmaToken, File: src.name, Line: at}
	p.out = append(append(append(p.out, mark), src.tokens(args)...), mark)
}
