// Uffdprobe prints what the running kernel's userfaultfd can do for the user
// who runs it: features, operations by kind of memory, and how it may be
// opened, with the reason where it may not.
//
//	go run github.com/zuffd/uffd/runtime/uffdprobe
//
// It exits with 1 where no userfaultfd can be opened at all.
package main

import (
	"fmt"
	"os"

	"github.com/zuffd/uffd/runtime/probe"
)

func main() {
	s, err := probe.Kernel()
	if writeErr := writeTable(os.Stdout, s); writeErr != nil {
		err = writeErr
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "uffdprobe:", err)
		os.Exit(1)
	}
}
