// Package uffdtest is what the tests of runtime and of the packages below it
// share: userfaultfds and memory that are skipped where the kernel has none,
// touches that cannot hang the program, waiting with a deadline, C programs,
// and measuring beside them.
package uffdtest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Main is a TestMain: it runs one of [Children] where the program is one, or
// the tests, which fail if they leave descriptors open.
func Main(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := Children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The poller has descriptors of its own from the first pipe on.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	before := Descriptors()
	code := m.Run()
	giveHugePagesBack()
	removePrograms()
	if after := Descriptors(); code == 0 && after > before {
		fmt.Fprintf(os.Stderr, "descriptors leaked: %d before the tests, %d after\n%s", before, after, listDescriptors())
		code = 1
	}
	os.Exit(code)
}

// Descriptors returns how many descriptors are open.
func Descriptors() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(all)
}

func listDescriptors() string {
	var b strings.Builder
	all, _ := os.ReadDir("/proc/self/fd")
	for _, d := range all {
		link, _ := os.Readlink("/proc/self/fd/" + d.Name())
		fmt.Fprintf(&b, "%s %s\n", d.Name(), link)
	}
	return b.String()
}
