package main

import (
	"errors"
	"fmt"
	"maps"
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
	have      map[string]span // our constants
	changed   map[string]bool // constants and tags that differ somewhere
	edit      *edit
	placed    map[string]int // the line that a new constant goes behind; endOfConstants
	problems  []error        // what a person has to do
}

// A constant is one of the tree.
type constant struct {
	abi.Constant
	ioctl bool
}

func newUpdate(header, release string, old, new []*abi.Model, ours, theirs *source, known map[string]bool) *update {
	u := &update{header: header, release: release, old: old, new: new, ours: ours, theirs: theirs, known: known,
		have: map[string]span{}, changed: map[string]bool{}, edit: newEdit(ours), placed: map[string]int{}}
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

func structLines(models []*abi.Model, name string) []int {
	lines := make([]int, len(models))
	for i, m := range models {
		for _, s := range m.Structs {
			if s.Name == name {
				lines[i] = s.Line
			}
		}
	}
	return lines
}

// isIn reports whether lines has one.
func isIn(lines []int) bool { return slices.Max(lines) > 0 }

// updateConstants plans what becomes of macros and enumerators.
func (u *update) updateConstants() {
	ourEnums, theirEnums := u.ours.enums(), u.theirs.enums()
	for _, c := range u.old[0].Constants {
		if _, at, ok := u.ours.macro(c.Name, c.Line); ok {
			u.have[c.Name] = at
		} else if e := enumAt(ourEnums, c.Line); e != nil {
			u.have[c.Name] = e.span
		}
	}
	ioctls := map[string]bool{}
	seen := map[string]bool{}
	for _, m := range u.new {
		for _, i := range m.Ioctls {
			ioctls[i.Name] = true
		}
		for _, c := range m.Constants {
			if !seen[c.Name] {
				seen[c.Name] = true
				u.constants = append(u.constants, constant{c, false})
			}
		}
	}
	for i := range u.constants {
		u.constants[i].ioctl = ioctls[u.constants[i].Name]
	}
	slices.SortStableFunc(u.constants, func(a, b constant) int { return a.Line - b.Line })
	written := map[*block]bool{}
	for i, c := range u.constants {
		if !u.changed[c.Name] || !u.everywhere(c.Name, constantLines(u.new, c.Name)) {
			continue
		}
		at, have := u.have[c.Name]
		if body, _, ok := u.theirs.macro(c.Name, c.Line); ok {
			body, ok = u.body(c, body)
			switch {
			case !ok:
			case have && enumAt(ourEnums, at.first) == nil:
				u.edit.replace(at, macroLines(c.Name, body))
			case have:
				u.problem("%s is a macro now, and an enumerator here: change it by hand", c.Name)
			default:
				lines := append(blockComment("", undescribed(c.Name, u.release)), macroLines(c.Name, body)...)
				u.place(i, lines)
			}
			continue
		}
		theirs := enumAt(theirEnums, c.Line)
		if theirs == nil {
			u.problem("line %d of the tree's header: no definition of %s is recognised: declare it by hand", c.Line, c.Name)
			continue
		}
		if !written[theirs] {
			written[theirs] = true
			u.enum(i, theirs, ourEnums)
		}
	}
	for _, c := range u.old[0].Constants {
		if isIn(constantLines(u.new, c.Name)) {
			continue
		}
		at := u.have[c.Name]
		e := enumAt(ourEnums, at.first)
		switch {
		case e == nil:
			u.edit.remove(span{u.ours.comment(at.first), at.last})
		case !u.remains(e):
			u.edit.remove(span{u.ours.comment(e.first), e.last})
		default:
			for _, theirs := range theirEnums {
				if u.counterpart(theirs, ourEnums) == e && !written[theirs] {
					written[theirs] = true
					u.enum(0, theirs, ourEnums)
				}
			}
		}
	}
}

// enumAt returns the enum that a line is in, or nil.
func enumAt(enums []*block, line int) *block {
	for _, e := range enums {
		if e.holds(line) {
			return e
		}
	}
	return nil
}

// remains reports whether the tree has any of our enumerators.
func (u *update) remains(e *block) bool {
	for _, m := range e.list {
		if name := words(m.text); len(name) > 0 && isIn(constantLines(u.new, name[0])) {
			return true
		}
	}
	return false
}

// counterpart returns our enum that has one of the enumerators of theirs, or
// nil.
func (u *update) counterpart(theirs *block, ourEnums []*block) *block {
	for _, m := range theirs.list {
		name := words(m.text)
		if len(name) == 0 {
			continue
		}
		if at, ok := u.have[name[0]]; ok {
			return enumAt(ourEnums, at.first)
		}
	}
	return nil
}

// enum writes an enum of the tree, in the place of ours or in a new one. i is
// the index of the constant that it is written for.
func (u *update) enum(i int, theirs *block, ourEnums []*block) {
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
	if ours := u.counterpart(theirs, ourEnums); ours != nil {
		u.edit.replace(ours.span, lines)
		return
	}
	u.place(i, lines)
	for _, m := range theirs.list {
		if name := words(m.text); len(name) > 0 {
			u.placed[name[0]] = u.placed[u.constants[i].Name]
		}
	}
}

// body returns what a macro is to be defined as here: what the tree says if
// these headers have all the names in it, else its value.
func (u *update) body(c constant, body string) (string, bool) {
	unknown := u.unknown(body)
	if len(unknown) == 0 {
		return body, true
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

// updateStructs plans what becomes of structs and unions.
func (u *update) updateStructs() {
	oldByName, newByName := byName(u.old[0]), map[string]abi.Struct{}
	for _, m := range slices.Backward(u.new) {
		maps.Copy(newByName, byName(m))
	}
	var tags []string
	blocks := map[string]*block{}
	for _, name := range slices.Sorted(maps.Keys(newByName)) {
		if s := newByName[name]; !strings.Contains(name, ".") && s.File == "" {
			if b := u.theirs.blockAt(s.Line); b != nil {
				tags = append(tags, name)
				blocks[name] = b
			}
		} else if u.changed[name] {
			u.problem("%s is declared in %s: declare it by hand", name, s.File)
		}
	}
	slices.SortFunc(tags, func(a, b string) int { return blocks[a].first - blocks[b].first })
	w := &structWriter{models: newByName, ours: u.ours, known: oldByName, since: u.release}
	behind := map[string]int{} // the line that a struct ends in, or goes behind
	for tag, s := range oldByName {
		if b := u.ours.blockAt(s.Line); b != nil && !strings.Contains(tag, ".") {
			behind[tag] = b.last
		}
	}
	last := u.endOfHeader()
	for i, tag := range tags {
		b := blocks[tag]
		if outer := slices.IndexFunc(tags, func(other string) bool { return other != tag && blocks[other].holds(b.first) }); outer >= 0 {
			continue // written with what it is in
		}
		changed := false
		for _, inner := range tags {
			changed = changed || b.holds(blocks[inner].first) && u.changed[inner]
		}
		if !changed || !u.everywhere(tag, structLines(u.new, tag)) {
			continue
		}
		if unknown := u.unknownIn(b, newByName[tag], newByName); len(unknown) > 0 {
			u.problem("struct %s needs %s, which these headers do not have: declare that first", tag, strings.Join(unknown, ", "))
			continue
		}
		lines := w.lines(tag, b)
		if s, ok := oldByName[tag]; ok {
			at := u.ours.blockAt(s.Line)
			u.edit.replace(span{u.ours.comment(at.first), at.last}, lines)
			continue
		}
		line := last
		for _, before := range slices.Backward(tags[:i]) {
			if at, ok := behind[before]; ok {
				line = at
				break
			}
		}
		for _, f := range newByName[tag].Fields {
			line = max(line, behind[typeName(f.Type)])
		}
		behind[tag] = line
		u.edit.insert(line, append([]string{""}, lines...))
	}
	for tag, s := range oldByName {
		if _, ok := newByName[tag]; ok || strings.Contains(tag, ".") {
			continue
		}
		if b := u.ours.blockAt(s.Line); b != nil {
			u.edit.remove(span{u.ours.comment(b.first), b.last})
		}
	}
}

func byName(m *abi.Model) map[string]abi.Struct {
	all := map[string]abi.Struct{}
	for _, s := range m.Structs {
		all[s.Name] = s
	}
	return all
}

// unknownIn returns the identifiers of a block that these headers do not have,
// the names of its members aside.
func (u *update) unknownIn(b *block, s abi.Struct, models map[string]abi.Struct) []string {
	names := map[string]bool{}
	for _, f := range s.Fields {
		names[f.Name] = true
	}
	var unknown []string
	add := func(code string) {
		for _, w := range u.unknown(code) {
			if !names[w] {
				unknown = append(unknown, w)
			}
		}
	}
	add(b.head)
	add(b.tail)
	for _, m := range b.body {
		if m.block == nil {
			add(m.text)
			continue
		}
		if f, i := fieldOf(s, m); i >= 0 {
			inner := m.block
			without := &block{head: inner.head, body: inner.body}
			unknown = append(unknown, u.unknownIn(without, models[typeName(f.Type)], models)...)
		}
	}
	return unknown
}

// endOfHeader returns the line that the last declaration goes behind: the one
// before the blank line before the last directive, which ends the include
// guard.
func (u *update) endOfHeader() int {
	n := len(u.ours.lines)
	for line := n; line > 0; line-- {
		if strings.HasPrefix(strings.TrimSpace(u.ours.line(line)), "#endif") {
			n = line - 1
			break
		}
	}
	for n > 1 && u.ours.blank(n) {
		n--
	}
	return n
}
