package userfaultfd

import (
	"fmt"
	"unsafe"

	"github.com/zuffd/uffd"
)

// A Range is a run of virtual addresses, in the address space that the
// userfaultfd belongs to, which need not be the caller's.
//
// Every operation asks that Start and Len be multiples of the mapping's page
// size (not of 4096: arm64 and ppc64le kernels come with larger pages, and
// hugetlb memory has its own) and that Len be above zero; anything else is
// EINVAL.
type Range struct {
	Start uint64 // address of the first byte
	Len   uint64 // bytes
}

// RangeOf returns the range that b occupies in this process. Only memory
// outside Go's heap (a [Mapping], say) is a sensible operand: the collector
// and the allocator share the pages of everything else.
func RangeOf(b []byte) Range {
	return Range{uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), uint64(len(b))}
}

// End returns the address after the last byte.
func (r Range) End() uint64 { return r.Start + r.Len }

// Contains reports whether addr is inside r.
func (r Range) Contains(addr uint64) bool { return addr-r.Start < r.Len }

// String returns r in the form of /proc/PID/maps: "7f0000001000-7f0000002000".
func (r Range) String() string { return fmt.Sprintf("%x-%x", r.Start, r.End()) }

func (r Range) abi() uffd.UffdioRange { return uffd.UffdioRange{Start: r.Start, Len: r.Len} }
