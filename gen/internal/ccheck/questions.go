package ccheck

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// A question is a claim of the model, and the expression whose value it is.
type question struct {
	what       string
	claim      string
	expression string
	constant   bool   // it is about a constant
	bits       bool   // the claim is where the bit-field lies that the expression designates
	object     string // of a bit-field: the type that it is in
}

// ask returns everything that a model claims.
func ask(m *abi.Model) []question {
	a := &asker{byName: map[string]*abi.Struct{}}
	for _, c := range m.Constants {
		a.ask(c.Value.String(), c.Name, "value of %s", c.Name)
	}
	for _, i := range m.Ioctls {
		dir := map[string]string{"none": "_IOC_NONE", "r": "_IOC_READ", "w": "_IOC_WRITE", "rw": "_IOC_READ|_IOC_WRITE"}[i.Dir]
		encoded := fmt.Sprintf("_IOC(%s, %d, %d, %d)", dir, i.Type, i.Nr, i.Size)
		a.ask("1", fmt.Sprintf("(%s) == (%s)", i.Name, encoded), "encoding of %s as %s", i.Name, encoded)
	}
	for i := range a.questions {
		a.questions[i].constant = true
	}
	for _, e := range m.Enums {
		if e.Name == "" {
			continue
		}
		name := "enum " + e.Name
		if e.Typedef {
			name = e.Name
		}
		a.ask(strconv.FormatInt(e.Size, 10), "sizeof("+name+")", "size of %s", name)
		signed := "0"
		if e.Signed {
			signed = "1"
		}
		a.ask(signed, "(("+name+")-1) < 0", "sign of %s", name)
	}
	for i := range m.Structs {
		a.byName[m.Structs[i].Name] = &m.Structs[i]
	}
	for i := range m.Structs {
		s := &m.Structs[i]
		if strings.Contains(s.Name, ".") {
			continue
		}
		object := "struct " + s.Name
		switch {
		case s.Typedef:
			object = s.Name
		case s.Union:
			object = "union " + s.Name
		}
		a.ask(strconv.FormatInt(s.Size, 10), "sizeof("+object+")", "size of %s", s.Name)
		a.ask(strconv.FormatInt(s.Align, 10), "_Alignof("+object+")", "alignment of %s", s.Name)
		a.members(object, s.Name, "", s, 0)
	}
	return a.questions
}

type asker struct {
	questions []question
	byName    map[string]*abi.Struct
}

func (a *asker) ask(claim, expression, what string, args ...any) {
	a.questions = append(a.questions, question{what: fmt.Sprintf(what, args...), claim: claim, expression: expression})
}

// members asks for the members of s, which lies at an offset in object, where
// path designates it. Those of a type without a name are asked for there, too.
func (a *asker) members(object, name, path string, s *abi.Struct, offset int64) {
	for i := range s.Fields {
		f := &s.Fields[i]
		at := offset + f.Offset
		inner, elem := a.nameless(f.Type.Spelling)
		if f.Name == "" {
			if inner != nil {
				a.members(object, name, path, inner, at)
			}
			continue
		}
		member := path + f.Name
		what := name + "." + member
		if f.BitSize > 0 {
			a.questions = append(a.questions, question{
				what: "place of " + what, claim: place(int(at*8+f.BitOffset), int(f.BitSize), int(f.BitSize)),
				expression: member, bits: true, object: object,
			})
			continue
		}
		a.ask(strconv.FormatInt(at, 10), fmt.Sprintf("__builtin_offsetof(%s, %s)", object, member), "offset of %s", what)
		access := fmt.Sprintf("((%s *)0)->%s", object, member)
		if f.Type.Kind != abi.Array || f.Type.Len >= 0 {
			a.ask(strconv.FormatInt(f.Size, 10), "sizeof("+access+")", "size of %s", what)
		}
		switch {
		case strings.HasPrefix(f.Kind, "int"):
			a.ask("1", "((__typeof__("+access+"))-1) < 0", "sign of %s", what)
		case strings.HasPrefix(f.Kind, "uint"):
			a.ask("0", "((__typeof__("+access+"))-1) < 0", "sign of %s", what)
		}
		if inner != nil && (elem == "" || f.Size > 0) {
			a.members(object, name, member+elem+".", inner, at)
		}
	}
}

// nameless returns the struct or union without a name that a member is, or
// that its elements are, and what designates the first of those.
func (a *asker) nameless(spelling string) (s *abi.Struct, elem string) {
	designator, rest, array := strings.Cut(spelling, "[")
	_, name, _ := strings.Cut(designator, " ")
	if !strings.Contains(name, ".") {
		return nil, ""
	}
	if array {
		elem = strings.Repeat("[0]", 1+strings.Count(rest, "["))
	}
	return a.byName[name], elem
}
