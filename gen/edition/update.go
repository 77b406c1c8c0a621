package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// An update brings one header up to the tree's.
type update struct {
	header       string
	release      string // of the tree
	old, new     []*abi.Model
	ours, theirs *source
	known        map[string]bool // what code of ours may name

	constants []constant      // of the tree, in its order
	have      map[string]span // our constants: their macros, or the enums that they are in
	enums     struct{ ours, theirs []*block }
	written   map[*block]bool // enums of the tree
	changed   map[string]bool // constants and tags that differ somewhere
	edit      *edit
	placed    map[string]int // the line that a new constant goes behind; endOfConstants
	problems  []error        // what a person has to do
}

func newUpdate(header, release string, old, new []*abi.Model, ours, theirs *source, known map[string]bool) *update {
	u := &update{header: header, release: release, old: old, new: new, ours: ours, theirs: theirs, known: known,
		have: map[string]span{}, written: map[*block]bool{}, changed: map[string]bool{}, edit: newEdit(ours), placed: map[string]int{}}
	for i := range new {
		for _, c := range abi.Compare(old[i], new[i]) {
			u.changed[outermost(c.Name)] = true
		}
	}
	for _, m := range new {
		for _, c := range m.Constants {
			u.known[c.Name] = true
		}
		for _, s := range m.Structs {
			u.known[outermost(s.Name)] = true
		}
	}
	return u
}

// outermost returns the tag that a designator begins with.
func outermost(name string) string {
	tag, _, _ := strings.Cut(name, ".")
	return tag
}

// text returns what the header is to be. An error names all that has to be
// done by hand.
func (u *update) text() (string, error) {
	u.updateConstants()
	u.updateStructs()
	if err := errors.Join(u.problems...); err != nil {
		return "", err
	}
	return u.edit.text(), nil
}

func (u *update) problem(format string, args ...any) {
	u.problems = append(u.problems, fmt.Errorf("%s: "+format, append([]any{u.header}, args...)...))
}

// everywhere reports whether the tree declares a symbol on every architecture
// in the same line. lines are those by architecture, 0 where it is not.
func (u *update) everywhere(name string, lines []int) bool {
	var without, with []string
	same := true
	for i, line := range lines {
		if line == 0 {
			without = append(without, u.new[i].Arch)
		} else {
			with = append(with, u.new[i].Arch)
		}
		same = same && line == lines[0]
	}
	switch {
	case len(without) > 0:
		u.problem("%s is there on %s and not on %s: declare it by hand, under a condition", name, strings.Join(with, ","), strings.Join(without, ","))
	case !same:
		u.problem("%s is declared in one place for one architecture and in another for another: declare it by hand, under a condition", name)
	default:
		return true
	}
	return false
}

// unknown returns the identifiers in code that these headers do not have.
func (u *update) unknown(code string) []string {
	var unknown []string
	for _, w := range words(quotedText.ReplaceAllString(code, "")) {
		if !u.known[w] && !slices.Contains(unknown, w) {
			unknown = append(unknown, w)
		}
	}
	return unknown
}
