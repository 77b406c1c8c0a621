// Package facts takes models apart into single facts, so that two models of
// one header from different sources can be held against each other.
package facts

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// Facts are what a model says, each by its name: "value of UFFDIO_POISON",
// "offset of uffdio_poison.mode". A source that does not know a kind of fact
// has none of it.
type Facts map[string]string

// Of returns a model's facts: the value of each constant; what each ioctl
// encodes; the size of each struct and union, and its alignment unless that is
// 0; and the offset, size and type of each field. The type is "signed",
// "unsigned" or the name of a struct; of other types nothing is said.
func Of(m *abi.Model) Facts {
	f := Facts{}
	for _, c := range m.Constants {
		f["value of "+c.Name] = c.Value.Hex()
	}
	for _, i := range m.Ioctls {
		f["ioctl of "+i.Name] = fmt.Sprintf("%s, type %#x, number %d, %d bytes of %q", i.Dir, i.Type, i.Nr, i.Size, i.Struct)
	}
	for _, s := range m.Structs {
		f["size of "+s.Name] = fmt.Sprint(s.Size)
		if s.Align > 0 {
			f["alignment of "+s.Name] = fmt.Sprint(s.Align)
		}
		for _, field := range s.Fields {
			name := s.Name + "." + field.Name
			f["offset of "+name] = fmt.Sprint(field.Offset)
			f["size of "+name] = fmt.Sprint(field.Size)
			if t := typeOf(field.Type); t != "" {
				f["type of "+name] = t
			}
		}
	}
	return f
}

func typeOf(t abi.Type) string {
	switch name, _ := strings.CutPrefix(t.Spelling, "union "); {
	case strings.HasPrefix(t.Spelling, "struct "), name != t.Spelling:
		return t.Spelling
	case slices.Contains([]string{"__s8", "__s16", "__s32", "__s64"}, name):
		return "signed"
	case slices.Contains([]string{"__u8", "__u16", "__u32", "__u64"}, name):
		return "unsigned"
	}
	return ""
}

// A Disagreement is a fact on which two sources differ.
type Disagreement struct {
	What  string
	Claim string // empty if it is not claimed
	Truth string // empty if there is no such thing
}

// String says both values.
func (d Disagreement) String() string {
	switch {
	case d.Claim == "":
		return fmt.Sprintf("%s: nothing claimed, really %s", d.What, d.Truth)
	case d.Truth == "":
		return fmt.Sprintf("%s: claimed %s, but there is no such thing", d.What, d.Claim)
	}
	return fmt.Sprintf("%s: claimed %s, really %s", d.What, d.Claim, d.Truth)
}

// Compare returns how many facts either side has, and those on which they
// differ: what only one side has is among them.
func Compare(claim, truth Facts) (compared int, wrong []Disagreement) {
	all := Facts{}
	maps.Copy(all, claim)
	maps.Copy(all, truth)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		if claim[what] != truth[what] {
			wrong = append(wrong, Disagreement{what, claim[what], truth[what]})
		}
	}
	return len(all), wrong
}
