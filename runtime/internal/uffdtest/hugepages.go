package uffdtest

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// ReserveHugePages puts pages into the system's pool for the tests of this
// program, or skips the test where the kernel has no such pages.
func ReserveHugePages(t testing.TB) {
	t.Helper()
	size, _ := hugePages()
	if size == 0 {
		t.Skip("hugetlb: this kernel has no huge pages")
	}
	if size <= 32<<20 && os.Getuid() == 0 {
		reserve.Do(func() { reserved = growPool(enough) })
	}
}

// MoreHugePages puts n pages more into the pool until the test ends, or skips the
// test where there are none to be had.
func MoreHugePages(t testing.TB, n int) {
	t.Helper()
	if size, _ := hugePages(); size == 0 {
		t.Skip("hugetlb: this kernel has no huge pages")
	}
	got := growPool(n)
	t.Cleanup(func() { growPool(-got) })
	if got < n {
		t.Skipf("hugetlb: the pool can grow by %d pages, want %d", got, n)
	}
}

// Each program adds its own pages and takes as many away, since the tests of
// several packages run at once.
const enough = 8

var (
	reserve  sync.Once
	reserved int
)

func giveHugePagesBack() {
	if reserved > 0 {
		growPool(-reserved)
	}
}

// growPool adds n pages to the pool, and returns how many it has added.
func growPool(n int) int {
	f, err := os.OpenFile("/proc/sys/vm/nr_hugepages", os.O_WRONLY, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX) != nil { // until f is closed
		return 0
	}
	_, before := hugePages()
	fmt.Fprint(f, max(before+n, 0))
	_, after := hugePages()
	return after - before
}

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
