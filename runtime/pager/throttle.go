package pager

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Short installs hold the processor of their goroutine, which saves a quarter of
// their time, and is harmless, as they take a microsecond. In a cgroup that is over
// its memory.high it is not: the kernel has the thread sleep its excess off at the
// end of the call. Measured on Linux 7.3, in a virtual machine, with a memory.high
// of 16 MiB, GOMAXPROCS 1 and 4,600 copies of a page: the longest took two seconds
// either way, and another goroutine waited 1.96 s for its turn where the scheduler
// did not know, and 0.1 s where it was told. So it is told where a memory.high is
// set when Serve begins, or when a round of installs took suspiciously long.

// mayBeThrottled reports whether a memory.high is set for the cgroup of this process
// or for one above it. mounts and groups are /proc/self/mounts and /proc/self/cgroup.
func mayBeThrottled(mounts, groups string) bool {
	root := ""
	for line := range strings.Lines(readText(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			root = f[1]
			break
		}
	}
	if root == "" {
		return false
	}
	for line := range strings.Lines(readText(groups)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ok && group != "/" && group != "." && group != "" {
			high := strings.TrimSpace(readText(filepath.Join(root, group, "memory.high")))
			if high != "" && high != "max" {
				return true
			}
			group = filepath.Dir(group)
		}
	}
	return false
}

func readText(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}

// longRound is how long a round may take before it looks as if the kernel made it
// wait.
const longRound = 20 * time.Millisecond

// checkThrottling tells the userfaultfd whether operations may take long.
func (p *Pager) checkThrottling() {
	if mayBeThrottled("/proc/self/mounts", "/proc/self/cgroup") {
		p.file.SetPatient(true)
	}
}
