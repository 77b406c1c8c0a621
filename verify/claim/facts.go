package claim

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// A Fact is one thing that a model says, and the release of Linux from which
// on it is said to be so.
type Fact struct{ Is, Since string }

// Facts takes a model apart, so that two of one header from different sources
// can be held against each other. Each fact has a name: "value of
// UFFDIO_POISON", "offset of uffdio_poison.mode". Of a model of types alone,
// constants and alignments are left out.
func Facts(m *abi.Model, onlyTypes bool) map[string]Fact {
	all := map[string]Fact{}
	since := map[string]string{}
	if !onlyTypes {
		for _, c := range m.Constants {
			since[c.Name] = c.Since
			all["value of "+c.Name] = Fact{c.Value.Hex(), c.Since}
		}
		for _, i := range m.Ioctls {
			argument := strings.ReplaceAll(i.Struct, " ", "") // of which there may be more or fewer
			all["ioctl of "+i.Name] = Fact{fmt.Sprintf("%s, type %#x, number %d, %d bytes of %q", i.Dir, i.Type, i.Nr, i.Size, argument), since[i.Name]}
		}
	}
	for _, s := range m.Structs {
		all["size of "+s.Name] = Fact{fmt.Sprint(s.Size), s.Since}
		if !onlyTypes && !Unnamed.MatchString(s.Name) {
			all["alignment of "+s.Name] = Fact{fmt.Sprint(s.Align), s.Since}
		}
		for i, f := range s.Fields {
			name := s.Name + "." + cmp.Or(f.Name, strconv.Itoa(i))
			if f.BitSize > 0 {
				all["bits of "+name] = Fact{fmt.Sprintf("%d from bit %d", f.BitSize, 8*f.Offset+f.BitOffset), f.Since}
				continue
			}
			all["offset of "+name] = Fact{fmt.Sprint(f.Offset), f.Since}
			all["size of "+name] = Fact{fmt.Sprint(f.Size), f.Since}
			all["type of "+name] = Fact{f.Kind, f.Since}
		}
	}
	for _, e := range m.Enums {
		if e.Name != "" && len(e.Constants) > 0 {
			came := since[e.Constants[0]]
			all["size of enum "+e.Name] = Fact{fmt.Sprint(e.Size), came}
			all["sign of enum "+e.Name] = Fact{fmt.Sprint(e.Signed), came}
		}
	}
	return all
}

// Unnamed matches a struct for which C has no name: the way to it leads through
// a member without one, which is named by its number.
var Unnamed = regexp.MustCompile(`\.\d`)
