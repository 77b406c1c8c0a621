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
	group map[string]string // by macro: the heading that it stands under
	order map[string]int    // by macro, enumerator and tag
}

// describe reads the documentation of a header. Where docs does not have the
// header, it is empty.
func describe(docs *Sysroot, a *arch, header string) *documentation {
	d := &documentation{text: map[string]string{}, group: map[string]string{}, order: map[string]int{}}
	if docs == nil {
		return d
	}
	content, _, err := docs.read(a, header)
	if err != nil {
		return d
	}
	r := &docReader{d: d, tokens: scan(string(content))}
	r.file()
	return d
}

// A docReader reads declarations only as far as their names.
type docReader struct {
	d       *documentation
	tokens  []token
	at      int
	heading string
	doc     string // of the declaration that follows
}

func (r *docReader) next() (token, bool) {
	if r.at == len(r.tokens) {
		return token{}, false
	}
	r.at++
	return r.tokens[r.at-1], true
}

// code returns the next token that is no comment or directive, and records what
// those before it say.
func (r *docReader) code() (token, bool) {
	for {
		t, ok := r.next()
		switch {
		case ok && t.kind == comment:
			r.comment(t)
		case ok && t.kind == directive:
			r.define(t)
		default:
			return t, ok
		}
	}
}

// comment takes a comment as the documentation of what follows it directly,
// or as a heading if an empty line does.
func (r *docReader) comment(t token) {
	text := commentText(t.text)
	if r.at < len(r.tokens) && r.tokens[r.at].line > t.end+1 {
		r.heading, r.doc = text, ""
		return
	}
	r.doc = text
}

// define records a macro's documentation.
func (r *docReader) define(t token) {
	if name := t.defined(); name != "" {
		r.record(name, name)
		r.d.group[name] = r.heading
	}
	r.doc = ""
}

func (r *docReader) record(key, orderKey string) {
	if _, ok := r.d.text[key]; !ok {
		r.d.text[key] = r.doc
		if orderKey != "" {
			r.d.order[orderKey] = len(r.d.order) + 1
		}
	}
	r.doc = ""
}

// file reads declarations at file scope.
func (r *docReader) file() {
	for {
		t, ok := r.code()
		if !ok {
			return
		}
		switch {
		case t.text == "struct" || t.text == "union" || t.text == "enum":
			r.definition(t.text)
		case t.text == ";":
			r.doc = ""
		}
	}
}

// definition reads from after "struct", "union" or "enum" at file scope, if a
// definition follows.
func (r *docReader) definition(keyword string) {
	tag := ""
	for r.at < len(r.tokens) {
		switch t := r.tokens[r.at]; {
		case t.text == "{":
			r.at++
			if keyword == "enum" {
				r.enum()
				return
			}
			r.record(tag, tag)
			r.members(tag)
			return
		case t.kind == word && tag == "":
			tag = t.text
		case t.kind != comment && t.kind != word && t.text != "(" && t.text != ")":
			return
		}
		r.at++
	}
}

// enum reads enumerators up to the closing brace.
func (r *docReader) enum() {
	r.doc = ""
	expect, depth := true, 0
	for {
		t, ok := r.code()
		if !ok {
			return
		}
		switch {
		case t.text == "(":
			depth++
		case t.text == ")":
			depth--
		case t.text == "}":
			return
		case t.text == "," && depth == 0:
			expect = true
		case t.kind == word && expect:
			r.record(t.text, t.text)
			r.d.group[t.text] = r.heading
			expect = false
		}
	}
}

// members reads the members of a struct or union up to its closing brace.
// outer is its tag or designator.
func (r *docReader) members(outer string) {
	r.doc = ""
	for n := 0; ; n++ {
		if !r.member(outer, n) {
			return
		}
	}
}

// member reads member number n of outer. It returns false at the closing
// brace.
func (r *docReader) member(outer string, n int) bool {
	name, doc := "", ""
	parens := 0
	tag, body := "", -1 // of a struct or union that is defined here
	keyword := false
	for {
		t, ok := r.next()
		if !ok {
			return false
		}
		switch {
		case t.kind == comment:
			if doc == "" && name == "" {
				r.comment(t)
			}
		case t.kind == directive:
			if name == "" {
				doc = ""
			}
			r.define(t)
		case t.text == "}":
			return false
		case t.text == "{":
			doc, r.doc = first(doc, r.doc), ""
			body = r.at
			r.skipBody()
			keyword = false
		case t.text == "struct" || t.text == "union":
			keyword = true
			doc, r.doc = first(doc, r.doc), ""
		case t.text == "(":
			parens++
		case t.text == ")":
			parens--
		case t.kind == word && parens == 0 && t.text != "__attribute__":
			doc, r.doc = first(doc, r.doc), ""
			if keyword && body < 0 {
				tag, keyword = t.text, false
			} else if !isNumber(t.text) {
				name = t.text
			}
		case t.text == "[":
			for depth := 1; depth > 0; {
				t, ok := r.next()
				if !ok {
					return false
				}
				if t.text == "[" {
					depth++
				} else if t.text == "]" {
					depth--
				}
			}
		case t.text == ":" || t.text == ",":
			// The name before it is a member's; a width or another declarator
			// follows.
			if name != "" {
				r.d.text[outer+"."+name] = doc
			}
		case t.text == ";" && parens == 0:
			inner := first(tag, path2(outer, name, n))
			if body >= 0 {
				resume := r.at
				r.at = body
				r.members(inner)
				r.at = resume
				if tag == "" {
					r.d.text[inner] = doc
				}
			}
			if name != "" {
				r.d.text[outer+"."+name] = doc
			}
			r.doc = ""
			return true
		}
	}
}

// skipBody moves behind the brace that closes the one just read.
func (r *docReader) skipBody() {
	for depth := 1; depth > 0; {
		t, ok := r.next()
		if !ok {
			return
		}
		switch t.text {
		case "{":
			depth++
		case "}":
			depth--
		}
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// commentText returns a comment's text without its frame, each line without
// the star before it.
func commentText(s string) string {
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		return strings.TrimSpace(rest)
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "/*"), "*/")
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		l = strings.TrimLeft(l, " \t")
		if rest, ok := strings.CutPrefix(l, "*"); ok && i > 0 {
			l = strings.TrimPrefix(rest, " ")
		}
		lines[i] = strings.TrimRight(l, " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n ")
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
