package main

import (
	"regexp"
	"strings"
)

// A source is the text of a header, and its code: the same text with blanks in
// the place of comments, so that lines and columns are the same.
type source struct {
	lines    []string // of the text, without newlines
	code     string
	start    []int  // of each line in code
	comments []span // of several lines
}

func newSource(text string) *source {
	s := &source{lines: strings.Split(text, "\n"), start: []int{0}}
	s.code = blankComments(text, func(from, to int) {
		if lines := strings.Count(text[from:to], "\n"); lines > 0 {
			first := strings.Count(text[:from], "\n") + 1
			s.comments = append(s.comments, span{first, first + lines})
		}
	})
	for i := range len(s.code) {
		if s.code[i] == '\n' {
			s.start = append(s.start, i+1)
		}
	}
	return s
}

// blankComments returns the text with blanks in the place of comments, and
// tells where those are.
func blankComments(text string, comment func(from, to int)) string {
	b := []byte(text)
	for i := 0; i < len(b); {
		end := i + 1
		switch {
		case strings.HasPrefix(text[i:], "/*"):
			end = behind(text, i+2, "*/")
		case strings.HasPrefix(text[i:], "//"):
			end = behind(text, i, "\n")
		case b[i] == '"' || b[i] == '\'':
			for end < len(b) && b[end] != b[i] && b[end] != '\n' {
				if b[end] == '\\' {
					end++
				}
				end++
			}
			i = min(end+1, len(b))
			continue
		default:
			i++
			continue
		}
		comment(i, end)
		for ; i < end; i++ {
			if b[i] != '\n' {
				b[i] = ' '
			}
		}
	}
	return string(b)
}

func behind(text string, from int, end string) int {
	if i := strings.Index(text[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(text)
}

// line returns a line's code, counted from 1 as all lines here.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.start) {
		return ""
	}
	code := s.code[s.start[n-1]:]
	if i := strings.IndexByte(code, '\n'); i >= 0 {
		code = code[:i]
	}
	return code
}

// lineAt returns the line of an index into the code.
func (s *source) lineAt(at int) int { return strings.Count(s.code[:at], "\n") + 1 }

// A span is a run of lines, both included.
type span struct{ first, last int }

func (s span) holds(line int) bool { return s.first <= line && line <= s.last }

var definition = regexp.MustCompile(`^\s*#\s*define\s+(\w+)(.*)$`)

