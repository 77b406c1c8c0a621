package since

import "golang.org/x/sys/unix"

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
