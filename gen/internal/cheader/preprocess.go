package cheader

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ctoken"
	"modernc.org/cc/v4"
)

// A unit is a header after preprocessing.
type unit struct {
	header *source
	tokens []ctoken.Token            // of the header and what it includes
	macros map[string]*definition    // that are defined at the end
	values map[string][]ctoken.Token // what macros of the header without parameters expand to, where _IOC is ioctlCall
}

// A pragmaToken stands among the tokens of a unit where a #pragma was.
const pragmaToken = "#pragma"

// ioctlMacros are those of linux/ioctl.h that tell how an architecture encodes.
var ioctlMacros = []string{"_IOC_NONE", "_IOC_READ", "_IOC_WRITE", "_IOC_SIZEBITS"}

// preprocess runs the preprocessor over a header, with linux/ioctl.h before it:
// kernel headers use its macros without including it. Behind the header it
// asks for what each macro of the header expands to in the end.
func (f *archFS) preprocess(header string) (*unit, error) {
	content, name, err := f.find(header)
	if err != nil {
		return nil, fmt.Errorf("no such header: %w", err)
	}
	src, err := f.r.read(name, content)
	if err != nil {
		return nil, err
	}
	f.sources[path.Join(f.s.name, header)] = src
	include := fmt.Sprintf("#include <%s>\n", header)
	if _, _, err := f.find("linux/ioctl.h"); err == nil {
		include = "#include <linux/ioctl.h>\n" + include
	}
	cabi, err := cc.NewABI("linux", f.a.name)
	if err != nil {
		return nil, fmt.Errorf("the C parser: %w", err)
	}
	cfg := &cc.Config{
		ABI:             cabi,
		FS:              f,
		FSOnly:          true,
		IncludePaths:    []string{"@", f.s.name},
		SysIncludePaths: []string{f.s.name},
		ExpansionLimit:  maxExpansion + len(content)*expansionPerByte,
	}
	out := &output{r: f.r, begun: map[*source]int{}}
	out.Grow(64 << 10)
	err = cc.Preprocess(cfg, []cc.Source{
		{Name: "<predefined>", Value: f.a.predefined},
		{Name: "<" + header + ">", Value: include},
		{Name: valuesName, Value: f.questions(src)},
	}, out)
	if f.hostile != nil {
		return nil, f.hostile
	}
	if err != nil {
		return nil, f.explain(err, src)
	}
	return f.collect(src, out.String())
}

// output is what the preprocessor writes. It stops the preprocessor when a
// header includes itself without end.
type output struct {
	bytes.Buffer
	r     *reader
	begun map[*source]int
}

// maxIncluded is how often a header may be included.
const maxIncluded = 1000

// Write implements io.Writer. The preprocessor writes a token at a time.
func (o *output) Write(token []byte) (int, error) {
	if number, ok := bytes.CutPrefix(token, []byte(markPrefix)); ok {
		if id, err := strconv.Atoi(string(number)); err == nil && id < len(o.r.marks) && o.r.marks[id].kind == begins {
			src := o.r.marks[id].src
			if o.begun[src]++; o.begun[src] > maxIncluded {
				return 0, fmt.Errorf("%s: the header is included more than %d times: does it include itself?", src.name, maxIncluded)
			}
		}
	}
	return o.Buffer.Write(token)
}

// valuesName is the name of the text that asks for values, in messages.
const valuesName = "<values>"

// ioctlCall stands for _IOC in the values of macros, so that ioctls are known by
// whichever macros they come; and ioctlOperand with a number stands for the
// operands of _IOC in the value of ioctlCall itself, which is what it expands to.
const (
	ioctlCall    = markPrefix + "ioc"
	ioctlOperand = markPrefix + "operand"
)

// questions is the text that asks for the values of a header's macros.
func (f *archFS) questions(src *source) string {
	var b strings.Builder
	f.asked = nil
	ask := func(name, text string) {
		fmt.Fprintf(&b, "%s\n%s\n", f.r.mark(mark{src: src, kind: asks, name: name}), text)
		f.asked = append(f.asked, name)
	}
	for _, name := range ioctlMacros {
		ask(name, name)
	}
	operands := make([]string, 4)
	for i := range operands {
		operands[i] = fmt.Sprint(ioctlOperand, i)
	}
	ask(ioctlCall, "_IOC ( "+strings.Join(operands, " , ")+" )")
	// Lines that are no question go by twos, as the questions do.
	b.WriteString("#undef _IOC\n#define _IOC(dir,type,nr,size) " + ioctlCall + " ( dir , type , nr , size )\n")
	f.asked = append(f.asked, "_IOC")
	names := slices.Clone(src.objects)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		ask(name, name)
	}
	b.WriteString(f.r.mark(mark{src: src, kind: goesOn}) + "\n")
	return b.String()
}

