package main

import (
	"fmt"
	"strings"
)

// report is the outcome of a sweep, for people.
func report(all []*outcome) string {
	var b strings.Builder
	b.WriteString("<!-- Written by go run ./verify/sweep -results; do not edit. -->\n# Every header of linux-libc-dev\n\n" +
		"Each header that the compiler takes alone was run through the generator, and every value, size, alignment, offset, bit-field, enumerator and union member compared with the compiler's.\n\n" +
		"| headers of | architecture | taken alone | right | wrong | Go that does not compile | refused | facts compared | ioctls | left out, with the reason |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, o := range all {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", o.source, o.arch,
			o.headers, o.right, len(o.wrong), len(o.broken), len(o.refused), o.compared, o.ioctls, o.omitted)
	}
	compilers := map[string]bool{}
	b.WriteString("\nThe compilers:\n\n")
	for _, o := range all {
		if !compilers[o.compiler] {
			compilers[o.compiler] = true
			fmt.Fprintf(&b, "- %s: %s\n", o.arch, o.compiler)
		}
	}
	refused := map[string]bool{}
	for _, o := range all {
		for _, v := range o.refused {
			line := fmt.Sprintf("- %s %s, %s: %s\n", o.release, o.arch, v.header, v.refused)
			if len(refused) == 0 {
				b.WriteString("\nRefused:\n\n")
			}
			if !refused[line] {
				refused[line] = true
				b.WriteString(line)
			}
		}
	}
	return b.String()
}
