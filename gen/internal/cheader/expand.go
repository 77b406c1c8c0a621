package cheader

import (
	"slices"
	"strconv"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// A token is one on its way through macros. Each knows the macros that it came
// of, which it never stands for again; that is Dave Prosser's algorithm, from
// which the standard's text was made.
type token struct {
	ctoken.Token
	hidden *hideSet
}

// A hideSet is a set of names, nil where it is empty. It is never changed.
type hideSet struct {
	name string
	rest *hideSet
	size int
}

func (h *hideSet) len() int {
	if h == nil {
		return 0
	}
	return h.size
}

func (h *hideSet) has(name string) bool {
	for ; h != nil; h = h.rest {
		if h.name == name {
			return true
		}
	}
	return false
}

func (h *hideSet) add(name string) *hideSet {
	if h.has(name) {
		return h
	}
	return &hideSet{name, h, h.len() + 1}
}

// and returns what is in both.
func (h *hideSet) and(other *hideSet) (both *hideSet) {
	if h == other {
		return h
	}
	for ; h != nil; h = h.rest {
		if other.has(h.name) {
			both = &hideSet{h.name, both, both.len() + 1}
		}
	}
	return both
}

func (h *hideSet) or(other *hideSet) *hideSet {
	if h == nil || h == other {
		return other
	}
	for ; other != nil; other = other.rest {
		h = h.add(other.name)
	}
	return h
}

// input is a stream of tokens that are to be expanded.
type input struct {
	stack [][]token
	// more returns the next line of the text, for a macro's arguments; nil where
	// none can follow. peek keeps it from obeying a directive.
	more func(peek bool) ([]token, error)
}

func (in *input) push(tokens []token) {
	if len(tokens) > 0 {
		in.stack = append(in.stack, tokens)
	}
}

// next takes a token.
func (in *input) next() (token, bool) {
	for n := len(in.stack); n > 0; n = len(in.stack) {
		if top := in.stack[n-1]; len(top) > 0 {
			in.stack[n-1] = top[1:]
			return top[0], true
		}
		in.stack = in.stack[:n-1]
	}
	return token{}, false
}

// opens takes a bracket that opens, if that comes next, on this line or behind
// its end.
func (in *input) opens() (bool, error) {
	for {
		for n := len(in.stack); n > 0; n = len(in.stack) {
			if top := in.stack[n-1]; len(top) > 0 {
				if top[0].Is("(") {
					in.stack[n-1] = top[1:]
					return true, nil
				}
				return false, nil
			}
			in.stack = in.stack[:n-1]
		}
		if in.more == nil {
			return false, nil
		}
		line, err := in.more(true)
		if line == nil || err != nil {
			return false, err
		}
		in.push(line)
	}
}

// errorAt is an error at a token.
func (t token) errorAt(format string, args ...any) error { return errorAt(t.Token, format, args...) }

// spend counts what expansion costs, so that a macro that grows without end is
// an error.
func (p *preprocessor) spend(at token, n int) error {
	if p.spent += n; p.spent > p.limit {
		return at.errorAt("the macros expand to too much: does one grow without end?")
	}
	return nil
}

// expand takes all tokens of an input and gives what they expand to to emit.
func (p *preprocessor) expand(in *input, emit func(token)) error {
	for {
		t, ok := in.next()
		if !ok {
			return nil
		}
		if t.Kind != ctoken.Word {
			emit(t)
			continue
		}
		if p.inCondition {
			if done, err := p.operator(in, t, emit); done || err != nil {
				if err != nil {
					return err
				}
				continue
			}
		}
		m := p.macro(t.Text)
		if m == nil {
			emit(p.special(t))
			continue
		}
		if t.hidden.has(t.Text) {
			emit(t)
			continue
		}
		hidden := t.hidden
		var args [][]token
		if m.function {
			opens, err := in.opens()
			if err != nil {
				return err
			}
			if !opens {
				emit(t)
				continue
			}
			var close token
			if args, close, err = p.arguments(in, m, t); err != nil {
				return err
			}
			hidden = hidden.and(close.hidden)
		}
		body, err := p.substitute(m, args, hidden.add(m.name), t)
		if err != nil {
			return err
		}
		in.push(body)
	}
}

// arguments takes a macro's arguments, up to the bracket that closes. One that
// is left out is nil, one that is empty is not.
func (p *preprocessor) arguments(in *input, m *definition, at token) (args [][]token, close token, err error) {
	arg := []token{}
	depth := 0
	for {
		t, ok := in.next()
		if !ok {
			var line []token
			if in.more != nil {
				if line, err = in.more(false); err != nil {
					return nil, t, err
				}
			}
			if line == nil {
				return nil, t, at.errorAt("the arguments of %s have no end", m.name)
			}
			in.push(line)
			continue
		}
		if t.Kind == ctoken.Mark {
			switch {
			case t.Text == "(":
				depth++
			case t.Text == ")" && depth > 0:
				depth--
			case t.Text == ")":
				args = append(args, arg)
				return p.counted(m, args, at, t)
			case t.Text == "," && depth == 0 && !(m.variadic && len(args) == len(m.params)-1):
				args = append(args, arg)
				arg = []token{}
				continue
			}
		}
		arg = append(arg, t)
	}
}

// counted checks the number of arguments.
func (p *preprocessor) counted(m *definition, args [][]token, at, close token) ([][]token, token, error) {
	want := len(m.params)
	switch {
	case want == 0 && len(args) == 1 && len(args[0]) == 0:
		return nil, close, nil
	case m.variadic && len(args) == want-1:
		args = append(args, nil)
	case m.variadic && want == 1 && len(args[0]) == 0:
		args[0] = nil // as gcc has it, unless it is told to be strict
	}
	if len(args) != want {
		return nil, close, at.errorAt("the macro %s has %d parameters, and %d arguments here", m.name, want, len(args))
	}
	return args, close, nil
}

// substitute returns a macro's body with its arguments in it, at the place
// where it was invoked.
func (p *preprocessor) substitute(m *definition, args [][]token, hidden *hideSet, at token) ([]token, error) {
	if err := p.spend(at, len(m.body)+hidden.len()); err != nil {
		return nil, err
	}
	out := make([]token, 0, len(m.body))
	var expanded map[int][]token
	paste := false // the last token of the body was ##
	for i := 0; i < len(m.body); i++ {
		t := m.body[i]
		if t.kind == ctoken.Mark && t.text == "##" && i > 0 {
			if i == len(m.body)-1 {
				return nil, at.errorAt("## at the end of the macro %s", m.name)
			}
			paste = true
			continue
		}
		pastes := paste || i+1 < len(m.body) && m.body[i+1].text == "##" && m.body[i+1].kind == ctoken.Mark
		one := [1]token{{Token: ctoken.Token{Kind: t.kind, Text: t.text}}}
		operand := one[:]
		switch n := m.param(t); {
		case m.function && t.kind == ctoken.Mark && t.text == "#":
			if i+1 == len(m.body) || m.param(m.body[i+1]) < 0 {
				return nil, at.errorAt("# before no parameter in the macro %s", m.name)
			}
			i++
			operand[0].Token = ctoken.Token{Kind: ctoken.Word, Text: stringized}
		case n < 0:
			if t.text == "__VA_OPT__" {
				return nil, at.errorAt("__VA_OPT__ in the macro %s is not supported", m.name)
			}
		case pastes:
			operand = args[n]
			if paste && m.variadic && n == len(m.params)-1 && len(out) > 0 && out[len(out)-1].Is(",") {
				// GNU's ", ## arguments": where they are left out, the comma is, too.
				paste = false
				if operand == nil {
					out = out[:len(out)-1]
				}
			} else if len(operand) == 0 {
				operand = []token{{}} // it pastes to nothing
			}
		default:
			if expanded == nil {
				expanded = map[int][]token{}
			}
			all, known := expanded[n]
			if !known {
				var err error
				if all, err = p.expandArgument(args[n], at); err != nil {
					return nil, err
				}
				expanded[n] = all
			}
			operand = all
		}
		if err := p.spend(at, len(operand)); err != nil {
			return nil, err
		}
		if paste {
			paste = false
			last := &out[len(out)-1]
			glued, err := glue(*last, operand[0], at)
			if err != nil {
				return nil, err
			}
			*last = glued
			operand = operand[1:]
		}
		out = append(out, operand...)
	}
	out = slices.DeleteFunc(out, func(t token) bool { return t.Text == "" })
	for i := range out {
		out[i].hidden = hidden.or(out[i].hidden)
		out[i].File, out[i].Line = at.File, at.Line
	}
	return out, nil
}

// param returns which parameter a piece of a body is, or -1.
func (d *definition) param(t piece) int {
	if t.kind != ctoken.Word || !d.function {
		return -1
	}
	return slices.Index(d.params, t.text)
}

// expandArgument expands an argument by itself.
func (p *preprocessor) expandArgument(arg []token, at token) ([]token, error) {
	if !slices.ContainsFunc(arg, func(t token) bool { return t.Kind == ctoken.Word }) {
		return arg, nil
	}
	if p.depth++; p.depth > maxNesting {
		return nil, at.errorAt("more than %d macros are in each other's arguments", maxNesting)
	}
	defer func() { p.depth-- }()
	all := make([]token, 0, len(arg))
	err := p.expand(&input{stack: [][]token{arg}}, func(t token) { all = append(all, t) })
	return all, err
}

// glue is the ## operator.
func glue(left, right, at token) (token, error) {
	if left.Text == "" {
		return right, nil
	}
	if right.Text == "" {
		return left, nil
	}
	if left.Text == stringized || right.Text == stringized {
		return token{ctoken.Token{Kind: ctoken.Word, Text: stringized}, nil}, nil // L ## #x
	}
	text := left.Text + right.Text
	kind, whole, n := ctoken.Next(text)
	if n != len(text) || text[:2] == "/*" || text[:2] == "//" {
		return left, at.errorAt("%s ## %s is no token", left.Text, right.Text)
	}
	return token{ctoken.Token{Kind: kind, Text: whole}, left.hidden.and(right.hidden)}, nil
}

// isSpecial reports whether a name is one of the compiler's macros that are not
// the same everywhere.
func isSpecial(name string) bool {
	switch name {
	case "__LINE__", "__COUNTER__", "__INCLUDE_LEVEL__", "__FILE__", "__DATE__", "__TIME__", "__TIMESTAMP__", "__BASE_FILE__":
		return true
	}
	return false
}

// special returns what such a macro stands for: in the text itself what it is
// there, and in what a macro expands to a name that has no value.
func (p *preprocessor) special(t token) token {
	if !isSpecial(t.Text) {
		return t
	}
	n := 0
	switch {
	case t.hidden != nil || p.asking:
		t.Text = varies
		return t
	case t.Text == "__LINE__":
		n = t.Line
	case t.Text == "__COUNTER__":
		n = p.counter
		p.counter++
	case t.Text == "__INCLUDE_LEVEL__":
		n = len(p.files) // as where the header is included
	default:
		t.Text = varies
		return t
	}
	t.Kind, t.Text = ctoken.Number, strconv.Itoa(n)
	return t
}
