package main

import (
	"fmt"
	"io"
	"slices"
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
		for _, line := range omissions(m.Omitted) {
			fmt.Fprintln(w, line)
		}
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
	for _, f := range files {
		if f.missing || !f.changed() {
			continue
		}
		changes, err := golang.Changes(f.old, f.new)
		if err != nil {
			fmt.Fprintf(w, "%s: what was there is not comparable: %v\n", f.path, err)
			continue
		}
		if len(changes) == 0 {
			fmt.Fprintf(w, "%s: only comments or order have changed\n", f.path)
		}
		for _, c := range changes {
			fmt.Fprintf(w, "%s: %s\n", f.path, c)
		}
	}
	return nil
}

// omissions returns a line for each reason why macros were left out.
func omissions(all []abi.Omission) []string {
	byReason := map[string][]string{}
	for _, o := range all {
		byReason[o.Reason] = append(byReason[o.Reason], o.Name)
	}
	var lines []string
	for reason, names := range byReason {
		lines = append(lines, fmt.Sprintf("left out: %d (%s): %s", len(names), reason, strings.Join(names, " ")))
	}
	slices.Sort(lines)
	return lines
}

// printChanges prints what has changed between two header trees, once where
// it is the same on every architecture.
func printChanges(w io.Writer, old, new []*abi.Model) error {
	var order []string
	arches := map[string][]string{}
	for i := range new {
		for _, c := range abi.Compare(old[i], new[i]) {
			line := c.String()
			if arches[line] == nil {
				order = append(order, line)
			}
			arches[line] = append(arches[line], new[i].Arch)
		}
	}
	all := 0
	for _, m := range new {
		if m.Header == new[0].Header {
			all++
		}
	}
	for _, line := range order {
		prefix := ""
		if len(arches[line]) != all {
			prefix = strings.Join(arches[line], ",") + ": "
		}
		if _, err := fmt.Fprintln(w, prefix+line); err != nil {
			return err
		}
	}
	return nil
}