// collect splits the preprocessor's output at the marks.
func (f *archFS) collect(src *source, out string) (*unit, error) {
	u := &unit{header: src, macros: map[string]*definition{}, values: map[string][]ctoken.Token{}}
	into := &u.tokens
	var answer []ctoken.Token
	answered := func() {}
	in, line := src, 1
	for i := 0; i < len(out); {
		switch out[i] {
		case '\n':
			line++
			i++
			continue
		case ' ', '\t':
			i++
			continue
		}
		kind, text, n := ctoken.Next(out[i:])
		i += n
		number, isMark := strings.CutPrefix(text, markPrefix)
		if isMark && kind == ctoken.Word && isNumber(number) {
			id, err := strconv.Atoi(number)
			if err != nil || id >= len(f.r.marks) {
				return nil, fmt.Errorf("%s: an unknown mark", src.name)
			}
			m := &f.r.marks[id]
			answered()
			answered = func() {}
			into = &u.tokens
			switch m.kind {
			case defines:
				u.macros[m.name] = m.def
			case undefs:
				delete(u.macros, m.name)
			case pragma:
				u.tokens = append(u.tokens, ctoken.Token{Kind: ctoken.Mark, Text: pragmaToken, File: m.src.name, Line: m.line})
				u.tokens = append(u.tokens, m.rest...)
				u.tokens = append(u.tokens, ctoken.Token{Kind: ctoken.Mark, Text: pragmaToken, File: m.src.name, Line: m.line})
			case asks:
				answer = nil
				into = &answer
				answered = func() { u.values[m.name] = answer }
			}
			if m.kind != asks {
				in, line = m.src, m.next-1
			}
			continue
		}
		*into = append(*into, ctoken.Token{Kind: kind, Text: text, File: in.name, Line: in.line(line)})
	}
	maps.DeleteFunc(u.values, func(name string, _ []ctoken.Token) bool { return name != ioctlCall && u.macros[name] == nil })
	if u.macros["_IOC"] == nil {
		delete(u.values, ioctlCall)
	}
	return u, nil
}

// line is that of the file, by that of the text.
func (s *source) line(text int) int {
	if text < 1 || text > len(s.lines) {
		return 0
	}
	return s.lines[text-1]
}

func isNumber(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

var position = regexp.MustCompile(`^(.+?):(\d+):\d+: `)

// explain keeps the first of the preprocessor's errors, which the others
// follow from, with the line of the file; and says which include was missing
// for whom.
func (f *archFS) explain(err error, header *source) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	first = strings.TrimSuffix(strings.TrimSpace(first), ":")
	if m := position.FindStringSubmatch(first); m != nil {
		n, _ := strconv.Atoi(m[2])
		what := first[len(m[0]):]
		if src := f.sources[m[1]]; src != nil {
			first = fmt.Sprintf("%s:%d: %s", src.name, src.line(n), what)
		} else if m[1] == valuesName && n >= 2 && n/2 <= len(f.asked) {
			first = fmt.Sprintf("%s: the macro %s: %s", header.name, f.asked[n/2-1], what)
		}
	}
	if strings.Contains(first, "include file not found") {
		var looked []string
		for _, m := range f.missing {
			for _, p := range f.s.places(f.a, m) {
				looked = append(looked, p.name)
			}
		}
		slices.Sort(looked)
		err := fmt.Errorf("%s (for %s; looked for %s)", first, f.a.name, strings.Join(slices.Compact(looked), ", "))
		for _, m := range f.missing {
			if have := f.s.arches(m); len(have) > 0 {
				return &ArchError{Arch: f.a.name, Have: have, err: err}
			}
		}
		return err
	}
	if strings.Contains(first, "limit exceeded") {
		first += ": does a macro grow without end?"
	}
	return errors.New(first)
}
