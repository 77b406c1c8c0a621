package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/gen/internal/golang"
	"github.com/zuffd/uffd/internal/abi"
)

// renamings returns a line for each new symbol that the bindings have by
// another name than the rule gives it, because another symbol has that. It is
// an error if a symbol that was there before loses its name in Go to a new one:
// programs use it.
func renamings(header string, old, new []*abi.Model) ([]string, error) {
	var lines []string
	var lost []error
	seen := map[string]bool{}
	for i, m := range new {
		_, notes, err := golang.Render(m, "uffd")
		if err != nil {
			return nil, fmt.Errorf("the bindings cannot have what the tree declares: %w", err)
		}
		_, before, err := golang.Render(old[i], "uffd")
		if err != nil {
			return nil, err
		}
		had := symbols(old[i])
		for _, n := range notes {
			line := n.Name + " " + n.What
			if seen[line] || slices.ContainsFunc(before, func(b golang.Note) bool { return b.Name == n.Name && b.What == n.What }) {
				continue
			}
			seen[line] = true
			if had[n.Name] {
				lost = append(lost, fmt.Errorf("%s: %s: it would lose the name that programs know it by; declare the other by hand, behind it, if both are types", header, line))
			} else {
				lines = append(lines, line)
			}
		}
	}
	return lines, errors.Join(lost...)
}

// symbols returns what of a model the bindings have names for.
func symbols(m *abi.Model) map[string]bool {
	all := map[string]bool{}
	for _, c := range m.Constants {
		all[c.Name] = true
	}
	for _, s := range m.Strings {
		all[s.Name] = true
	}
	for _, e := range m.Enums {
		all[e.Name] = true
	}
	for _, s := range m.Structs {
		all[s.Name] = true
		for _, f := range s.Fields {
			all[s.Name+"."+f.Name] = true
		}
	}
	return all
}

// oneNameEach is an error if two of the headers declare the same in Go: their
// bindings are files of one package.
func (e *edition) oneNameEach(headers []string) error {
	var clashes []error
	seen := map[string]bool{}
	for _, arch := range cheader.Arches() {
		by := map[string]string{}
		for _, header := range headers {
			models, err := e.parse(e.sysroot(), header, []string{arch})
			if err != nil {
				return err
			}
			src, _, err := golang.Render(models[0], "uffd")
			if err != nil {
				return err
			}
			names, err := golang.Names(src)
			if err != nil {
				return err
			}
			for _, name := range names {
				other := by[name]
				if by[name] = header; other == "" || strings.Contains(name, ".") || seen[name] {
					continue // a method is its type's
				}
				seen[name] = true
				clashes = append(clashes, fmt.Errorf("%s and %s both declare what is %s in Go, and are of one package", other, header, name))
			}
		}
	}
	return errors.Join(clashes...)
}
