package golang

import (
	"regexp"
	"strings"
)

// lineWidth is where documentation is wrapped, without its indentation.
const lineWidth = 74

var (
	// A C name, with the members that it is followed by.
	cName = regexp.MustCompile(`[A-Za-z_]\w*(\.[a-z_]\w*)*`)
	// A name that stays as it is.
	asIs = regexp.MustCompile("`[^`]*`")
	// A line of a list or of code, which is left as it is.
	verbatim = regexp.MustCompile(`^(\t| {2,})`)
)

// docLines returns documentation as lines for comments, in Go's names and
// wrapped anew.
func (n *names) docLines(text string) []string {
	if text == "" {
		return nil
	}
	text = n.translate(text)
	var lines []string
	var paragraph []string
	flush := func() {
		lines = append(lines, wrap(strings.Fields(strings.Join(paragraph, " ")))...)
		paragraph = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case line == "":
			flush()
			lines = append(lines, "")
		case verbatim.MatchString(line):
			flush()
			lines = append(lines, line)
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
	return lines
}

// translate replaces the C names in text, but for those that are quoted.
func (n *names) translate(text string) string {
	var b strings.Builder
	for {
		at := asIs.FindStringIndex(text)
		if at == nil {
			b.WriteString(cName.ReplaceAllStringFunc(text, n.goWord))
			return b.String()
		}
		b.WriteString(cName.ReplaceAllStringFunc(text[:at[0]], n.goWord))
		b.WriteString(text[at[0]+1 : at[1]-1])
		text = text[at[1]:]
	}
}

// quoted keeps a C name in documentation as it is.
func quoted(name string) string { return "`" + name + "`" }

func wrap(words []string) []string {
	var lines []string
	line := ""
	for _, w := range words {
		if line != "" && len(line)+1+len(w) > lineWidth {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// goWord returns the Go spelling of a word of documentation that is the name
// of a constant, of a struct, or of a member of a struct. Members are named
// with their struct, pair.first; what is documented inside that struct calls
// them by their own name, First.
func (n *names) goWord(word string) string {
	if c, ok := n.consts[word]; ok {
		return c
	}
	// A pattern that stands for several constants: _FOO_x, _FOO_*.
	if stem := strings.TrimRight(word, "x"); len(stem) > 1 && stem[0] == '_' {
		for c := range n.consts {
			if strings.HasPrefix(c, stem) {
				return "X" + word
			}
		}
	}
	parts := strings.Split(word, ".")
	for i := len(parts); i > 0; i-- {
		cType := strings.Join(parts[:i], ".")
		goType, ok := n.types[cType]
		switch {
		case !ok:
		case i == len(parts):
			return goType
		case n.scope != nil && n.scope.Name == cType:
			return members(parts[i:])
		default:
			return goType + "." + members(parts[i:])
		}
	}
	if n.scope != nil && len(parts) > 1 {
		for _, f := range n.scope.Fields {
			if f.Name == parts[0] {
				return members(parts)
			}
		}
	}
	return word
}

// members returns the Go designator of a member of a member.
func members(path []string) string {
	var designator []string
	for _, member := range path {
		designator = append(designator, exported(member))
	}
	return strings.Join(designator, ".")
}
