package cc

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/claim"
)

// Describe returns what the header means to the compiler: each macro of the
// file itself that has an integer value, as an ioctl too if it encodes one, each
// of its enums and enumerators, and each struct and union with those inside it.
// Of a struct that another file defines, File says which. Nothing is asked by
// name, so that nothing is missed.
func (h Header) Describe() (*abi.Model, error) {
	macros, err := h.macros()
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
	ioctls, err := h.ioctls(&q, macros)
	if err != nil {
		return nil, err
	}
	// A macro of an enumerator's name is what the name means.
	enumerators := slices.DeleteFunc(t.enumerators, func(name string) bool { return slices.Contains(macros, name) })
	for _, name := range slices.Concat(macros, enumerators) {
		q.integer(name, func(value abi.Int) {
			m.Constants = append(m.Constants, abi.Constant{Name: name, Value: value})
			if i := ioctls[name]; i != nil {
				m.Ioctls = append(m.Ioctls, *i)
			}
		})
	}
	for i, value := range t.values { // DWARF tells no alignments
		if !claim.Unnamed.MatchString(m.Structs[i].Name) {
			q.ask("_Alignof(__typeof__("+value+"))", func(v uint64) { m.Structs[i].Align = int64(v) })
		}
	}
	for i, e := range m.Enums {
		ctype := "enum " + e.Name
		if e.Typedef {
			ctype = e.Name
		}
		q.ask("(("+ctype+")-1) < 0", func(v uint64) { m.Enums[i].Signed = v == 1 })
	}
	return m, h.answer(q)
}

// integerClass is what __builtin_classify_type says of an integer; strings,
// floats and pointers are others.
const integerClass = 1

// integer asks for the value of a name, if it is an integer constant.
func (q *questions) integer(name string, take func(value abi.Int)) {
	var class, value uint64
	q.ask("__builtin_classify_type("+name+")", func(v uint64) { class = v })
	q.ask(name, func(v uint64) { value = v })
	q.ask("("+name+") < 0", func(negative uint64) {
		if class == integerClass && negative == 1 {
			take(abi.Signed(int64(value)))
		} else if class == integerClass {
			take(abi.Unsigned(value))
		}
	})
}

var (
	// operands matches a macro that stands for _IOC, as ioctls defines it, and
	// nothing else.
	operands = regexp.MustCompile(`(?m)^"(\w+)" \(*@([^@]+)@([^@]+)@([^@]+)@([^@]+)@\)*$`)

	// argument matches the size of a type.
	argument = regexp.MustCompile(`^\(*sizeof ?\(+(?:struct |union )?(.+?)\)+$`)
)

// ioctls asks for the operands of _IOC of those of the macros that stand for it,
// by whichever others.
func (h Header) ioctls(q *questions, macros []string) (map[string]*abi.Ioctl, error) {
	source := "#undef _IOC\n#define _IOC(dir, type, nr, size) @dir@type@nr@size@\n"
	for _, name := range macros {
		source += fmt.Sprintf("%q %s\n", name, name)
	}
	out, err := h.run(source, "-E", "-P")
	all := map[string]*abi.Ioctl{}
	for _, m := range operands.FindAllStringSubmatch(string(out), -1) {
		i := &abi.Ioctl{Name: m[1]}
		all[i.Name] = i
		q.ask(fmt.Sprintf("!!(%s & _IOC_READ) + 2 * !!(%[1]s & _IOC_WRITE)", "("+m[2]+")"), func(v uint64) {
			i.Dir = []string{"none", "r", "w", "rw"}[v]
		})
		q.ask(m[3], func(v uint64) { i.Type = int64(v) })
		q.ask(m[4], func(v uint64) { i.Nr = int64(v) })
		q.ask(m[5], func(v uint64) { i.Size = int64(v) })
		if of := argument.FindStringSubmatch(m[5]); of != nil {
			i.Struct = of[1]
		}
	}
	return all, err
}
