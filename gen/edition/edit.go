package main

import "strings"

// An edit is what changes in a header's text, line by line.
type edit struct {
	s       *source
	gone    map[int]bool
	in      map[int][]string // in the place of the lines that begin there
	behind  map[int][]string // behind a line
	structs map[int][]string // behind a line, and behind the constants there
	atEnd   []string         // behind the line end, and behind what else is there, but before structs
	end     int
}

func newEdit(s *source) *edit {
	return &edit{s: s, gone: map[int]bool{}, in: map[int][]string{}, behind: map[int][]string{}, structs: map[int][]string{}}
}

// replace puts lines in the place of others.
func (e *edit) replace(at span, lines []string) {
	for n := at.first; n <= at.last; n++ {
		e.gone[n] = true
	}
	e.in[at.first] = lines
}

// insert puts lines behind one, and behind what was put there before.
func (e *edit) insert(line int, lines []string) {
	e.behind[line] = append(e.behind[line], lines...)
}

// declare puts a struct behind a line, and behind the constants there.
func (e *edit) declare(line int, lines []string) {
	e.structs[line] = append(e.structs[line], lines...)
}

// remove takes a declaration out, and the blank line before it.
func (e *edit) remove(at span) {
	if e.s.blank(at.first - 1) {
		at.first--
	}
	e.replace(at, nil)
}

// text returns the text with all that.
func (e *edit) text() string {
	var b strings.Builder
	for i, line := range e.s.lines {
		n := i + 1
		for _, l := range e.in[n] {
			b.WriteString(l + "\n")
		}
		if !e.gone[n] {
			b.WriteString(line + "\n")
		}
		for _, l := range e.behind[n] {
			b.WriteString(l + "\n")
		}
		if n == e.end {
			for _, l := range e.atEnd {
				b.WriteString(l + "\n")
			}
		}
		for _, l := range e.structs[n] {
			b.WriteString(l + "\n")
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
