package golang

import (
	"fmt"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// names maps a model's C names to Go ones, which are those that
// golang.org/x/sys/unix would have: constants keep their spelling, struct
// tags become camel case, members get a capital letter. A name that begins
// with an underscore gets an X before it, to be exported.
type names struct {
	structs map[string]*abi.Struct // by C name
	types   map[string]string      // by C name of a struct that has a Go type
	consts  map[string]string      // by C name
	scope   *abi.Struct            // whose members documentation may name; nil for none
}

func newNames(m *abi.Model) (*names, error) {
	n := &names{structs: map[string]*abi.Struct{}, types: map[string]string{}, consts: map[string]string{}}
	taken := map[string]string{} // C name, by Go name
	take := func(goName, cName string) error {
		if other, ok := taken[goName]; ok && other != cName {
			return fmt.Errorf("%s and %s would both be %s in Go", other, cName, goName)
		}
		taken[goName] = cName
		return nil
	}
	for i := range m.Structs {
		n.structs[m.Structs[i].Name] = &m.Structs[i]
	}
	for _, c := range m.Constants {
		n.consts[c.Name] = exported(c.Name)
		if err := take(n.consts[c.Name], c.Name); err != nil {
			return nil, err
		}
	}
	// Types with a tag choose first, so that one without gives way.
	for _, nested := range []bool{false, true} {
		for _, s := range m.Structs {
			if strings.Contains(s.Name, ".") != nested || nested && s.Union {
				continue
			}
			goName := n.typeName(s.Name)
			if _, clash := taken[goName]; clash && nested {
				goName = camelPath(strings.Split(s.Name, "."))
			}
			if err := take(goName, s.Name); err != nil {
				return nil, err
			}
			n.types[s.Name] = goName
		}
	}
	return n, nil
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
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	s = b.String()
	if s != "" && isDigit(s[0]) {
		s = "N" + s
	}
	return s
}

// exported turns a member's or constant's C name into an exported Go one.
func exported(s string) string {
	switch {
	case s == "":
		return ""
	case s[0] == '_' || isDigit(s[0]):
		return "X" + s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func endsInDigit(s string) bool { return s != "" && isDigit(s[len(s)-1]) }