// macro returns where the macro that is defined in a line ends, and what it
// is defined to be. It is false if none is.
func (s *source) macro(name string, line int) (body string, at span, ok bool) {
	m := definition.FindStringSubmatch(s.line(line))
	if m == nil || m[1] != name {
		return "", span{}, false
	}
	body, at = m[2], span{line, line}
	for {
		rest, more := strings.CutSuffix(strings.TrimRight(body, " \t"), `\`)
		if !more {
			at.last = s.uncommented(at.last)
			return tidy(body), at, true
		}
		at.last++
		body = rest + " " + s.line(at.last)
	}
}

// uncommented returns the line in which a comment ends that a line begins, or
// the line itself.
func (s *source) uncommented(line int) int {
	for _, c := range s.comments {
		if c.first <= line && line < c.last {
			return c.last
		}
	}
	return line
}

// comment returns where the comment directly before a line begins, or the line
// itself if there is none.
func (s *source) comment(line int) int {
	if line < 2 || !strings.HasSuffix(strings.TrimSpace(s.lines[line-2]), "*/") || strings.TrimSpace(s.line(line-1)) != "" {
		return line
	}
	for n := line - 1; n > 0; n-- {
		if strings.HasPrefix(strings.TrimSpace(s.lines[n-1]), "/*") {
			return n
		}
	}
	return line
}

func (s *source) blank(line int) bool {
	return line >= 1 && line <= len(s.lines) && strings.TrimSpace(s.lines[line-1]) == ""
}

// A block is a struct, a union or an enum with its braces.
type block struct {
	span
	head string   // before the opening brace: "struct pair"
	body []member // of a struct or union
	list []member // of an enum
	tail string   // after the closing brace: "__attribute__((packed))"
}

// A member is a declaration in a block, or an enumerator.
type member struct {
	span
	text  string // "__u64 start"; empty where there is a block
	block *block // of a struct or union that is defined here
}

// blockAt returns the block that begins in a line with a keyword.
func (s *source) blockAt(line int) *block {
	code := s.line(line)
	at := keyword.FindStringIndex(code)
	if at == nil {
		return nil
	}
	start := s.start[line-1]
	b, _ := s.block(start+len(code)-len(strings.TrimLeft(code, " \t")), len(s.code))
	return b
}

var keyword = regexp.MustCompile(`\b(?:struct|union|enum)\b`)

// block reads a declaration with braces from an index into the code, and
// returns the index behind its semicolon.
func (s *source) block(from, limit int) (*block, int) {
	open := strings.IndexByte(s.code[from:limit], '{')
	if open < 0 {
		return nil, limit
	}
	open += from
	shut := s.closing(open, limit)
	end := shut
	for depth := 0; end < limit && (s.code[end] != ';' || depth > 0); end++ {
		depth += nesting(s.code[end])
	}
	if shut >= limit || end >= limit {
		return nil, limit
	}
	b := &block{span: span{s.lineAt(from), s.uncommented(s.lineAt(end))}, head: tidy(s.code[from:open]), tail: tidy(s.code[shut+1 : end])}
	if strings.Contains(" "+b.head+" ", " enum ") {
		b.list = s.members(open+1, shut, ',')
	} else {
		b.body = s.members(open+1, shut, ';')
	}
	return b, end + 1
}

// closing returns the index of the brace that closes the one at open.
func (s *source) closing(open, limit int) int {
	depth := 0
	for i := open; i < limit; i++ {
		switch s.code[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return limit
}

func nesting(c byte) int {
	switch c {
	case '(':
		return 1
	case ')':
		return -1
	}
	return 0
}

// members reads what is between braces. Macros that are defined there are
// passed over; other directives are members by themselves.
func (s *source) members(from, limit int, end byte) []member {
	var all []member
	for {
		for from < limit && strings.IndexByte(" \t\n\r\f\v", s.code[from]) >= 0 {
			from++
		}
		if from >= limit {
			return all
		}
		first := s.lineAt(from)
		if s.code[from] == '#' {
			last := first
			for strings.HasSuffix(strings.TrimRight(s.line(last), " \t"), `\`) {
				last++
			}
			text := strings.TrimSpace(s.line(first))
			if definition.FindString(text) == "" {
				all = append(all, member{span: span{first, last}, text: text})
			}
			from = min(s.start[min(last, len(s.start)-1)], limit)
			if last >= len(s.start) {
				from = limit
			}
			continue
		}
		i, depth, braces := from, 0, false
		for ; i < limit && (s.code[i] != end || depth > 0); i++ {
			depth += nesting(s.code[i])
			if s.code[i] == '{' {
				braces = true
				i = s.closing(i, limit)
			}
		}
		m := member{span: span{first, s.lineAt(min(i, limit-1))}}
		if braces {
			m.block, _ = s.block(from, min(i+1, limit))
		}
		if m.block == nil {
			m.text = tidy(s.code[from:i])
		}
		all = append(all, m)
		from = i + 1
	}
}

// names returns the names of the enumerators.
func (b *block) names() []string {
	var all []string
	for _, m := range b.list {
		if name := words(m.text); len(name) > 0 && !strings.HasPrefix(m.text, "#") {
			all = append(all, name[0])
		}
	}
	return all
}

// enums returns the enums of the header.
func (s *source) enums() []*block {
	var all []*block
	for from := 0; ; {
		at := enumeration.FindStringIndex(s.code[from:])
		if at == nil {
			return all
		}
		from += at[0]
		b, end := s.block(from, len(s.code))
		if b == nil {
			return all
		}
		all = append(all, b)
		from = end
	}
}

var enumeration = regexp.MustCompile(`\benum\b[^;{}()=]*\{`)

var (
	space     = regexp.MustCompile(`\s+`)
	operator  = regexp.MustCompile(`\s*(<<|>>|\|)\s*`)
	inside    = regexp.MustCompile(`\(\s+|\s+\)`)
	loneValue = regexp.MustCompile(`^\((\w+)\)$`)
)

// tidy returns a piece of code in one line, spaced as this project does.
func tidy(code string) string {
	code = strings.TrimSpace(space.ReplaceAllString(code, " "))
	code = inside.ReplaceAllStringFunc(code, strings.TrimSpace)
	code = operator.ReplaceAllString(code, " $1 ")
	code = loneValue.ReplaceAllString(code, "$1")
	return code
}

// words returns the identifiers in code.
func words(code string) []string { return identifier.FindAllString(code, -1) }

var identifier = regexp.MustCompile(`\b[A-Za-z_]\w*`)
