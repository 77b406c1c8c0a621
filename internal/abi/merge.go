package abi

import (
	"fmt"
	"reflect"
	"slices"
)

// Merge returns one model of those of several headers for one architecture.
// What several headers have alike is there once. A name that is a constant of
// different values in two headers is left out, with the reason; a type of
// different layouts is an error.
func Merge(models []*Model) (*Model, error) {
	all := &Model{Arch: models[0].Arch, Release: models[0].Release}
	m := merger{all, map[string]symbol{}, map[string]symbol{}, map[string]string{}}
	for i, model := range models {
		if i > 0 {
			all.Header += " "
		}
		all.Header += model.Header
		for _, s := range model.Structs {
			key := "struct " + s.Name
			if m.isNew(m.types, key, model.Header, comparable(s)) {
				all.Structs = append(all.Structs, s)
			}
		}
		for _, e := range model.Enums {
			if e.Name == "" || m.isNew(m.types, "enum "+e.Name, model.Header, []any{e.Size, e.Signed, e.Constants}) {
				all.Enums = append(all.Enums, e)
			}
		}
		for _, c := range model.Constants {
			c.File = model.Header
			if m.isNew(m.constants, c.Name, model.Header, c.Value) {
				all.Constants = append(all.Constants, c)
			}
		}
		for _, s := range model.Strings {
			if m.isNew(m.constants, s.Name, model.Header, s.Value) {
				all.Strings = append(all.Strings, s)
			}
		}
		all.Ioctls = append(all.Ioctls, model.Ioctls...)
		for _, o := range model.Omitted {
			o.File = model.Header
			all.Omitted = append(all.Omitted, o)
		}
	}
	for key, places := range m.differ {
		if _, ok := m.types[key]; ok {
			return nil, fmt.Errorf("%s is not the same in %s: give them packages of their own", key, places)
		}
	}
	m.leaveOut()
	return all, nil
}

// merger knows what the headers so far have.
type merger struct {
	*Model
	constants, types map[string]symbol
	differ           map[string]string // the headers that differ, by symbol
}

type symbol struct {
	header string
	means  any
}

// isNew records a symbol, and reports whether it is the first of its name.
func (m *merger) isNew(known map[string]symbol, name, header string, means any) bool {
	was, ok := known[name]
	if !ok {
		known[name] = symbol{header, means}
		return true
	}
	if !reflect.DeepEqual(was.means, means) && m.differ[name] == "" {
		m.differ[name] = was.header + " and " + header
	}
	return false
}

// leaveOut takes the constants that differ out of the model.
func (m *merger) leaveOut() {
	differs := func(name string) bool { return m.differ[name] != "" }
	for _, c := range m.Constants {
		if differs(c.Name) {
			m.Omitted = append(m.Omitted, Omission{Name: c.Name, File: c.File, Line: c.Line, Reason: "not the same in " + m.differ[c.Name]})
		}
	}
	m.Constants = slices.DeleteFunc(m.Constants, func(c Constant) bool { return differs(c.Name) })
	m.Strings = slices.DeleteFunc(m.Strings, func(s String) bool { return differs(s.Name) })
	for i := range m.Enums {
		e := &m.Enums[i]
		e.Constants = slices.DeleteFunc(slices.Clone(e.Constants), differs)
	}
	seen := map[string]bool{}
	m.Ioctls = slices.DeleteFunc(m.Ioctls, func(i Ioctl) bool {
		again := seen[i.Name]
		seen[i.Name] = true
		return again || differs(i.Name)
	})
}

// comparable is a struct without where it stands and what is said of it.
func comparable(s Struct) Struct {
	s.File, s.Line, s.Doc, s.Since = "", 0, "", ""
	s.Fields = slices.Clone(s.Fields)
	for i := range s.Fields {
		s.Fields[i].Line, s.Fields[i].Doc, s.Fields[i].Since = 0, "", ""
	}
	return s
}
