// Package memory is memory of one's own process, outside Go's heap, as a
// userfaultfd wants it: it is mapped with no page in place, touched by system
// calls that cannot hang the program, discarded, and guarded against the SIGBUS
// of a poisoned page.
//
// Before touching registered memory from Go, read what package userfaultfd
// (github.com/zuffd/uffd/runtime) says of the hazard of one's own memory.
package memory
