package cheader

import (
	"regexp"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// documentation is what the comments of a header say, in the form that
// package headers describes, and the order in which they say it.
type documentation struct {
	text  map[string]string // by macro, tag, enumerator, or designator of a member
	group map[string]string // by macro and enumerator: the heading that it stands under
	order map[string]int    // by macro, enumerator and tag
}

// describe reads the documentation of a header: of each symbol that its model
// has, by where it is declared.
func describe(m *abi.Model, all []comment) *documentation {
	d := &documentation{text: map[string]string{}, group: map[string]string{}, order: map[string]int{}}
	c := newComments(all)
	type symbol struct {
		name string
		line int
	}
	var symbols []symbol
	for _, k := range m.Constants {
		d.text[k.Name], d.group[k.Name] = c.of(k.Line), c.heading(k.Line)
		symbols = append(symbols, symbol{k.Name, k.Line})
	}
	for _, s := range m.Strings {
		d.text[s.Name] = c.of(s.Line)
	}
	for _, e := range m.Enums {
		if e.Name != "" {
			d.text["enum "+e.Name] = c.of(e.Line)
		}
	}
	lines := map[string]int{}
	for _, s := range m.Structs {
		if s.File == "" {
			lines[s.Name] = s.Line
		}
	}
	for _, s := range m.Structs {
		if s.File != "" {
			continue
		}
		if !strings.Contains(s.Name, ".") {
			d.text[s.Name] = c.of(s.Line)
			symbols = append(symbols, symbol{s.Name, s.Line})
		}
		for i, f := range s.Fields {
			key := path2(s.Name, f.Name, i)
			// A member whose type is defined there is declared where that is.
			if line, ok := lines[key]; ok {
				d.text[key] = c.of(line)
			} else {
				d.text[key] = c.of(f.Line)
			}
		}
	}
	slices.SortStableFunc(symbols, func(a, b symbol) int { return a.line - b.line })
	for _, s := range symbols {
		if _, ok := d.order[s.name]; !ok {
			d.order[s.name] = len(d.order) + 1
		}
	}
	return d
}

// sort puts what is documented first, in the order of the documentation, and
// fills in its text.
func (d *documentation) sort(m *abi.Model) {
	rank := func(name string) int {
		if n, ok := d.order[name]; ok {
			return n
		}
		return len(d.order) + 1
	}
	slices.SortStableFunc(m.Constants, func(a, b abi.Constant) int { return rank(a.Name) - rank(b.Name) })
	slices.SortStableFunc(m.Ioctls, func(a, b abi.Ioctl) int { return rank(a.Name) - rank(b.Name) })
	for i := range m.Constants {
		c := &m.Constants[i]
		c.Doc, c.Group, c.Since = d.text[c.Name], d.group[c.Name], d.since(c.Name)
	}
	for i := range m.Structs {
		s := &m.Structs[i]
		s.Doc, s.Since = d.text[s.Name], d.since(s.Name)
		for j := range s.Fields {
			f := &s.Fields[j]
			key := path2(s.Name, f.Name, j)
			f.Doc, f.Since = d.text[key], d.since(key)
		}
	}
	for i := range m.Strings {
		m.Strings[i].Doc = d.text[m.Strings[i].Name]
	}
	for i := range m.Enums {
		m.Enums[i].Doc = d.text["enum "+m.Enums[i].Name]
	}
	d.sortStructs(m)
}

// sinceSentence ends the text of what a release brought.
var sinceSentence = regexp.MustCompile(`(?:^|\s)Since\s+Linux\s+(\d+\.\d+)\.$`)

// since returns the release that a symbol is documented to be of, or "". key
// is a macro, a tag or a designator; a member that says no release has that of
// what it is in.
func (d *documentation) since(key string) string {
	if _, known := d.text[key]; !known {
		return ""
	}
	for {
		if m := sinceSentence.FindStringSubmatch(d.text[key]); m != nil {
			return m[1]
		}
		dot := strings.LastIndexByte(key, '.')
		if dot < 0 {
			return ""
		}
		key = key[:dot]
	}
}

// sortStructs orders structs by their documentation, each after the types that
// it holds.
func (d *documentation) sortStructs(m *abi.Model) {
	byName := map[string]*abi.Struct{}
	var names []string
	for i := range m.Structs {
		byName[m.Structs[i].Name] = &m.Structs[i]
		names = append(names, m.Structs[i].Name)
	}
	slices.SortStableFunc(names, func(a, b string) int {
		ra, oka := d.order[outermost(a)]
		rb, okb := d.order[outermost(b)]
		switch {
		case oka && okb:
			return ra - rb
		case oka:
			return -1
		case okb:
			return 1
		}
		return 0
	})
	var sorted []abi.Struct
	done := map[string]bool{}
	var emit func(name string)
	var holds func(t abi.Type)
	holds = func(t abi.Type) {
		if t.Kind == abi.Array {
			holds(*t.Elem)
		} else if t.Kind == abi.Aggregate {
			emit(t.Name)
		}
	}
	emit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, f := range byName[name].Fields {
			holds(f.Type)
		}
		sorted = append(sorted, *byName[name])
	}
	for _, name := range names {
		emit(name)
	}
	m.Structs = sorted
}

func outermost(designator string) string {
	name, _, _ := strings.Cut(designator, ".")
	return name
}
