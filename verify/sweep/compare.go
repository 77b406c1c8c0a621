package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/claim"
)

// compare holds a model of a header against the compiler. It returns how many
// facts the model claims, and a line for each of which the compiler knows
// otherwise, and for each that is true of the header and neither claimed nor
// left out with a reason.
func compare(h cc.Header, m *abi.Model) (compared int, lines []string, err error) {
	truth, err := h.Describe()
	if err != nil {
		return 0, nil, err
	}
	omitted := map[string]string{}
	for _, o := range m.Omitted {
		omitted[o.Name] = o.Reason
	}
	claimed := claim.Facts(m, false)
	claims := func(what string) bool { _, ok := claimed[what]; return ok }
	// Types may be left out with a reason, those of other headers without.
	truth.Structs = slices.DeleteFunc(truth.Structs, func(s abi.Struct) bool {
		outer, _, _ := strings.Cut(s.Name, ".")
		return (s.File != "" || omitted[outer] != "") && !claims("size of "+outer)
	})
	truth.Enums = slices.DeleteFunc(truth.Enums, func(e abi.Enum) bool {
		return omitted[e.Name] != "" && !claims("size of enum "+e.Name)
	})
	known := claim.Facts(truth, false)
	for what, f := range claimed {
		if is, ok := known[what]; !ok {
			lines = append(lines, fmt.Sprintf("%s: claimed %s, which the compiler does not know", what, f.Is))
		} else if is.Is != f.Is {
			lines = append(lines, fmt.Sprintf("%s: claimed %s, really %s", what, f.Is, is.Is))
		}
	}
	for what, f := range known {
		if !claims(what) {
			_, symbol, _ := strings.Cut(what, " of ")
			lines = append(lines, fmt.Sprintf("%s: not claimed (%s), really %s", what, cmp.Or(omitted[symbol], "without a reason"), f.Is))
		}
	}
	slices.Sort(lines)
	return len(claimed), lines, nil
}
