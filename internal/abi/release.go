package abi

import "fmt"

// Older reports whether release a of Linux is older than b: "6.12" than "7.3".
// It is false where one is empty or no release.
func Older(a, b string) bool {
	majorA, minorA, okA := release(a)
	majorB, minorB, okB := release(b)
	return okA && okB && (majorA < majorB || majorA == majorB && minorA < minorB)
}

func release(s string) (major, minor int, ok bool) {
	_, err := fmt.Sscanf(s, "%d.%d", &major, &minor)
	return major, minor, err == nil
}
