package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/claim"
)

// compare returns what a model claims of a header and the compiler knows
// otherwise, and what is true of the header and neither claimed nor left out
// with a reason.
func compare(h cc.Header, m *abi.Model) ([]string, error) {
	truth, err := h.Describe()
	if err != nil {
		return nil, err
	}
	wrong, err := encodings(h, m.Ioctls)
	if err != nil {
		return nil, err
	}
	claimed, known := factsOf(m), factsOf(truth)
	for what, f := range claimed {
		if is, ok := known[what]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s: claimed %s, which the compiler does not know", what, f.Is))
		} else if is.Is != f.Is {
			wrong = append(wrong, fmt.Sprintf("%s: claimed %s, really %s", what, f.Is, is.Is))
		}
	}
	omitted := map[string]string{}
	for _, o := range m.Omitted {
		omitted[o.Name] = o.Reason
	}
	has := func(what string) bool { _, ok := claimed[what]; return ok }
	missing := func(key, name string) {
		if omitted[name] == "" && !has("size of "+key) {
			wrong = append(wrong, key+": not claimed")
		}
	}
	for _, s := range truth.Structs {
		if s.File == "" {
			missing(s.Name, s.Name)
		}
	}
	for _, e := range truth.Enums {
		if has("value of " + e.Constants[0]) { // it is the header's own
			missing("enum "+e.Name, e.Name)
		}
	}
	for what, f := range known {
		_, symbol, _ := strings.Cut(what, " of ")
		outer, _, _ := strings.Cut(symbol, ".")
		switch {
		case has(what):
		case what == "value of "+symbol:
			wrong = append(wrong, fmt.Sprintf("%s: left out (%s), really %s", symbol, omitted[symbol], f.Is))
		case has("size of " + outer):
			wrong = append(wrong, what+": not claimed")
		}
	}
	slices.Sort(wrong)
	return slices.Compact(wrong), nil
}

// factsOf takes a model apart. Ioctls are asked about by what is claimed of
// them: not every macro that encodes one is written as one.
func factsOf(m *abi.Model) map[string]claim.Fact {
	part := *m
	part.Ioctls = nil
	return claim.Facts(&part, false)
}

// encodings returns which ioctls are not what they are claimed to be.
func encodings(h cc.Header, all []abi.Ioctl) (wrong []string, err error) {
	var expressions []string
	for _, i := range all {
		dir := map[string]string{"none": "_IOC_NONE", "r": "_IOC_READ", "w": "_IOC_WRITE", "rw": "_IOC_READ|_IOC_WRITE"}[i.Dir]
		expressions = append(expressions, fmt.Sprintf("(%s) == _IOC(%s, %d, %d, %d)", i.Name, dir, i.Type, i.Nr, i.Size))
	}
	hold, err := h.Holds(expressions)
	for i, ok := range hold {
		if !ok {
			wrong = append(wrong, "encoding of "+all[i].Name+": it is not "+expressions[i])
		}
	}
	return wrong, err
}

// count returns how many facts a model states. Place and type of a member are
// one.
func count(m *abi.Model) int {
	structs := map[string]abi.Struct{}
	for _, s := range m.Structs {
		structs[s.Name] = s
	}
	n := len(m.Constants) + len(m.Ioctls)
	var members func(s abi.Struct)
	members = func(s abi.Struct) {
		for _, f := range s.Fields {
			if f.Name != "" {
				n++
			}
			if _, inner, _ := strings.Cut(f.Kind, " "); strings.Contains(inner, ".") {
				members(structs[inner])
			}
		}
	}
	for _, s := range m.Structs {
		if !strings.Contains(s.Name, ".") {
			n += 2 // size and alignment
			members(s)
		}
	}
	for _, e := range m.Enums {
		if e.Name != "" {
			n += 2 // size and sign
		}
	}
	return n
}
