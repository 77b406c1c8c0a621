package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/internal/abi"
)

// width is how many columns a line of our headers has at most.
const width = 80

// undescribed is the documentation of what nobody has described yet. name is
// empty for a member, since for what came with the struct that it is in.
func undescribed(name, since string) string {
	text := headers.Undescribed
	if name != "" {
		text = name + ": " + text
	}
	if since != "" {
		text += fmt.Sprintf(" Since Linux %s.", since)
	}
	return text
}

// blockComment returns a comment in the form of those before macros and
// structs.
func blockComment(indent, text string) []string {
	lines := []string{indent + "/*"}
	for _, l := range wrap(text, width-columns(indent)-3) {
		lines = append(lines, strings.TrimRight(indent+" * "+l, " "))
	}
	return append(lines, indent+" */")
}

// memberComment returns a comment in the form of those before members.
func memberComment(indent, text string) []string {
	line := indent + "/* " + text + " */"
	if !strings.Contains(text, "\n\n") && columns(line) <= width {
		return []string{strings.ReplaceAll(line, "\n", " ")}
	}
	return blockComment(indent, text)
}

// columns returns the width of a line.
func columns(line string) int {
	return len(line) + 7*strings.Count(line, "\t")
}

var verbatim = regexp.MustCompile(`^(\t| {2,})`)

// wrap breaks text into lines; lines of lists and of code are left as they
// are.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	flush := func() {
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
	}
	for l := range strings.SplitSeq(text, "\n") {
		if l == "" || verbatim.MatchString(l) {
			flush()
			lines = append(lines, l)
			continue
		}
		for word := range strings.FieldsSeq(l) {
			if line != "" && len(line)+1+len(word) > width {
				flush()
			}
			if line != "" {
				line += " "
			}
			line += word
		}
	}
	flush()
	return lines
}

// macroLines returns the definition of a macro, a long set of flags over
// several lines.
func macroLines(name, body string) []string {
	define := "#define " + name
	if body == "" {
		return []string{define}
	}
	flags := strings.Split(body, " | ")
	if len(define)+1+len(body) <= width || len(flags) == 1 {
		return []string{define + " " + body}
	}
	lines := []string{define + ` \`}
	line := "\t"
	for i, f := range flags {
		piece := f
		if i < len(flags)-1 {
			piece += " |"
		}
		if strings.TrimSpace(line) != "" && columns(line+" "+piece+` \`) > width {
			lines = append(lines, line+` \`)
			line = "\t "
		}
		if strings.TrimSpace(line) != "" {
			line += " "
		}
		line += piece
	}
	return append(lines, line)
}

// A structWriter prints a struct of the tree with our documentation.
type structWriter struct {
	models map[string]abi.Struct // the tree's, by name, with our documentation
	ours   *source               // our text of it, or nil
	known  map[string]abi.Struct // ours, by name, with its lines
	since  string                // the release of what we do not know
}

// lines returns the declaration of a struct, with its comment.
func (w *structWriter) lines(name string, b *block) []string {
	s := w.models[name]
	_, known := w.known[name]
	doc := s.Doc
	if doc == "" {
		doc = undescribed(name, w.since)
	}
	lines := blockComment("", doc)
	lines = append(lines, b.head+" {")
	lines = append(lines, w.body(name, b, "\t", known)...)
	return append(lines, strings.TrimRight("} "+b.tail, " ")+";")
}

// body returns the members of a struct. known says that it is in our header,
// so that a member that is not has come later.
func (w *structWriter) body(name string, b *block, indent string, known bool) []string {
	var lines []string
	s, ours := w.models[name], w.known[name]
	apart := false // a blank line is before the member of ours that was last
	for _, m := range b.body {
		if strings.HasPrefix(m.text, "#") {
			lines = append(lines, m.text)
			continue
		}
		field, i := fieldOf(s, m)
		doc, memberKnown := "", known
		if i >= 0 {
			doc = field.Doc
			old, j := fieldNamed(ours, field.Name)
			memberKnown = known && j >= 0 && field.Name != ""
			if memberKnown && w.ours != nil {
				apart = w.ours.blank(w.ours.comment(w.firstLine(old)) - 1)
			}
			if apart {
				lines = append(lines, "")
			}
		}
		if doc == "" && i >= 0 {
			since := ""
			if known && !memberKnown {
				since = w.since
			}
			doc = undescribed("", since)
		}
		if doc != "" {
			lines = append(lines, memberComment(indent, doc)...)
		}
		if m.block == nil {
			lines = append(lines, indent+m.text+";")
			continue
		}
		lines = append(lines, indent+m.block.head+" {")
		lines = append(lines, w.body(typeName(field.Type), m.block, indent+"\t", memberKnown)...)
		lines = append(lines, strings.TrimRight(indent+"} "+m.block.tail, " ")+";")
	}
	return lines
}

// firstLine returns the line that the declaration of one of our members begins
// in.
func (w *structWriter) firstLine(f abi.Field) int {
	if inner, ok := w.known[typeName(f.Type)]; ok && strings.Contains(inner.Name, ".") {
		return inner.Line
	}
	return f.Line
}

// typeName returns the name of the struct or union that a type is, or is an
// array of.
func typeName(t abi.Type) string {
	for t.Kind == abi.Array {
		t = *t.Elem
	}
	return t.Name
}

// fieldOf returns the first field that a member declares, and its index, or -1
// for padding without a name.
func fieldOf(s abi.Struct, m member) (abi.Field, int) {
	declared := m.text
	if m.block != nil {
		declared = m.block.tail
	}
	for i, f := range s.Fields {
		if !m.holds(f.Line) {
			continue
		}
		if f.Name == "" && m.block != nil || f.Name != "" && hasWord(declared, f.Name) {
			return f, i
		}
	}
	return abi.Field{}, -1
}

func fieldNamed(s abi.Struct, name string) (abi.Field, int) {
	for i, f := range s.Fields {
		if f.Name == name {
			return f, i
		}
	}
	return abi.Field{}, -1
}

func hasWord(code, word string) bool {
	for _, w := range words(code) {
		if w == word {
			return true
		}
	}
	return false
}

// enumLines returns an enum with our documentation, without a comment of its
// own. since is the release of the enumerators that docs does not have.
func enumLines(b *block, docs map[string]string, since string) []string {
	lines := []string{b.head + " {"}
	for _, e := range b.list {
		if strings.HasPrefix(e.text, "#") {
			lines = append(lines, e.text)
			continue
		}
		name := words(e.text)[0]
		doc := docs[name]
		if doc == "" {
			doc = undescribed(name, since)
		}
		lines = append(lines, memberComment("\t", doc)...)
		lines = append(lines, "\t"+e.text+",")
	}
	return append(lines, strings.TrimRight("} "+b.tail, " ")+";")
}
