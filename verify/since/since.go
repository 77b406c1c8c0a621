// Package since reads from our edition of the headers which Linux release
// brought each symbol. It reads comments line by line and shares nothing with
// the generator, which reads the same ones.
package since

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Release is a release of Linux.
type Release struct{ Major, Minor int }

// Parse reads a release from the beginning of a string: "6.12", "6.12.107-1",
// "7.3-rc2".
func Parse(s string) (Release, error) {
	m := release.FindStringSubmatch(s)
	if m == nil {
		return Release{}, fmt.Errorf("%q does not begin with a release of Linux", s)
	}
	major, err1 := strconv.Atoi(m[1])
	minor, err2 := strconv.Atoi(m[2])
	if err1 != nil || err2 != nil {
		return Release{}, fmt.Errorf("%q is no release of Linux", s)
	}
	return Release{major, minor}, nil
}

var release = regexp.MustCompile(`^(\d+)\.(\d+)`)

// Before reports whether r is older than other.
func (r Release) Before(other Release) bool {
	return r.Major < other.Major || r.Major == other.Major && r.Minor < other.Minor
}

// String returns the release as "6.12".
func (r Release) String() string { return fmt.Sprintf("%d.%d", r.Major, r.Minor) }

// Edition returns the release that the headers are of.
func Edition(headers fs.FS) (Release, error) {
	text, err := fs.ReadFile(headers, "linux/version.h")
	if err != nil {
		return Release{}, err
	}
	m := versionCode.FindSubmatch(text)
	if m == nil {
		return Release{}, fmt.Errorf("linux/version.h says no LINUX_VERSION_CODE")
	}
	code, err := strconv.Atoi(string(m[1]))
	return Release{code >> 16, code >> 8 & 0xff}, err
}

var versionCode = regexp.MustCompile(`(?m)^#define LINUX_VERSION_CODE (\d+)`)

// Symbols maps macros ("UFFDIO_POISON"), tags ("uffdio_poison") and members
// ("uffd_msg.arg.pagefault.feat.ptid") to the release that brought them.
type Symbols map[string]Release

var (
	sentence = regexp.MustCompile(`Since Linux (\d+\.\d+)\.$`)
	macro    = regexp.MustCompile(`^#define (\w+)\s+\S`)
	opening  = regexp.MustCompile(`^(?:struct|union)(?: (\w+))? \{$`)
	closing  = regexp.MustCompile(`^\}\s*(\w*).*;$`)
	memberOf = regexp.MustCompile(`^[\w ]*?(\w+)(?:\[\w*\])?;$`)
)

// Documented reads a header in the form that package headers describes. Each
// macro and each struct must say its release; a member that says none came
// with what it is in.
func Documented(headers fs.FS, header string) (Symbols, error) {
	text, err := fs.ReadFile(headers, header)
	if err != nil {
		return nil, err
	}
	r := reader{header: header, symbols: Symbols{}}
	for i, line := range strings.Split(string(text), "\n") {
		if err := r.line(strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", header, i+1, err)
		}
	}
	return r.symbols, nil
}

type reader struct {
	header  string
	symbols Symbols
	comment []string // words of the last comment
	inside  bool     // of a comment
	splice  bool     // the line before ended in a backslash
	open    []aggregate
}

// An aggregate is a struct or union that has been opened. Members of one
// without a tag are known by name only when it closes.
type aggregate struct {
	tag     string
	said    string // its comment's release, or ""
	members []member
}

type member struct{ name, said string }

func (r *reader) line(s string) error {
	if r.inside || strings.HasPrefix(s, "/*") {
		return r.inComment(s)
	}
	splice := r.splice
	r.splice = strings.HasSuffix(s, `\`)
	said := r.said()
	switch {
	case splice:
	case s == "":
		r.comment = nil // it was a heading
	case strings.HasPrefix(s, "#"):
		if m := macro.FindStringSubmatch(s); m != nil {
			r.comment = nil
			return r.record(m[1], said)
		}
	case opening.MatchString(s):
		r.comment = nil
		r.open = append(r.open, aggregate{tag: opening.FindStringSubmatch(s)[1], said: said})
	case len(r.open) > 0 && closing.MatchString(s):
		r.comment = nil
		return r.close(closing.FindStringSubmatch(s)[1])
	case len(r.open) > 0:
		m := memberOf.FindStringSubmatch(s)
		if m == nil {
			return fmt.Errorf("%q is not understood", s)
		}
		r.comment = nil
		top := &r.open[len(r.open)-1]
		top.members = append(top.members, member{m[1], said})
	}
	return nil
}

func (r *reader) inComment(s string) error {
	if !r.inside {
		r.comment = nil
		s = strings.TrimPrefix(s, "/*")
	}
	s, ends := strings.CutSuffix(s, "*/")
	r.inside = !ends
	r.comment = append(r.comment, strings.Fields(strings.TrimPrefix(s, "*"))...)
	return nil
}

// said returns the release that the last comment ends with, or "".
func (r *reader) said() string {
	if m := sentence.FindStringSubmatch(strings.Join(r.comment, " ")); m != nil {
		return m[1]
	}
	return ""
}

// close ends the innermost aggregate, which is a member of that name unless it
// is the outermost.
func (r *reader) close(name string) error {
	a := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	if len(r.open) > 0 {
		top := &r.open[len(r.open)-1]
		top.members = append(top.members, member{name, a.said})
		for _, m := range a.members {
			if m.said == "" {
				m.said = a.said
			}
			top.members = append(top.members, member{name + "." + m.name, m.said})
		}
		return nil
	}
	if err := r.record(a.tag, a.said); err != nil {
		return err
	}
	for _, m := range a.members {
		if m.said == "" {
			m.said = a.said
		}
		if err := r.record(a.tag+"."+m.name, m.said); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) record(name, said string) error {
	if said == "" {
		return fmt.Errorf("%s does not say since which Linux it is there", name)
	}
	release, err := Parse(said)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.symbols[name] = release
	return nil
}

// Compare holds what another source says of the same symbols against these. It
// returns how many were compared, and a line for each that differs.
func (s Symbols) Compare(claim Symbols) (compared int, wrong []string) {
	all := maps.Clone(s)
	maps.Copy(all, claim)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		is, really := s[name]
		said, claimed := claim[name]
		switch {
		case !claimed:
			wrong = append(wrong, fmt.Sprintf("%s is not said to be since Linux %v", name, is))
		case !really:
			wrong = append(wrong, fmt.Sprintf("%s is said to be since Linux %v, and not known", name, said))
		case said != is:
			wrong = append(wrong, fmt.Sprintf("%s is said to be since Linux %v, really %v", name, said, is))
		}
	}
	return len(all), wrong
}

// Tags returns the tags of the structs among the symbols: those that have
// members.
func (s Symbols) Tags() []string {
	tags := map[string]bool{}
	for name := range s {
		if tag, _, member := strings.Cut(name, "."); member {
			tags[tag] = true
		}
	}
	return slices.Sorted(maps.Keys(tags))
}
