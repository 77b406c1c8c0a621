package uffdtest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// hugePages returns the default size of huge pages, in bytes, and how many the
// system's pool has.
func hugePages() (size, total int) {
	b, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(b)) {
		fmt.Sscanf(line, "Hugepagesize: %d kB", &size)
		fmt.Sscanf(line, "HugePages_Total: %d", &total)
	}
	return size << 10, total
}

// ReserveHugePages puts pages into the pool if there are too few for tests, or
// skips the test where the kernel has no such pages.
func ReserveHugePages(t testing.TB) {
	t.Helper()
	size, total := hugePages()
	if size == 0 {
		t.Skip("hugetlb: this kernel has no huge pages")
	}
	const enough = 8
	if total < enough && size <= 32<<20 && os.Getuid() == 0 {
		if hugePagesBefore < 0 {
			hugePagesBefore = total
		}
		setHugePages(enough)
	}
}

// hugePagesBefore is how many pages the pool had before tests put more into
// it, -1 if they did not.
var hugePagesBefore = -1

func setHugePages(n int) { os.WriteFile("/proc/sys/vm/nr_hugepages", []byte(fmt.Sprint(n)), 0) }

func giveHugePagesBack() {
	if hugePagesBefore >= 0 {
		setHugePages(hugePagesBefore)
	}
}
