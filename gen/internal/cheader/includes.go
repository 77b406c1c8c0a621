package cheader

import (
	"fmt"
	"path"
	"strings"
)

// checkIncludes refuses a header that includes itself, by way of others or
// not, with no include guard on the way: the parser would go on for ever.
// Conditions around the includes are not looked at, nor is it certain that a
// guard guards; parseDeadline is for what this does not find.
func (f *archFS) checkIncludes(header string, onWay []string) error {
	content, name, err := f.s.read(f.a, header)
	if err != nil {
		return nil // the parser will say so, if it comes to include it
	}
	text := string(content)
	if includeGuard(text) != "" || f.included[header] {
		return nil
	}
	for i, h := range onWay {
		if h == header {
			return fmt.Errorf("%s: the header includes itself without an include guard: %s", name, strings.Join(append(onWay[i:], header), " -> "))
		}
	}
	onWay = append(onWay, header)
	for _, t := range scan(text) {
		if t.kind != directive {
			continue
		}
		operand, ok := strings.CutPrefix(strings.TrimLeft(t.text[1:], " \t"), "include")
		if !ok {
			continue
		}
		operand = strings.Trim(strings.TrimPrefix(operand, "_next"), " \t\\\n")
		end := strings.IndexAny(strings.TrimLeft(operand, "<\""), ">\"")
		if end < 0 || operand[0] != '<' && operand[0] != '"' {
			return fmt.Errorf("%s:%d: an #include by macro in a header without an include guard", name, t.line)
		}
		inner := operand[1 : end+1]
		candidates := []string{inner}
		if operand[0] == '"' {
			candidates = append(candidates, path.Join(path.Dir(header), inner))
		}
		for _, c := range candidates {
			if err := f.checkIncludes(path.Clean(c), onWay); err != nil {
				return err
			}
		}
	}
	f.included[header] = true
	return nil
}
