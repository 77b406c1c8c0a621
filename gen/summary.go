package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/zuffd/uffd/gen/internal/golang"
	"github.com/zuffd/uffd/internal/abi"
)

// summarize tells people what was read and what has changed on disk.
func summarize(w io.Writer, sysroot string, models []*abi.Model, files []*file) error {
	seen := map[string]bool{}
	for _, m := range models {
		if seen[m.Header] {
			continue
		}
		seen[m.Header] = true
		release := "of an unknown release"
		if m.Release != "" {
			release = "of Linux " + m.Release
		}
		fmt.Fprintf(w, "%s %s, from %s\n", m.Header, release, sysroot)
	}
	for _, line := range leftOut(files) {
		fmt.Fprintln(w, line)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range files {
		m := f.model
		state := "unchanged"
		if f.missing {
			state = "new"
		} else if f.changed() {
			state = "changed"
		}
		fmt.Fprintf(t, "%s\t%d constants\t%d structs\t%d ioctls\t%s\t%s\n",
			m.Arch, len(m.Constants), len(m.Structs), len(m.Ioctls), f.path, state)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return summarizeChanges(w, files)
}

// summarizeChanges tells what has changed in the files, once where it is the
// same in all that there were.
func summarizeChanges(w io.Writer, files []*file) error {
	var lines []string
	in := map[string][]string{}
	before := 0
	for _, f := range files {
		if f.missing {
			continue
		}
		before++
		if !f.changed() {
			continue
		}
		changes, err := golang.Changes(f.old, f.new)
		if err != nil {
			changes = []string{fmt.Sprintf("what was there is not comparable: %v", err)}
		} else if len(changes) == 0 {
			changes = []string{"only comments or order have changed"}
		}
		for _, line := range changes {
			if in[line] == nil {
				lines = append(lines, line)
			}
			in[line] = append(in[line], f.path)
		}
	}
	for _, line := range lines {
		where := strings.Join(in[line], ", ")
		if len(in[line]) == before {
			where = "all files"
		}
		if _, err := fmt.Fprintf(w, "%s: %s\n", where, line); err != nil {
			return err
		}
	}
	return nil
}
