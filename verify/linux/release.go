// Package linux knows releases of Linux.
package linux

import (
	"cmp"
	"fmt"

	"golang.org/x/sys/unix"
)

// A Release is a release of Linux, as far as its interface can differ.
type Release struct{ Major, Minor int }

// Parse reads a release from the beginning of a string: "6.12", "6.12.107-1",
// "7.3-rc2".
func Parse(s string) (r Release, err error) {
	if _, err := fmt.Sscanf(s, "%d.%d", &r.Major, &r.Minor); err != nil || r.Major < 0 || r.Minor < 0 {
		return Release{}, fmt.Errorf("%q does not begin with a release of Linux", s)
	}
	return r, nil
}

// Compare returns -1 if r is older than other, 1 if it is newer, or 0.
func (r Release) Compare(other Release) int {
	return cmp.Or(cmp.Compare(r.Major, other.Major), cmp.Compare(r.Minor, other.Minor))
}

// Before reports whether r is older than other.
func (r Release) Before(other Release) bool { return r.Compare(other) < 0 }

// String returns the release as "6.12".
func (r Release) String() string { return fmt.Sprintf("%d.%d", r.Major, r.Minor) }

// Running returns the release of the running kernel, and all that it says of
// its release: "6.12.107+deb13-amd64".
func Running() (r Release, full string, err error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return Release{}, "", err
	}
	full = unix.ByteSliceToString(name.Release[:])
	r, err = Parse(full)
	return r, full, err
}
