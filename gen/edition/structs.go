package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

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
		line = max(line, u.behindConstants(b))
		behind[tag] = line
		u.edit.declare(line, append([]string{""}, lines...))
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

// behindConstants returns the line behind which every constant is that a block
// names, such as the length of an array.
func (u *update) behindConstants(b *block) int {
	line := 0
	for _, m := range b.body {
		if m.block != nil {
			line = max(line, u.behindConstants(m.block))
		}
		for _, w := range words(m.text) {
			at, placed := u.placed[w]
			if placed && at == endOfConstants {
				at = u.edit.end
			}
			line = max(line, at, u.have[w].last)
		}
	}
	return line
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
