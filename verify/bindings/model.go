package bindings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// Compare holds what is in Go against what is wanted: every fact is to be there,
// and the same; if all is wanted, nothing else. It returns how many facts were
// compared, and a line for each that is missing or differs.
func (f Facts) Compare(want Facts, all bool) (compared int, wrong []string) {
	for _, what := range slices.Sorted(maps.Keys(want)) {
		compared++
		if is, ok := f[what]; !ok {
			wrong = append(wrong, what+": not in Go")
		} else if is != want[what] && want[what] != anything {
			wrong = append(wrong, fmt.Sprintf("%s: %q in Go, %q in C", what, is, want[what]))
		}
	}
	for _, what := range slices.Sorted(maps.Keys(f)) {
		if _, ok := want[what]; !ok && all {
			wrong = append(wrong, what+": in Go, and not in C")
		}
	}
	return compared, wrong
}

// anything is wanted of the type of what is no integer.
const anything = "*"

// Of returns the facts that are to be in Go for a model.
func Of(m *abi.Model) Facts {
	f, structs := Facts{}, map[string]abi.Struct{}
	for _, k := range m.Constants {
		name := k.Name
		if strings.HasPrefix(name, "_") {
			name = "X" + name
		}
		f["value of "+name] = k.Value.String()
	}
	for _, s := range m.Structs {
		structs[s.Name] = s
	}
	for _, s := range m.Structs {
		if s.Union && strings.Contains(s.Name, ".") {
			continue // it is storage in the struct that it is in
		}
		name := typeName(s.Name, structs)
		f["size of "+name] = fmt.Sprint(s.Size)
		for _, field := range s.Fields {
			u := structs[strings.TrimPrefix(field.Kind, "union ")]
			if len(u.Fields) == 1 { // which is named, and typed, as that
				field.Name, field.Kind, u = u.Fields[0].Name, u.Fields[0].Kind, abi.Struct{}
			}
			storage := capital(field.Name)
			f.field(name+"."+storage, field.Offset, field.Size, integerType(field.Kind, anything))
			for _, member := range u.Fields { // each has a method that returns a pointer to the storage
				tag := strings.TrimPrefix(member.Kind, "struct ")
				result := integerType(tag, typeName(tag, structs))
				signature := fmt.Sprintf("func (s *%s) %s() *%s", name, capital(member.Name), result)
				f[signature] = fmt.Sprintf("\treturn (*%s)(unsafe.Pointer(&s.%s))\n}", result, storage)
			}
		}
	}
	return f
}

// typeName returns the Go name of a struct: words joined in camel case,
// without those of unions that are no types of their own.
func typeName(c string, structs map[string]abi.Struct) (name string) {
	parts := strings.Split(c, ".")
	for i, part := range parts {
		if i > 0 && structs[strings.Join(parts[:i+1], ".")].Union {
			continue
		}
		for word := range strings.SplitSeq(part, "_") {
			name += capital(word)
		}
	}
	return name
}

func capital(s string) string { return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):] }

// integerType returns the Go type of an integer, or what another's is.
func integerType(kind, other string) string {
	if strings.HasPrefix(kind, "int") || strings.HasPrefix(kind, "uint") {
		return kind
	}
	return other
}
