package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/zuffd/uffd/internal/abi"
)

// leftOut returns a line for each symbol of a header that the files leave out,
// or have by another name than the rule gives it, with the reason: once where
// it is the same for several architectures.
func leftOut(files []*file) []string {
	var lines []string
	arches := map[string]int{}
	add := func(line string) {
		if arches[line]++; arches[line] == 1 {
			lines = append(lines, line)
		}
	}
	for _, f := range files {
		for _, o := range f.model.Omitted {
			add(fmt.Sprintf("%s:%d: %s is left out: %s", cmp.Or(o.File, f.model.Header), o.Line, o.Name, o.Reason))
		}
		for _, n := range f.notes {
			add(fmt.Sprintf("%s:%d: %s %s", f.model.Header, n.Line, n.Name, n.What))
		}
	}
	return lines
}

// isGuard reports whether nothing is missed with an omission.
func isGuard(o abi.Omission) bool { return o.Reason == "include guard" }

// errLeftOut is the result of -strict where a symbol is left out.
var errLeftOut = errors.New("-strict: these symbols are left out; nothing was written")

// refuseOmissions prints what the files leave out, and returns an error if that
// is anything but include guards.
func refuseOmissions(w io.Writer, files []*file) error {
	var err error
	for _, f := range files {
		for _, o := range f.model.Omitted {
			if !isGuard(o) {
				fmt.Fprintf(w, "%s: %s:%d: %s is left out: %s\n", f.model.Arch, cmp.Or(o.File, f.model.Header), o.Line, o.Name, o.Reason)
				err = errLeftOut
			}
		}
	}
	return err
}
