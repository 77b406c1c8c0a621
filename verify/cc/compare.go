package cc

import (
	"fmt"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// A Question is a value that a model claims and a compiler can compute.
type Question struct {
	What       string // for people: "offset of uffdio_poison.mode"
	Expression string // in C
	Claim      uint64 // as converted to unsigned 64 bits
}

// Questions returns everything that a model claims: the value of each
// constant; what each ioctl encodes; the size and alignment of each struct; the
// offset and size of each field, and the signedness of those that are integers.
func Questions(m *abi.Model) []Question {
	var q []Question
	ask := func(claim uint64, expression, format string, args ...any) {
		q = append(q, Question{fmt.Sprintf(format, args...), expression, claim})
	}
	for _, c := range m.Constants {
		ask(c.Value.Uint64(), c.Name, "value of %s", c.Name)
	}
	for _, i := range m.Ioctls {
		ask(1, fmt.Sprintf("(%s) == %s", i.Name, encoded(i)), "encoding of %s as %s", i.Name, encoded(i))
	}
	unions := map[string]bool{}
	for _, s := range m.Structs {
		unions[s.Name] = s.Union
	}
	for _, s := range m.Structs {
		if promoted(s.Name) {
			askPromoted(ask, m, s, unions)
			continue
		}
		t, object, prefix := place(s, unions)
		ask(uint64(s.Size), "sizeof("+t+")", "size of %s", s.Name)
		ask(uint64(s.Align), "_Alignof("+t+")", "alignment of %s", s.Name)
		for _, f := range s.Fields {
			if f.Name == "" || f.BitSize > 0 {
				continue
			}
			offset := fmt.Sprintf("__builtin_offsetof(%s, %s%s)", object, prefix, f.Name)
			if prefix != "" {
				offset += fmt.Sprintf(" - __builtin_offsetof(%s, %s)", object, strings.TrimSuffix(prefix, "."))
			}
			ask(uint64(f.Offset), offset, "offset of %s.%s", s.Name, f.Name)
			member := fmt.Sprintf("((%s *)0)->%s%s", object, prefix, f.Name)
			if f.Size > 0 {
				ask(uint64(f.Size), "sizeof("+member+")", "size of %s.%s", s.Name, f.Name)
			}
			if signed, ok := signedness(f.Type); ok {
				ask(signed, "((__typeof__("+member+"))-1) < 0", "signedness of %s.%s", s.Name, f.Name)
			}
		}
	}
	return q
}

// encoded returns an ioctl in the header's own macros.
func encoded(i abi.Ioctl) string {
	if i.Dir == "none" {
		return fmt.Sprintf("_IO(%d, %d)", i.Type, i.Nr)
	}
	return fmt.Sprintf("_IO%s(%d, %d, char[%d])", map[string]string{"r": "R", "w": "W", "rw": "WR"}[i.Dir], i.Type, i.Nr, i.Size)
}

// promoted reports whether the way to a type leads through a member without a
// name, so that C cannot name the type, and its members belong to the struct
// outside.
func promoted(designator string) bool {
	for _, part := range strings.Split(designator, ".")[1:] {
		if part[0] >= '0' && part[0] <= '9' {
			return true
		}
	}
	return false
}

// askPromoted asks where the members of such a type are in the outermost one.
func askPromoted(ask func(uint64, string, string, ...any), m *abi.Model, s abi.Struct, unions map[string]bool) {
	parts := strings.Split(s.Name, ".")
	base := int64(0)
	var named []string
	for i := range parts[1:] {
		outer, member := strings.Join(parts[:i+1], "."), parts[i+1]
		for _, o := range m.Structs {
			for n, f := range o.Fields {
				if o.Name == outer && (f.Name == member || f.Name == "" && fmt.Sprint(n) == member) {
					base += f.Offset
				}
			}
		}
		if !promoted("." + member) {
			named = append(named, member)
		}
	}
	_, object, _ := place(abi.Struct{Name: parts[0]}, unions)
	for _, f := range s.Fields {
		if f.Name == "" || f.BitSize > 0 {
			continue
		}
		path := strings.Join(append(named, f.Name), ".")
		ask(uint64(base+f.Offset), fmt.Sprintf("__builtin_offsetof(%s, %s)", object, path), "offset of %s.%s", s.Name, f.Name)
		ask(uint64(f.Size), fmt.Sprintf("sizeof(((%s *)0)->%s)", object, path), "size of %s.%s", s.Name, f.Name)
	}
}

// place returns the C type of a struct, and the outermost type that it is in
// with the designator, ending in a dot, that reaches it there.
func place(s abi.Struct, unions map[string]bool) (ctype, object, prefix string) {
	outer, rest, nested := strings.Cut(s.Name, ".")
	object = "struct " + outer
	if unions[outer] {
		object = "union " + outer
	}
	if !nested {
		return object, object, ""
	}
	return fmt.Sprintf("__typeof__(((%s *)0)->%s)", object, rest), object, rest + "."
}

func signedness(t abi.Type) (uint64, bool) {
	switch t.Spelling {
	case "__s8", "__s16", "__s32", "__s64":
		return 1, true
	case "__u8", "__u16", "__u32", "__u64":
		return 0, true
	}
	return 0, false
}

// A Disagreement is a claim that an oracle contradicts.
type Disagreement struct {
	What   string
	Claim  uint64
	Answer uint64
}

// String says both values.
func (d Disagreement) String() string {
	return fmt.Sprintf("%s: claimed %d (%#x), really %d (%#x)", d.What, d.Claim, d.Claim, d.Answer, d.Answer)
}

// Compare puts a model's claims to a compiler, which reads the header in the
// include directories. It returns how many values were compared and which
// differ. A symbol that the compiler does not know is an error.
func (c Compiler) Compare(m *abi.Model, include []string) (compared int, wrong []Disagreement, err error) {
	questions := Questions(m)
	expressions := make([]string, len(questions))
	for i, q := range questions {
		expressions[i] = q.Expression
	}
	preamble := fmt.Sprintf("#include <linux/ioctl.h>\n#include <%s>\n", m.Header)
	answers, err := c.Values(include, preamble, expressions)
	if err != nil {
		return 0, nil, err
	}
	for i, q := range questions {
		if answers[i] != q.Claim {
			wrong = append(wrong, Disagreement{q.What, q.Claim, answers[i]})
		}
	}
	return len(questions), wrong, nil
}
