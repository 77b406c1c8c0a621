package cheader

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
	"modernc.org/cc/v4"
)

// declarationsName is that of what the parser is given, in its messages.
const declarationsName = "<declarations>"

// parse runs the parser over declarations: each token on a line of its own, so
// that the line of a token of the tree is its number.
func (d *declarations) parse(a *arch) (tree *cc.TranslationUnit, err error) {
	// The parser reports its own defects by panicking.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the C parser failed: %v", r)
		}
	}()
	var b strings.Builder
	blank := d.expressions()
	for i, t := range d.tokens {
		switch {
		case t.Is(":") && blank[i+1] && d.enumBefore(i):
			// Without a name, this would be an enum with a type of its own.
			b.WriteString(paddingName + " :")
		case !blank[i]:
			b.WriteString(t.Text)
		case !blank[i-1]:
			b.WriteByte('1')
		}
		b.WriteByte('\n')
	}
	// Where a declaration breaks off at the end of the text, the parser looks
	// for a name or a bracket and never finds one; here they are.
	b.WriteString("extern\nint\nend_of_header\n[\n1\n]\n;\n")
	cabi, err := cc.NewABI("linux", a.name)
	if err != nil {
		return nil, fmt.Errorf("the C parser: %w", err)
	}
	ast, err := cc.Parse(&cc.Config{ABI: cabi}, []cc.Source{
		{Name: "<builtin>", Value: "int __predefined_declarator;\ntypedef void *__builtin_va_list;\n"},
		{Name: declarationsName, Value: b.String()},
	})
	if err != nil {
		return nil, d.explain(err)
	}
	return ast.TranslationUnit, nil
}

// expressions tells which tokens are of an expression: the length of an array,
// the width of a bit-field, the value of an enumerator or a variable. They are
// none of the parser's business, which sees a number in their place.
func (d *declarations) expressions() []bool {
	blank := make([]bool, len(d.tokens)+1)
	for i := 0; i < len(d.tokens); i++ {
		t := d.tokens[i]
		if t.Kind != ctoken.Mark {
			continue
		}
		end := i
		switch t.Text {
		case "[":
			end = closing(d.tokens, i)
		case "=":
			end = d.endOfExpression(i + 1)
		case ":":
			end = d.endOfExpression(i + 1)
			if d.enumBefore(i) && slices.ContainsFunc(d.tokens[i:end], func(t ctoken.Token) bool { return t.Is("{") }) {
				end = i // the enum's own type
			}
		}
		for i++; i < end; i++ {
			blank[i] = true
		}
		i--
	}
	return blank
}

// paddingName is what the parser sees as the name of a bit-field of an enum
// that has none; its place is the colon's.
const paddingName = ownPrefix + "padding"

// enumBefore reports whether an enum and its tag, if any, stand before a token.
func (d *declarations) enumBefore(i int) bool {
	return i > 0 && d.tokens[i-1].Is("enum") || i > 1 && d.tokens[i-2].Is("enum")
}

// endOfExpression returns the comma, semicolon or bracket that ends what begins
// at a token.
func (d *declarations) endOfExpression(at int) int {
	for ; at < len(d.tokens); at++ {
		if d.tokens[at].Kind != ctoken.Mark {
			continue
		}
		switch d.tokens[at].Text {
		case "(", "[", "{":
			end := closing(d.tokens, at)
			if end < 0 {
				return at
			}
			at = end
		case ",", ";", ")", "]", "}":
			return at
		}
	}
	return at
}

var position = regexp.MustCompile(`^(.+?):(\d+):\d+: `)

// explain says where the parser's first error is, which the others follow
// from.
func (d *declarations) explain(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	m := position.FindStringSubmatch(first)
	if m == nil || m[1] != declarationsName {
		return fmt.Errorf("the C parser: %s", first)
	}
	n, _ := strconv.Atoi(m[2])
	if n > len(d.tokens) {
		if len(d.tokens) == 0 {
			return fmt.Errorf("the C parser: %s", first)
		}
		return errorAt(d.tokens[len(d.tokens)-1], "syntax error: the last declaration has no end")
	}
	what := first[len(m[0]):]
	what, _, _ = strings.Cut(what, ", expected")
	return errorAt(d.tokens[n-1], "syntax error: %s near %s", what, d.around(n-1))
}

// around quotes some tokens.
func (d *declarations) around(i int) string {
	from, to := max(i-3, 0), min(i+3, len(d.tokens))
	return strconv.Quote(ctoken.Join(d.tokens[from:to]))
}

// index returns the number of a token of the tree.
func (d *declarations) index(t cc.Token) int {
	p := t.Position()
	if p.Filename != declarationsName || p.Line < 1 || p.Line > len(d.tokens) {
		return -1
	}
	return p.Line - 1
}
