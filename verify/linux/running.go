// Package linux knows the running kernel.
package linux

import (
	"github.com/zuffd/uffd/internal/abi"
	"golang.org/x/sys/unix"
)

// Running returns the release of the running kernel, and all that it says of
// its release: "6.12.107+deb13-amd64".
func Running() (r abi.Release, full string, err error) {
	var name unix.Utsname
	if err = unix.Uname(&name); err == nil {
		full = unix.ByteSliceToString(name.Release[:])
		r, err = abi.ParseRelease(full)
	}
	return r, full, err
}
