package userfaultfd

import (
	"strconv"
	"strings"
)

// releaseLess reports whether Linux release a ("5.7") came before b.
func releaseLess(a, b string) bool {
	am, an := releaseNumbers(a)
	bm, bn := releaseNumbers(b)
	return am < bm || am == bm && an < bn
}

// releaseNumbers returns the first two numbers of a release such as
// "6.12.107-cloud". What is no number counts as 0.
func releaseNumbers(s string) (major, minor int) {
	first, rest, _ := strings.Cut(s, ".")
	major, _ = strconv.Atoi(first)
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	minor, _ = strconv.Atoi(rest[:end])
	return major, minor
}
