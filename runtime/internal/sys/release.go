package sys

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Release returns the running kernel's release, as uname -r prints it.
func Release() string {
	u := Uname()
	return unix.ByteSliceToString(u.Release[:])
}

// Uname returns what uname(2) tells of the system.
func Uname() (u unix.Utsname) {
	unix.Uname(&u) // fails for no buffer of the program's own
	return u
}

// ReleaseLess reports whether Linux release a ("5.7") came before b.
func ReleaseLess(a, b string) bool {
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
