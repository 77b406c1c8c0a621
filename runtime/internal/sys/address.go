package sys

import "unsafe"

// Address returns the address of s's first element for a kernel structure,
// which holds it as a number (package unsafe, rule 2). A number does not keep
// s where it is: the caller keeps it alive until the kernel is done, and
// Address sees to it that s is not on a goroutine's stack, which can move.
func Address[E any](s []E) uint64 {
	p := unsafe.Pointer(unsafe.SliceData(s))
	if offStack.always {
		offStack.p = p
	}
	return uint64(uintptr(p))
}

// offStack makes Address's operand escape: as far as the compiler can tell,
// it may be kept here.
var offStack struct {
	always bool
	p      unsafe.Pointer
}
