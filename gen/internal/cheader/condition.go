package cheader

import (
	"fmt"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// evaluate tells whether the condition of an #if is true.
func (p *preprocessor) evaluate(line []piece, what string, args []piece) (bool, error) {
	at := token{Token: ctoken.Token{File: p.now().src.name, Line: int(line[0].line)}}
	if len(args) == 0 {
		return false, at.errorAt("#%s without a condition", what)
	}
	var all []ctoken.Token
	p.inCondition = true
	err := p.expand(&input{stack: [][]token{p.tokens(args)}}, func(t token) {
		if t.Kind == ctoken.Word {
			t.Kind, t.Text = ctoken.Number, "0" // as every name that is no macro
		}
		all = append(all, t.Token)
	})
	p.inCondition = false
	if err != nil {
		return false, err
	}
	v, err := p.f.a.conditions.Eval(all)
	switch {
	case err != nil:
		return false, at.errorAt("#%s %s: %v", what, ctoken.Join(all), err)
	case !v.Known:
		return false, at.errorAt("#%s %s: %s", what, ctoken.Join(all), v.Why)
	}
	return v.Bits != 0, nil
}

// operator takes what only conditions have: defined, and questions about the
// compiler. It reports whether t was one.
func (p *preprocessor) operator(in *input, t token, emit func(token)) (bool, error) {
	var yes bool
	switch t.Text {
	case "defined":
		name, ok := in.next()
		bracket := name.Is("(")
		if bracket {
			name, ok = in.next()
		}
		if !ok || name.Kind != ctoken.Word {
			return false, t.errorAt("defined without a name")
		}
		if bracket {
			if close, _ := in.next(); !close.Is(")") {
				return false, t.errorAt("defined without a closing bracket")
			}
		}
		yes = p.isDefined(name.Text)
	case "__has_include", "__has_include_next":
		args, err := p.bracketed(in, t)
		if err != nil {
			return false, err
		}
		if len(args) > 0 && args[0].Kind == ctoken.Word {
			if args, err = p.expandArgument(args, t); err != nil {
				return false, err
			}
		}
		spelled := ""
		for _, a := range args {
			spelled += a.Text
		}
		if yes, err = p.hasInclude(t, spelled); err != nil {
			return false, err
		}
	case "__has_attribute", "__has_builtin":
		// gcc answers by itself. It has all that headers ask for.
		if _, err := p.bracketed(in, t); err != nil {
			return false, err
		}
		yes = true
	default:
		return false, nil
	}
	t.Kind, t.Text = ctoken.Number, "0"
	if yes {
		t.Text = "1"
	}
	emit(t)
	return true, nil
}

// isDefined tells what gcc takes for defined: its operators, too.
func (p *preprocessor) isDefined(name string) bool {
	switch name {
	case "__has_include", "__has_include_next", "__has_attribute", "__has_builtin":
		return true
	}
	return p.macro(name) != nil || isSpecial(name)
}

// bracketed takes what is in brackets behind a token.
func (p *preprocessor) bracketed(in *input, t token) (args []token, err error) {
	if open, _ := in.next(); !open.Is("(") {
		return nil, t.errorAt("%s without brackets", t.Text)
	}
	for depth := 0; ; {
		a, ok := in.next()
		switch {
		case !ok:
			return nil, t.errorAt("%s without a closing bracket", t.Text)
		case a.Is("("):
			depth++
		case a.Is(")") && depth == 0:
			return args, nil
		case a.Is(")"):
			depth--
		}
		args = append(args, a)
	}
}

// hasInclude answers __has_include.
func (p *preprocessor) hasInclude(t token, spelled string) (bool, error) {
	name, quoted, err := includeName(spelled)
	if err != nil {
		return false, t.errorAt("%v", err)
	}
	_, i := p.look(name, quoted, t.Text == "__has_include_next")
	return i.found, nil
}

// includeName takes the name out of <name> or "name".
func includeName(spelled string) (name string, quoted bool, err error) {
	n := len(spelled)
	if n > 2 && (spelled[0] == '<' && spelled[n-1] == '>' || spelled[0] == '"' && spelled[n-1] == '"') {
		return spelled[1 : n-1], spelled[0] == '"', nil
	}
	return "", false, fmt.Errorf("%q is no name of a header", spelled)
}
