package memory

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A Kind is a kind of memory, as userfaultfd tells kinds apart: which modes
// and operations work depends on it.
type Kind int

// The kinds of memory that [Map] maps.
const (
	Anonymous     Kind = iota // private and anonymous; may become transparent huge pages
	Shmem                     // shared, of a memfd
	Hugetlb                   // private huge pages of the system's pool
	HugetlbShared             // shared huge pages, of a memfd
)

// kindNames has the name of each kind.
var kindNames = [...]string{"anonymous", "shmem", "hugetlb", "hugetlb-shared"}

// String returns "anonymous", "shmem", "hugetlb" or "hugetlb-shared".
func (k Kind) String() string {
	if k < 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", int(k))
	}
	return kindNames[k]
}

// PageSize returns the size in bytes of the pages that [Map] maps for a kind of
// memory when it is told none: the system's page size, or its default size of
// huge pages, or 0 where the kernel has no huge pages.
func PageSize(k Kind) int {
	if !k.huge() {
		return os.Getpagesize()
	}
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "Hugepagesize:"); ok {
			kb, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return kb << 10
		}
	}
	return 0
}

func (k Kind) huge() bool   { return k == Hugetlb || k == HugetlbShared }
func (k Kind) shared() bool { return k == Shmem || k == HugetlbShared }
