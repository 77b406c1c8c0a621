package cheader

import (
	"strings"
)

// A comment is one of a header, or a run of lines of the // kind.
type comment struct {
	line, end int    // where it begins and ends
	text      string // without its frame
	behind    bool   // something stands before it on its line
	heads     bool   // an empty line follows it
}

// comments are a header's, by line.
type comments struct {
	before   map[int]string // by the line that follows the comment, or that it is on
	behind   map[int]string // by the line that it is on
	headings []comment
}

func newComments(all []comment) *comments {
	c := &comments{before: map[int]string{}, behind: map[int]string{}}
	for _, x := range all {
		switch {
		case x.behind:
			c.behind[x.line] = x.text
		case x.heads:
			c.headings = append(c.headings, x)
		default:
			c.before[x.end], c.before[x.end+1] = x.text, x.text
		}
	}
	return c
}

// of returns the comment of what is declared on a line: the one directly before
// it, or else the one behind it.
func (c *comments) of(line int) string {
	if text, ok := c.before[line]; ok {
		return text
	}
	return c.behind[line]
}

// heading returns the last comment before a line that an empty line follows.
func (c *comments) heading(line int) string {
	text := ""
	for _, h := range c.headings {
		if h.end < line {
			text = h.text
		}
	}
	return text
}

// comment keeps a comment that ends where the scanner is, if any are wanted.
func (s *scanner) comment(text string, line int, behind bool) {
	if !s.keep {
		return
	}
	n := len(s.comments)
	slashes := strings.HasPrefix(text, "//")
	if slashes && n > 0 && !behind && s.slashes && s.comments[n-1].end == line-1 && !s.comments[n-1].behind {
		s.comments[n-1].text += "\n" + commentText(text)
		s.comments[n-1].end = line
		return
	}
	s.follows(line)
	s.comments = append(s.comments, comment{line: line, end: s.line, text: commentText(text), behind: behind})
	s.slashes, s.followed = slashes, false
}

// follows says that something stands on a line, behind the last comment.
func (s *scanner) follows(line int) {
	if n := len(s.comments); n > 0 && !s.followed {
		s.comments[n-1].heads = line > s.comments[n-1].end+1
		s.followed = true
	}
}

// commentText returns a comment's text without its frame, each line without
// the star before it.
func commentText(s string) string {
	if rest, ok := strings.CutPrefix(s, "//"); ok {
		return strings.TrimSpace(rest)
	}
	s = strings.TrimLeft(strings.TrimSuffix(strings.TrimPrefix(s, "/*"), "*/"), "*")
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
