package abi

import (
	"cmp"
	"fmt"
	"strings"
)

// A Change is one difference between two models.
type Change struct {
	Verb string // "added", "removed" or "changed"
	What string // "constant", "struct", "union", "field" or "ioctl"
	Name string // in C; a field's with its struct's: "uffdio_poison.mode"
	Old  string // what it was, empty if added
	New  string // what it is, empty if removed
}

// String returns the change in a line.
func (c Change) String() string {
	s := c.Verb + " " + c.What + " " + c.Name
	switch c.Verb {
	case "added":
		return s + ": " + c.New
	case "removed":
		return s + ": " + c.Old
	}
	return s + ": " + c.Old + " -> " + c.New
}

// Compare returns what has changed from old to new: first what was removed or
// changed, in old's order, then what was added, in new's.
func Compare(old, new *Model) []Change {
	var all []Change
	all = append(all, compare("constant", old.Constants, new.Constants,
		func(c Constant) string { return c.Name }, func(c Constant) string { return c.Value.Hex() })...)
	all = append(all, compare("ioctl", old.Ioctls, new.Ioctls, func(i Ioctl) string { return i.Name }, Ioctl.describe)...)
	all = append(all, compare("struct", old.Structs, new.Structs, func(s Struct) string { return s.Name }, Struct.describe)...)
	byName := map[string]Struct{}
	for _, s := range new.Structs {
		byName[s.Name] = s
	}
	for _, s := range old.Structs {
		if is, ok := byName[s.Name]; ok {
			all = append(all, compare("field", s.Fields, is.Fields,
				func(f Field) string { return s.Name + "." + cmp.Or(f.Name, f.Type.Spelling) }, Field.describe)...)
		}
	}
	return all
}

// Changes returns what has changed between models of several architectures, a
// line each, once where it is the same on all: old[i] and new[i] are of one
// architecture and header.
func Changes(old, new []*Model) []string {
	var changes []string
	arches := map[string][]string{}
	for i := range new {
		for _, c := range Compare(old[i], new[i]) {
			line := c.String()
			if arches[line] == nil {
				changes = append(changes, line)
			}
			arches[line] = append(arches[line], new[i].Arch)
		}
	}
	for i, line := range changes {
		if on := arches[line]; len(on) != len(new) {
			changes[i] = strings.Join(on, ",") + ": " + line
		}
	}
	return changes
}

// compare compares two lists by name and description.
func compare[E any](what string, old, new []E, name, describe func(E) string) []Change {
	var all []Change
	is := map[string]E{}
	for _, e := range new {
		is[name(e)] = e
	}
	was := map[string]bool{}
	for _, e := range old {
		was[name(e)] = true
		n, ok := is[name(e)]
		switch {
		case !ok:
			all = append(all, Change{"removed", what, name(e), describe(e), ""})
		case describe(n) != describe(e):
			all = append(all, Change{"changed", what, name(e), describe(e), describe(n)})
		}
	}
	for _, e := range new {
		if !was[name(e)] {
			all = append(all, Change{"added", what, name(e), "", describe(e)})
		}
	}
	return all
}

func (s Struct) describe() string {
	kind := "struct"
	if s.Union {
		kind = "union"
	}
	return fmt.Sprintf("%s of %d bytes, aligned to %d", kind, s.Size, s.Align)
}

func (f Field) describe() string {
	s := fmt.Sprintf("%s at offset %d, %d bytes", f.Type.Spelling, f.Offset, f.Size)
	if f.BitSize > 0 {
		s += fmt.Sprintf(", %d bits from bit %d", f.BitSize, f.BitOffset)
	}
	return s
}

func (i Ioctl) describe() string {
	return fmt.Sprintf("%s, type %#x, number %#x, %d bytes of %q", i.Dir, i.Type, i.Nr, i.Size, i.Struct)
}
