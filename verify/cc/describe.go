package cc

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// Describe returns what the header means to the compiler: each macro of the
// file itself that has an integer value, as an ioctl too if it is written as
// one, each enumerator, and each struct, union and enum with those inside it.
// Of a type that another file defines, File says which. Nothing is asked by
// name, so that nothing is missed.
func (h Header) Describe() (*abi.Model, error) {
	macros, bodies, err := h.macros()
	if err != nil {
		return nil, err
	}
	object, err := h.compile("int uffd_any;", "-g", "-fno-eliminate-unused-debug-types")
	if err != nil {
		return nil, err
	}
	t, err := readTypes(object, h.path())
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", h.CC[0], h.Name, err)
	}
	m := &abi.Model{Arch: h.Go, Header: h.Name, Structs: t.structs, Enums: t.enums}
	var q questions
	q.alignments(m.Structs)
	q.signs(m.Enums)
	constants := map[string]*constant{}
	names := slices.Concat(macros, t.enumerators)
	for _, name := range names {
		if constants[name] == nil && !strings.ContainsAny(strings.ReplaceAll(bodies[name], "';'", ""), "{};") {
			constants[name] = q.constant(name)
		}
	}
	ioctls := q.ioctls(macros, bodies)
	if err := h.answer(q); err != nil {
		return nil, err
	}
	for _, name := range names {
		if c := constants[name]; c != nil && c.known && c.class == integerClass {
			m.Constants = append(m.Constants, abi.Constant{Name: name, Value: c.value})
			if i := ioctls[name]; i != nil {
				m.Ioctls = append(m.Ioctls, *i)
			}
		}
		delete(constants, name)
	}
	return m, nil
}

// A constant is what becomes known of a name.
type constant struct {
	class uint64 // of types; see integerClass
	known bool   // it is a constant expression
	value abi.Int
}

// integerClass is what __builtin_classify_type says of an integer; strings,
// floats and pointers are others.
const integerClass = 1

// constant asks whether a name is an integer, and for its value.
func (q *questions) constant(name string) *constant {
	c := new(constant)
	q.ask("__builtin_classify_type("+name+")", func(v uint64) { c.class = v })
	q.ask(name, func(v uint64) { c.known, c.value = true, abi.Unsigned(v) })
	q.ask("("+name+") < 0", func(v uint64) {
		if v == 1 {
			c.value = abi.Signed(int64(c.value.Uint64()))
		}
	})
	return c
}

// encoding matches the text of a macro that encodes an ioctl.
var encoding = regexp.MustCompile(`^_IO(|R|W|WR)\(([^,]+),([^,]+)(?:,([^,]+))?\)$`)

// ioctls asks about those of the macros that are written as an ioctl, or as
// another's name that is.
func (q *questions) ioctls(names []string, bodies map[string]string) map[string]*abi.Ioctl {
	all := map[string]*abi.Ioctl{}
	for _, name := range names {
		body := bodies[name]
		for range bodies {
			if other, ok := bodies[body]; ok {
				body = other
			}
		}
		match := encoding.FindStringSubmatch(body)
		if match == nil {
			continue
		}
		i := &abi.Ioctl{Name: name, Dir: map[string]string{"": "none", "R": "r", "W": "w", "WR": "rw"}[match[1]]}
		all[name] = i
		q.ask(match[2], func(v uint64) { i.Type = int64(v) })
		q.ask(match[3], func(v uint64) { i.Nr = int64(v) })
		if match[4] != "" {
			i.Struct = strings.TrimPrefix(strings.TrimSpace(match[4]), "struct ")
			q.ask("sizeof("+match[4]+")", func(v uint64) { i.Size = int64(v) })
		}
	}
	return all
}

// alignments asks for what DWARF does not tell, of types that C can name: the
// way to others leads through a member without a name. A type stands after
// those that it holds.
func (q *questions) alignments(all []abi.Struct) {
	values := map[string]string{} // of each type, as C gets at them
	for i, s := range slices.Backward(all) {
		switch {
		case strings.Contains(s.Name, "."):
		case s.Typedef:
			values[s.Name] = fmt.Sprintf("(*(%s *)0)", s.Name)
		case s.Union:
			values[s.Name] = fmt.Sprintf("(*(union %s *)0)", s.Name)
		default:
			values[s.Name] = fmt.Sprintf("(*(struct %s *)0)", s.Name)
		}
		value := values[s.Name]
		if value == "" {
			continue
		}
		q.ask("_Alignof(__typeof__("+value+"))", func(v uint64) { all[i].Align = int64(v) })
		for _, f := range s.Fields {
			if _, inner, ok := strings.Cut(f.Kind, " "); ok && strings.Contains(inner, ".") && f.Name != "" {
				values[inner] = value + "." + f.Name + strings.Repeat("[0]", strings.Count(f.Kind, "["))
			}
		}
	}
}

// signs asks which enums are stored as signed integers.
func (q *questions) signs(all []abi.Enum) {
	for i, e := range all {
		ctype := "enum " + e.Name
		if e.Typedef {
			ctype = e.Name
		}
		q.ask("(("+ctype+")-1) < 0", func(v uint64) { all[i].Signed = v == 1 })
	}
}
