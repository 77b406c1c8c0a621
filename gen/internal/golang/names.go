package golang

import (
	"fmt"
	"go/token"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zuffd/uffd/internal/abi"
)

// names maps a model's C names to Go ones, which are those that
// golang.org/x/sys/unix would have: constants keep their spelling, struct
// tags become camel case, members get a capital letter. A name that begins
// with an underscore gets an X before it, to be exported.
//
// Where two names of C would be one in Go, the one that Go takes as it is has
// it, or else the one that the header declares first, of constants before
// types and of types with a tag before those without; each other one gets an
// underscore at its end, and is told of.
type names struct {
	structs map[string]*abi.Struct // by C name
	types   map[string]string      // by C name of a struct that has a Go type
	enums   map[string]string      // by C name of an enum that has a Go type
	consts  map[string]string      // by C name
	scope   *abi.Struct            // whose members documentation may name; nil for none

	taken map[string]string // C name, by Go name
	notes []Note
}

// A Note tells of a symbol that Go has by another name than the rule says, or
// not as it is.
type Note struct {
	Name string // in C
	What string
	Line int // in the model's header, if it is there
}

func newNames(m *abi.Model) *names {
	n := &names{
		structs: map[string]*abi.Struct{}, types: map[string]string{}, enums: map[string]string{},
		consts: map[string]string{}, taken: map[string]string{},
	}
	for i := range m.Structs {
		n.structs[m.Structs[i].Name] = &m.Structs[i]
	}
	type constant struct {
		name string
		line int
	}
	var all []constant
	for _, c := range m.Constants {
		all = append(all, constant{c.Name, c.Line})
	}
	for _, s := range m.Strings {
		all = append(all, constant{s.Name, s.Line})
	}
	for _, asIs := range []bool{true, false} {
		for _, c := range all {
			if (exported(c.name) == c.name) == asIs && n.consts[c.name] == "" {
				n.consts[c.name] = n.take(exported(c.name), c.name, c.line)
			}
		}
	}
	// Types with a tag choose first, so that one without gives way.
	for _, nested := range []bool{false, true} {
		for _, s := range m.Structs {
			if strings.Contains(s.Name, ".") != nested || nested && (s.Union || n.inlined(s.Name)) {
				continue
			}
			goName := n.typeName(s.Name)
			if _, clash := n.taken[goName]; clash && nested {
				goName = camelPath(strings.Split(s.Name, "."))
			}
			n.types[s.Name] = n.take(goName, s.Name, s.Line)
		}
		for _, e := range m.Enums {
			if !nested && e.Name != "" {
				n.enums[e.Name] = n.take(camel(e.Name), e.Name, e.Line)
			}
		}
	}
	return n
}

// inlined reports whether a struct without a name is in another struct, whose
// own its members are.
func (n *names) inlined(designator string) bool {
	dot := strings.LastIndexByte(designator, '.')
	outer := n.structs[designator[:dot]]
	return isDigit(designator[dot+1]) && outer != nil && !outer.Union
}

// take gives a C name its Go name at file scope: the one that is wanted, with
// underscores behind it if another has that.
func (n *names) take(want, cName string, line int) string {
	goName := want
	for n.taken[goName] != "" || token.IsKeyword(goName) {
		goName += "_"
	}
	if goName != want {
		n.note(cName, line, "is %s in Go: %s is %s", goName, want, n.taken[want])
	}
	n.taken[goName] = cName
	return goName
}

func (n *names) note(cName string, line int, format string, args ...any) {
	n.notes = append(n.notes, Note{cName, fmt.Sprintf(format, args...), line})
}

// typeName returns the Go name of a struct by its C name. In a designator,
// the names of unions are passed over: they have no type of their own in Go.
func (n *names) typeName(cName string) string {
	parts := strings.Split(cName, ".")
	kept := parts[:1:1]
	for i := 1; i < len(parts); i++ {
		if s := n.structs[strings.Join(parts[:i+1], ".")]; s != nil && s.Union {
			continue
		}
		kept = append(kept, parts[i])
	}
	return camelPath(kept)
}

func camelPath(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(camel(p))
	}
	return b.String()
}

// camel turns "uffdio_poison" into "UffdioPoison". An empty word between
// underscores is kept as one, so that a_b and a__b stay apart.
func camel(s string) string {
	s = letters(s)
	var b strings.Builder
	if strings.HasPrefix(s, "_") {
		b.WriteString("X_")
		s = strings.TrimLeft(s, "_")
	}
	for i, word := range strings.Split(s, "_") {
		switch {
		case word == "":
			b.WriteByte('_')
		case i > 0 && isDigit(word[0]) && endsInDigit(b.String()):
			b.WriteString("_" + word)
		default:
			b.WriteString(capital(word))
		}
	}
	s = b.String()
	switch {
	case s != "" && isDigit(s[0]):
		return "N" + s
	case s != "" && !token.IsExported(s):
		return "X" + s
	}
	return s
}

// exported turns a member's or constant's C name into an exported Go one.
func exported(s string) string {
	s = letters(s)
	switch {
	case s == "":
		return ""
	case s[0] == '_' || isDigit(s[0]):
		return "X" + s
	}
	if s = capital(s); !token.IsExported(s) {
		return "X" + s // of a script without capitals
	}
	return s
}

// letters puts an underscore in the place of what no name in Go has: $.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, s)
}

// capital returns a word with its first letter in upper case.
func capital(word string) string {
	first, n := utf8.DecodeRuneInString(word)
	return string(unicode.ToUpper(first)) + word[n:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func endsInDigit(s string) bool { return s != "" && isDigit(s[len(s)-1]) }
