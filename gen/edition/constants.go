package main

import (
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// A constant is one of the tree.
type constant struct {
	abi.Constant
	ioctl bool
	body  string // what the macro is defined to be, or "" of an enumerator
	enum  *block // that it is an enumerator of, or nil
}

// updateConstants plans what becomes of macros and enumerators.
func (u *update) updateConstants() {
	u.enums.ours, u.enums.theirs = u.ours.enums(), u.theirs.enums()
	macros := map[string]bool{} // of ours
	for _, c := range u.old[0].Constants {
		if body, at, ok := u.ours.macro(c.Name, c.Line); ok && body != c.Name {
			u.have[c.Name], macros[c.Name] = at, true
		} else if e := enumOf(u.enums.ours, c.Name); e != nil {
			u.have[c.Name] = e.span
		}
	}
	u.readConstants()
	for i, c := range u.constants {
		_, have := u.have[c.Name]
		moved := have && !macros[c.Name] && c.enum == nil // out of an enum
		if !moved && !u.changed[c.Name] || !u.everywhere(c.Name, constantLines(u.new, c.Name)) {
			continue
		}
		switch {
		case c.enum == nil && c.body == "":
			u.problem("line %d of the tree's header: no definition of %s is recognised: declare it by hand", c.Line, c.Name)
		case c.enum != nil && !macros[c.Name] && !u.areMacros(c.enum, macros):
			u.enum(i)
		default:
			u.macro(i, macros[c.Name])
			if moved {
				u.shrink(enumOf(u.enums.ours, c.Name))
			}
		}
	}
	for _, c := range u.old[0].Constants {
		switch {
		case isIn(constantLines(u.new, c.Name)):
		case macros[c.Name]:
			at := u.have[c.Name]
			u.edit.remove(span{u.ours.comment(at.first), at.last})
		default:
			u.shrink(enumOf(u.enums.ours, c.Name))
		}
	}
}

// readConstants collects the tree's constants in the order of their lines.
func (u *update) readConstants() {
	ioctls, seen := map[string]bool{}, map[string]bool{}
	for _, m := range u.new {
		for _, i := range m.Ioctls {
			ioctls[i.Name] = true
		}
	}
	for _, m := range u.new {
		for _, c := range m.Constants {
			if seen[c.Name] {
				continue
			}
			seen[c.Name] = true
			body, _, ok := u.theirs.macro(c.Name, c.Line)
			read := constant{Constant: c, ioctl: ioctls[c.Name], body: body}
			if !ok || body == c.Name { // a macro of that name only tells the preprocessor that it is there
				read.body, read.enum = "", enumOf(u.enums.theirs, c.Name)
			}
			u.constants = append(u.constants, read)
		}
	}
	slices.SortStableFunc(u.constants, func(a, b constant) int { return a.Line - b.Line })
}

// macro writes the tree's constant number i as a macro, in the place of ours
// if we have one.
func (u *update) macro(i int, have bool) {
	c := u.constants[i]
	body, ok := u.body(c)
	switch {
	case !ok:
	case have:
		u.edit.replace(u.have[c.Name], macroLines(c.Name, body))
	default:
		doc := c.Doc
		if doc == "" {
			doc = undescribed(c.Name, u.release)
		}
		u.place(i, append(blockComment("", doc), macroLines(c.Name, body)...))
	}
}

// enum writes the enum of the tree that its constant number i is in, in the
// place of ours or in a new one.
func (u *update) enum(i int) {
	theirs := u.constants[i].enum
	if u.written[theirs] {
		return
	}
	u.written[theirs] = true
	docs := map[string]string{}
	for _, c := range u.new[0].Constants {
		docs[c.Name] = c.Doc
	}
	for _, m := range theirs.list {
		if unknown := u.unknown(m.text); len(unknown) > 0 {
			u.problem("the value of %s is made of %s, which these headers do not have: declare that first", words(m.text)[0], strings.Join(unknown, ", "))
			return
		}
	}
	lines := enumLines(theirs, docs, u.release)
	if ours := u.counterpart(theirs); ours != nil {
		u.edit.replace(ours.span, lines)
		return
	}
	u.place(i, lines)
	for _, name := range theirs.names() {
		u.placed[name] = u.placed[u.constants[i].Name]
	}
}

// shrink writes the tree's enum in the place of ours, from which something is
// gone, or takes ours out if nothing is left.
func (u *update) shrink(ours *block) {
	if ours == nil {
		return
	}
	for i, c := range u.constants {
		if c.enum != nil && u.counterpart(c.enum) == ours {
			u.enum(i)
			return
		}
	}
	u.edit.remove(span{u.ours.comment(ours.first), ours.last})
}

// counterpart returns our enum that has one of the enumerators of theirs, or
// nil.
func (u *update) counterpart(theirs *block) *block {
	for _, name := range theirs.names() {
		if e := enumOf(u.enums.ours, name); e != nil {
			return e
		}
	}
	return nil
}

// areMacros reports whether an enum of the tree is a run of macros here.
func (u *update) areMacros(theirs *block, macros map[string]bool) bool {
	return slices.ContainsFunc(theirs.names(), func(name string) bool { return macros[name] })
}

// enumOf returns the enum that has an enumerator, or nil.
func enumOf(enums []*block, name string) *block {
	for _, e := range enums {
		if slices.Contains(e.names(), name) {
			return e
		}
	}
	return nil
}

func constantLines(models []*abi.Model, name string) []int {
	lines := make([]int, len(models))
	for i, m := range models {
		for _, c := range m.Constants {
			if c.Name == name {
				lines[i] = c.Line
			}
		}
	}
	return lines
}

// isIn reports whether lines has one.
func isIn(lines []int) bool { return slices.Max(lines) > 0 }

// body returns what a macro is to be defined as here: what the tree says if
// it is a macro there and these headers have all the names in it, else its
// value.
func (u *update) body(c constant) (string, bool) {
	unknown := u.unknown(c.body)
	if c.body != "" && len(unknown) == 0 {
		return c.body, true
	}
	for _, m := range u.new {
		for _, other := range m.Constants {
			if other.Name == c.Name && other.Value != c.Value {
				u.problem("%s is made of %s, which these headers do not have, and its value is not the same on all architectures (%v on %s, %v on %s): declare it by hand",
					c.Name, strings.Join(unknown, ", "), c.Value.Hex(), u.new[0].Arch, other.Value.Hex(), m.Arch)
				return "", false
			}
		}
	}
	return c.Value.Hex(), true
}
