package cc

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// Describe returns what a header means to the compiler: each macro of the file
// itself that has an integer value, as an ioctl too if it is written as one,
// each enumerator, and each struct and union that the file itself defines, with those inside
// it. Headers are looked for in include alone. Nothing is asked by name, so
// that nothing is missed; part, unless it is nil, restricts the answer to the
// names that it matches.
func (c Compiler) Describe(include []string, header string, part *regexp.Regexp) (*abi.Model, error) {
	m := &abi.Model{Arch: c.Arch, Header: header}
	src := fmt.Sprintf("#include <linux/ioctl.h>\n#include <%s>\n", header)
	object, err := c.compile(include, src, "-g", "-fno-eliminate-unused-debug-types")
	if err != nil {
		return nil, err
	}
	var names []string
	if m.Structs, names, err = types(object, header); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.Command[0], header, err)
	}
	left := func(name string) bool { return part != nil && !part.MatchString(name) }
	m.Structs = slices.DeleteFunc(m.Structs, func(s abi.Struct) bool { return left(s.Name) })
	macros, bodies, err := c.macros(include, src, header)
	if err != nil {
		return nil, err
	}
	names = append(macros, slices.DeleteFunc(names, func(name string) bool { return slices.Contains(macros, name) })...)
	names = c.integers(include, src, slices.DeleteFunc(names, left))
	q := &questions{}
	m.Constants = make([]abi.Constant, len(names))
	for i, name := range names {
		m.Constants[i].Name = name
		q.ask(name, func(v uint64) { m.Constants[i].Value = abi.Unsigned(v) })
		q.ask("("+name+") < 0", func(v uint64) {
			if v == 1 {
				m.Constants[i].Value = abi.Signed(int64(m.Constants[i].Value.Uint64()))
			}
		})
	}
	if err := q.ioctls(m, names, bodies); err != nil {
		return nil, err
	}
	q.alignments(m.Structs)
	return m, q.answer(c, include, src)
}

// questions are C integer expressions, and what becomes of their values.
type questions struct {
	expressions []string
	take        []func(uint64)
}

func (q *questions) ask(expression string, take func(v uint64)) {
	q.expressions, q.take = append(q.expressions, expression), append(q.take, take)
}

func (q *questions) answer(c Compiler, include []string, src string) error {
	values, err := c.Values(include, src, q.expressions)
	for i, v := range values {
		q.take[i](v)
	}
	return err
}

// encoding matches the text of a macro that encodes an ioctl.
var encoding = regexp.MustCompile(`^_IO(|R|W|WR)\((.*)\)$`)

// ioctls asks about those of the macros that are written as an ioctl, or as
// another's name that is.
func (q *questions) ioctls(m *abi.Model, names []string, bodies map[string]string) error {
	m.Ioctls = make([]abi.Ioctl, 0, len(names)) // which is not to move
	for _, name := range names {
		body := bodies[name]
		for range bodies {
			if other, ok := bodies[body]; ok {
				body = other
			}
		}
		match := encoding.FindStringSubmatch(body)
		if match == nil {
			continue
		}
		m.Ioctls = append(m.Ioctls, abi.Ioctl{Name: name, Dir: map[string]string{"": "none", "R": "r", "W": "w", "WR": "rw"}[match[1]]})
		i := &m.Ioctls[len(m.Ioctls)-1]
		args := strings.Split(match[2], ",")
		if len(args) < 2 || len(args) > 3 {
			return fmt.Errorf("%s: %s is not understood", name, body)
		}
		q.ask(args[0], func(v uint64) { i.Type = int64(v) })
		q.ask(args[1], func(v uint64) { i.Nr = int64(v) })
		if len(args) == 3 {
			i.Struct = strings.TrimPrefix(strings.TrimSpace(args[2]), "struct ")
			q.ask("sizeof("+args[2]+")", func(v uint64) { i.Size = int64(v) })
		}
	}
	return nil
}

// alignments asks for what DWARF does not tell, of types that C can name: the
// way to others leads through a member without a name, which is named by its
// number.
func (q *questions) alignments(all []abi.Struct) {
	unions := map[string]bool{}
	for _, s := range all {
		unions[s.Name] = s.Union
	}
	for i := range all {
		outer, rest, nested := strings.Cut(all[i].Name, ".")
		if unnamed.MatchString(rest) {
			continue
		}
		ctype := "struct " + outer
		if unions[outer] {
			ctype = "union " + outer
		}
		if nested {
			ctype = fmt.Sprintf("__typeof__(((%s *)0)->%s)", ctype, rest)
		}
		q.ask("_Alignof("+ctype+")", func(v uint64) { all[i].Align = int64(v) })
	}
}

var unnamed = regexp.MustCompile(`(^|\.)\d`)

var (
	lineMarker = regexp.MustCompile(`^# \d+ "(.*)"`)
	define     = regexp.MustCompile(`^#define (\w+) (.+)`)
	undef      = regexp.MustCompile(`^#undef (\w+)`)
)

