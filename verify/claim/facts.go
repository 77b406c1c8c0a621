package claim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/linux"
)

// A fact is one thing that a model says, and the release of Linux from which
// on it is said to be so.
type fact struct{ is, since string }

// facts takes a model apart, so that two of one header from different sources
// can be held against each other. Each fact has a name: "value of
// UFFDIO_POISON", "offset of uffdio_poison.mode". The type of a field is
// "signed", "unsigned" or the name of a struct; of other types nothing is said.
// Of a model of types alone, constants and alignments are left out.
func facts(m *abi.Model, onlyTypes bool) map[string]fact {
	all := map[string]fact{}
	since := map[string]string{}
	if !onlyTypes {
		for _, c := range m.Constants {
			since[c.Name] = c.Since
			all["value of "+c.Name] = fact{c.Value.Hex(), c.Since}
		}
		for _, i := range m.Ioctls {
			all["ioctl of "+i.Name] = fact{fmt.Sprintf("%s, type %#x, number %d, %d bytes of %q", i.Dir, i.Type, i.Nr, i.Size, i.Struct), since[i.Name]}
		}
	}
	for _, s := range m.Structs {
		all["size of "+s.Name] = fact{fmt.Sprint(s.Size), s.Since}
		if !onlyTypes {
			all["alignment of "+s.Name] = fact{fmt.Sprint(s.Align), s.Since}
		}
		for i, f := range s.Fields {
			name := s.Name + "." + f.Name
			if f.Name == "" {
				name = fmt.Sprintf("%s.%d", s.Name, i)
			}
			if f.BitSize > 0 {
				all["bits of "+name] = fact{fmt.Sprintf("%d from bit %d", f.BitSize, 8*f.Offset+f.BitOffset), f.Since}
				continue
			}
			all["offset of "+name] = fact{fmt.Sprint(f.Offset), f.Since}
			all["size of "+name] = fact{fmt.Sprint(f.Size), f.Since}
			if t := typeOf(f.Type); t != "" {
				all["type of "+name] = fact{t, f.Since}
			}
		}
	}
	return all
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

// symbolOf returns the symbol that a fact is about: "offset of
// uffdio_poison.mode" is about uffdio_poison.mode.
func symbolOf(what string) string {
	_, symbol, _ := strings.Cut(what, " of ")
	return symbol
}

// Since returns the releases that are said to have brought symbols, by their
// names. A symbol of which none is said is left out.
func (c *Claim) Since() map[string]linux.Release {
	all := map[string]linux.Release{}
	for what, f := range facts(c.Model, false) {
		if release, err := linux.Parse(f.since); err == nil {
			all[symbolOf(what)] = release
		}
	}
	return all
}

// Tags returns the tags of the structs.
func (c *Claim) Tags() (tags []string) {
	for _, s := range c.Model.Structs {
		if !strings.Contains(s.Name, ".") {
			tags = append(tags, s.Name)
		}
	}
	return tags
}
