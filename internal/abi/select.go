package abi

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Only returns the part of the model whose constants, and structs by their
// outermost tag, have a name that match accepts, and the enums of which a
// constant is in it.
func (m *Model) Only(match func(name string) bool) *Model {
	part := *m
	part.Constants = slices.DeleteFunc(slices.Clone(m.Constants), func(c Constant) bool { return !match(c.Name) })
	part.Ioctls = slices.DeleteFunc(slices.Clone(m.Ioctls), func(i Ioctl) bool { return !match(i.Name) })
	part.Structs = slices.DeleteFunc(slices.Clone(m.Structs), func(s Struct) bool {
		tag, _, _ := strings.Cut(s.Name, ".")
		return !match(tag)
	})
	part.Enums = slices.DeleteFunc(slices.Clone(m.Enums), func(e Enum) bool { return !slices.ContainsFunc(e.Constants, match) })
	return &part
}

// Undescribed returns the symbols whose documentation is missing, or has the
// marker in it, with the lines where they are declared: "a.h:3: A_CONSTANT".
func (m *Model) Undescribed(marker string) []string {
	type symbol struct {
		file string
		line int
		name string
	}
	var all []symbol
	look := func(file string, line int, name, doc string) {
		if doc == "" || strings.Contains(strings.Join(strings.Fields(doc), " "), marker) {
			all = append(all, symbol{cmp.Or(file, m.Header), line, name})
		}
	}
	for _, c := range m.Constants {
		look("", c.Line, c.Name, c.Doc)
	}
	for _, s := range m.Structs {
		if !strings.Contains(s.Name, ".") { // else a member tells of it
			look(s.File, s.Line, s.Name, s.Doc)
		}
		for _, f := range s.Fields {
			if f.Name != "" {
				look(s.File, f.Line, s.Name+"."+f.Name, f.Doc)
			}
		}
	}
	slices.SortFunc(all, func(a, b symbol) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line), cmp.Compare(a.name, b.name))
	})
	var lines []string
	for _, s := range all {
		lines = append(lines, fmt.Sprintf("%s:%d: %s", s.file, s.line, s.name))
	}
	return lines
}
