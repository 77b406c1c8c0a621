package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// claims are what a model says of a header, taken apart as the truth is.
type claims struct {
	facts     facts
	constants []string
	questions []question // for what debugging information does not tell
	omitted   map[string]string
}

func claim(m *abi.Model) *claims {
	c := &claims{facts: facts{}, omitted: map[string]string{}}
	for _, o := range m.Omitted {
		c.omitted[o.Name] = o.Reason
	}
	for _, k := range m.Constants {
		c.constants = append(c.constants, k.Name)
		c.facts["value of "+k.Name] = k.Value.String()
	}
	for _, i := range m.Ioctls {
		fact := "encoding of " + i.Name
		c.facts[fact] = "1"
		c.questions = append(c.questions, question{fact, fmt.Sprintf("(%s) == (%s)", i.Name, encoded(i))})
	}
	w := &modelWalk{c, map[string]*abi.Struct{}}
	for i := range m.Structs {
		w.byName[m.Structs[i].Name] = &m.Structs[i]
	}
	for i := range m.Structs {
		if s := &m.Structs[i]; !strings.Contains(s.Name, ".") {
			w.record(s)
		}
	}
	for _, e := range m.Enums {
		if e.Name == "" {
			continue
		}
		c.facts["size of enum "+e.Name] = fmt.Sprint(e.Size)
		name := "enum " + e.Name
		if e.Typedef {
			name = e.Name
		}
		sign := "0"
		if e.Signed {
			sign = "1"
		}
		c.facts["sign of enum "+e.Name] = sign
		c.questions = append(c.questions, question{"sign of enum " + e.Name, "((" + name + ")-1) < 0"})
	}
	return c
}

func encoded(i abi.Ioctl) string {
	if i.Dir == "none" {
		return fmt.Sprintf("_IOC(_IOC_NONE, %d, %d, %d)", i.Type, i.Nr, i.Size)
	}
	return fmt.Sprintf("_IOC(%s, %d, %d, %d)", map[string]string{"r": "_IOC_READ", "w": "_IOC_WRITE", "rw": "_IOC_READ|_IOC_WRITE"}[i.Dir], i.Type, i.Nr, i.Size)
}

type modelWalk struct {
	*claims
	byName map[string]*abi.Struct
}

func keyword(s *abi.Struct) string {
	if s.Union {
		return "union "
	}
	return "struct "
}

func (w *modelWalk) record(s *abi.Struct) {
	key := keyword(s) + s.Name
	w.facts["size of "+key] = fmt.Sprint(s.Size)
	ctype := key
	if s.Typedef {
		ctype = s.Name
	}
	w.facts["alignment of "+key] = fmt.Sprint(s.Align)
	w.questions = append(w.questions, question{"alignment of " + key, "_Alignof(" + ctype + ")"})
	w.members(key, s, 0)
}

func (w *modelWalk) members(key string, s *abi.Struct, base int64) {
	for i := range s.Fields {
		f := &s.Fields[i]
		at := base + f.Offset*8 + f.BitOffset
		inner, dims := w.nameless(f.Type.Spelling)
		switch {
		case f.Name == "" && inner != nil:
			w.members(key, inner, at)
		case f.BitSize > 0:
			w.facts["place of "+key+"."+f.Name] = fmt.Sprintf("bit %d, %d bits, %s", at, f.BitSize, w.scalar(f))
		default:
			w.facts["place of "+key+"."+f.Name] = fmt.Sprintf("bit %d, %d bytes, %s", at, f.Size, w.scalar(f))
			if inner != nil {
				w.members(key+"."+f.Name+dims, inner, 0)
			}
		}
	}
}

// nameless returns the struct or union without a name that a member is, or
// that its elements are.
func (w *modelWalk) nameless(spelling string) (s *abi.Struct, dims string) {
	elem, rest, _ := strings.Cut(spelling, "[")
	name, found := strings.CutPrefix(elem, "struct ")
	if !found {
		name, found = strings.CutPrefix(elem, "union ")
	}
	if !found || !strings.Contains(name, ".") {
		return nil, ""
	}
	if rest != "" {
		dims = strings.Repeat("[]", strings.Count(rest, "[")+1)
	}
	return w.byName[name], dims
}

// scalar tells what a field is like, as it does of DWARF's types.
func (w *modelWalk) scalar(f *abi.Field) string {
	return scalarOf(f.Kind)
}

var scalars = []struct{ prefix, is string }{
	{"int", "signed"}, {"uint", "unsigned"}, {"bool", "unsigned"}, {"float", "float"},
}

// scalarOf translates a kind of the model: "int32", "[4]uint8".
func scalarOf(kind string) string {
	if dim, elem, ok := strings.Cut(kind, "]"); ok {
		return dim + "]" + scalarOf(elem)
	}
	for _, s := range scalars {
		if strings.HasPrefix(kind, s.prefix) {
			return s.is
		}
	}
	if word, name, ok := strings.Cut(kind, " "); ok && strings.Contains(name, ".") {
		return word
	} else if ok && word == "enum" {
		return word
	}
	return kind
}

// differences returns what is claimed and wrong, and what is true of the
// header and neither claimed nor left out with a reason.
func (c *claims) differences(truth facts) []string {
	var all []string
	for fact, claim := range c.facts {
		if is, ok := truth[fact]; !ok {
			all = append(all, fmt.Sprintf("%s: claimed %s, which the compiler does not know", fact, claim))
		} else if is != claim {
			all = append(all, fmt.Sprintf("%s: claimed %s, really %s", fact, claim, is))
		}
	}
	for fact, is := range truth {
		if what, ok := strings.CutPrefix(fact, "defined "); ok {
			_, have := c.facts["size of "+what]
			_, name, _ := strings.Cut(what, " ")
			if _, left := c.omitted[name]; !have && !left {
				all = append(all, what+": not claimed")
			}
		} else if name, ok := strings.CutPrefix(fact, "enumerator "); ok {
			if _, have := c.facts["value of "+name]; !have {
				all = append(all, fact+": not claimed")
			}
		} else if name, ok := strings.CutPrefix(fact, "value of "); ok {
			if _, have := c.facts[fact]; !have {
				all = append(all, fmt.Sprintf("%s: left out (%s), really %s", name, c.omitted[name], is))
			}
		} else if strings.HasPrefix(fact, "place of ") {
			what := strings.TrimPrefix(fact, "place of ")
			outer, _, _ := strings.Cut(what, ".")
			if _, claimed := c.facts["size of "+outer]; claimed && c.facts[fact] == "" {
				all = append(all, what+": not claimed")
			}
		}
	}
	slices.Sort(all)
	return all
}
