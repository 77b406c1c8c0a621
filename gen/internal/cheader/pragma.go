package cheader

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// packs is what #pragma pack has said so far.
type packs struct {
	now   int64 // bytes, 0 for the architecture's own
	stack []packed
}

type packed struct {
	value int64
	label string
}

// pragma obeys a pragma, or refuses one that changes layouts in a way that is
// not known here.
func (s *stripper) pragma(at ctoken.Token, args []ctoken.Token) error {
	if len(args) == 0 {
		return nil
	}
	switch args[0].Text {
	case "pack":
		if slices.Contains(s.braces, ofRecord) {
			return errorAt(at, "#pragma pack inside a struct")
		}
		if len(args) < 3 || !args[1].Is("(") || closing(args, 1) != len(args)-1 {
			return errorAt(at, "#pragma %s is not understood", ctoken.Join(args))
		}
		if err := s.packs.obey(args[2 : len(args)-1]); err != nil {
			return errorAt(at, "#pragma %s: %v", ctoken.Join(args), err)
		}
	case "scalar_storage_order", "ms_struct", "options", "push_macro", "pop_macro":
		return errorAt(at, "#pragma %s can change what follows, and is not supported", ctoken.Join(args))
	}
	return nil
}

// obey takes the words in the brackets of #pragma pack.
func (p *packs) obey(args []ctoken.Token) error {
	parts := split(args)
	if len(args) == 0 {
		p.now = 0
		return nil
	}
	value, label, action := int64(-1), "", ""
	for i, part := range parts {
		switch {
		case len(part) != 1:
			return fmt.Errorf("not understood")
		case part[0].Kind == ctoken.Number:
			n, err := strconv.ParseInt(part[0].Text, 0, 64)
			if err != nil || !slices.Contains([]int64{0, 1, 2, 4, 8, 16}, n) || i != len(parts)-1 {
				return fmt.Errorf("not understood")
			}
			value = n
		case i == 0 && (part[0].Text == "push" || part[0].Text == "pop"):
			action = part[0].Text
		case i == 1 && part[0].Kind == ctoken.Word && action != "":
			label = part[0].Text
		default:
			return fmt.Errorf("not understood")
		}
	}
	switch action {
	case "push":
		p.stack = append(p.stack, packed{p.now, label})
	case "pop":
		n := len(p.stack) - 1
		for n >= 0 && label != "" && p.stack[n].label != label {
			n--
		}
		if n < 0 || value >= 0 {
			return fmt.Errorf("there is nothing to pop")
		}
		p.now = p.stack[n].value
		p.stack = p.stack[:n]
	}
	if value >= 0 {
		p.now = value
	}
	return nil
}
