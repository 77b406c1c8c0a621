package bindings

import (
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

func constantName(c string) string {
	if strings.HasPrefix(c, "_") {
		return "X" + c
	}
	return c
}

// typeName returns the Go name of a struct: words joined in camel case,
// without those of unions that are no types of their own.
func typeName(c string, unions map[string]abi.Struct) string {
	var b strings.Builder
	parts := strings.Split(c, ".")
	for i, part := range parts {
		if _, union := unions[strings.Join(parts[:i+1], ".")]; union && i > 0 {
			continue
		}
		for _, word := range strings.Split(part, "_") {
			b.WriteString(capital(word))
		}
	}
	return b.String()
}

// fieldName returns the Go name of a field; a union of one member is named as
// that member.
func fieldName(f abi.Field, unions map[string]abi.Struct) string {
	name := f.Name
	if u, ok := unions[strings.TrimPrefix(f.Type.Spelling, "union ")]; ok && len(u.Fields) == 1 {
		name = u.Fields[0].Name
	}
	return capital(name)
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// integerType returns the Go type of a fixed-width C type, or "".
func integerType(c string) string {
	switch c {
	case "__u8", "__u16", "__u32", "__u64":
		return "uint" + c[3:]
	case "__s8", "__s16", "__s32", "__s64":
		return "int" + c[3:]
	}
	return ""
}