// macros returns the names of the macros without parameters that a header
// itself defines and that stand for something, in its order, and their text.
func (c Compiler) macros(include []string, src, header string) (names []string, bodies map[string]string, err error) {
	cmd := c.command(include, "-E", "-dD", "-")
	cmd.Stdin = strings.NewReader(src)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w\n%s", c.Command[0], err, stderr.Bytes())
	}
	bodies = map[string]string{}
	inside := false
	for line := range strings.Lines(string(out)) {
		if m := lineMarker.FindStringSubmatch(line); m != nil {
			inside = strings.HasSuffix(m[1], "/"+header)
		} else if m := undef.FindStringSubmatch(line); m != nil {
			delete(bodies, m[1])
		} else if m := define.FindStringSubmatch(line); m != nil && inside {
			if !slices.Contains(names, m[1]) {
				names = append(names, m[1])
			}
			bodies[m[1]] = m[2]
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return bodies[name] == "" }), bodies, nil
}

// integers returns the names that are integer constant expressions.
func (c Compiler) integers(include []string, src string, names []string) []string {
	if len(names) == 0 {
		return nil
	}
	probes := make([]string, len(names))
	for i, name := range names {
		probes[i] = "sizeof(char[1 + 0 * (" + name + ")])" // of a string or a float this is an error
	}
	if _, err := c.Values(include, src, probes); err == nil {
		return names
	}
	if len(names) == 1 {
		return nil
	}
	half := len(names) / 2
	return append(c.integers(include, src, names[:half:half]), c.integers(include, src, names[half:])...)
}

// types reads the structs and unions that a header defines out of an object
// file's debugging information, and the names of its enumerators.
func types(object []byte, header string) (all []abi.Struct, enumerators []string, err error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, nil, err
	}
	d, err := f.DWARF()
	if err != nil {
		return nil, nil, err
	}
	var files []*dwarf.LineFile
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil || e == nil {
			return all, enumerators, err
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		n, ok := e.Val(dwarf.AttrDeclFile).(int64)
		ours := ok && n < int64(len(files)) && files[n] != nil && strings.HasSuffix(files[n].Name, "/"+header)
		switch e.Tag {
		case dwarf.TagCompileUnit:
			lines, err := d.LineReader(e)
			if err != nil || lines == nil {
				return nil, nil, fmt.Errorf("no table of files: %v", err)
			}
			files = lines.Files()
			continue // into its children
		case dwarf.TagEnumerationType:
			if ours {
				continue
			}
		case dwarf.TagEnumerator:
			enumerators = append(enumerators, name)
		case dwarf.TagStructType, dwarf.TagUnionType:
			if !ours {
				break
			}
			if name == "" {
				continue // it may hold an enum
			}
			t, err := d.Type(e.Offset)
			if err != nil {
				return nil, nil, err
			}
			if st := t.(*dwarf.StructType); !st.Incomplete {
				all = append(all, structure(name, st)...)
			}
			continue
		}
		r.SkipChildren()
	}
}

// structure returns a struct after those without a tag that it holds.
func structure(name string, t *dwarf.StructType) []abi.Struct {
	s := abi.Struct{Name: name, Union: t.Kind == "union", Size: t.ByteSize}
	var all []abi.Struct
	for i, f := range t.Field {
		path := name + "." + f.Name
		if f.Name == "" {
			path = fmt.Sprintf("%s.%d", name, i)
		}
		field := abi.Field{Name: f.Name, Offset: f.ByteOffset, Size: f.Type.Size(), Type: abi.Type{Spelling: spelling(f.Type)}}
		if f.BitSize > 0 { // DWARF 4 and 5 count from the beginning of the struct
			field.Offset, field.BitOffset, field.BitSize = 0, f.DataBitOffset, f.BitSize
		}
		if inner, ok := bare(f.Type).(*dwarf.StructType); ok {
			if inner.StructName == "" {
				field.Type.Spelling = inner.Kind + " " + path
				all = append(all, structure(path, inner)...)
			} else {
				field.Type.Spelling = inner.Kind + " " + inner.StructName
			}
		}
		s.Fields = append(s.Fields, field)
	}
	return append(all, s)
}

// bare returns a type without typedefs and qualifiers.
func bare(t dwarf.Type) dwarf.Type {
	for {
		switch x := t.(type) {
		case *dwarf.TypedefType:
			t = x.Type
		case *dwarf.QualType:
			t = x.Type
		default:
			return t
		}
	}
}

// spelling returns the kernel's name of an integer type, by its size and sign;
// of another type, what DWARF calls it.
func spelling(t dwarf.Type) string {
	switch t := bare(t).(type) {
	case *dwarf.IntType, *dwarf.CharType:
		return fmt.Sprintf("__s%d", 8*t.Size())
	case *dwarf.UintType, *dwarf.UcharType:
		return fmt.Sprintf("__u%d", 8*t.Size())
	}
	return t.String()
}
