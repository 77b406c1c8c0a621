package abi

import (
	"cmp"
	"fmt"
)

// A Release is a release of Linux, as far as its interface can differ.
type Release struct{ Major, Minor int }

// ParseRelease reads a release from the beginning of a string: "6.12",
// "6.12.107-1", "7.3-rc2".
func ParseRelease(s string) (r Release, err error) {
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

// Older reports whether release a of Linux is older than b: "6.12" than "7.3".
// It is false where one is empty or no release.
func Older(a, b string) bool {
	older, errA := ParseRelease(a)
	newer, errB := ParseRelease(b)
	return errA == nil && errB == nil && older.Before(newer)
}
