package cheader

import (
	"strings"
)

// guardShape finds the macro that guards a header against being read twice:
// its first line is an #ifndef, its second the #define.
type guardShape struct {
	lines int
	name  string
	ok    bool
}

func (g *guardShape) line(line []piece) {
	g.lines++
	if g.lines > 2 || len(line) < 3 || line[0].text != "#" {
		return
	}
	text := ""
	for _, p := range line[1:] {
		text += p.text
	}
	name, notDefined := strings.CutPrefix(text, "if!defined")
	switch {
	case g.lines == 1 && line[1].text == "ifndef":
		g.name = line[2].text
	case g.lines == 1 && notDefined:
		g.name = strings.Trim(name, "()")
	case g.lines == 2 && line[1].text == "define" && line[2].text == g.name:
		g.ok = true
	}
}

func (g *guardShape) guard() string {
	if g.ok {
		return g.name
	}
	return ""
}
