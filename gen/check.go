package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"
)

// errDiffers is the result of -check where a file differs.
var errDiffers = errors.New("generated files are not what the headers say; run go generate")

// checkFiles prints how the files on disk differ from what is to be: unified
// diffs, where a change that is the same in several files stands once, after a
// line that names them.
func checkFiles(w io.Writer, files []*file) error {
	var err error
	var groups []*difference
	byFiles := map[string]*difference{}
	for _, c := range changesOf(files) {
		names := strings.Join(c.files, " ")
		g := byFiles[names]
		if g == nil {
			g = &difference{files: c.files}
			byFiles[names] = g
			groups = append(groups, g)
		}
		g.hunks = append(g.hunks, c.hunks...)
	}
	for _, f := range files {
		if f.missing {
			err = errDiffers
			fmt.Fprintf(w, "%s is missing\n", f.path)
		}
	}
	for _, g := range groups {
		err = errDiffers
		if len(g.files) > 1 {
			fmt.Fprintf(w, "# the same in %s\n", strings.Join(g.files, ", "))
		}
		fmt.Fprint(w, udiff.UnifiedDiff{From: g.files[0], To: g.files[0] + " (generated)", Hunks: g.hunks})
	}
	return err
}

// A difference is a piece of a unified diff, and the files that it is the same
// in. The numbers of its lines are those of the first.
type difference struct {
	files []string
	hunks []*udiff.Hunk
}

// changesOf returns every hunk of every file once.
func changesOf(files []*file) []*difference {
	var all []*difference
	byChange := map[string]*difference{}
	for _, f := range files {
		if f.missing || !f.changed() {
			continue
		}
		old, new := string(f.old), string(f.new)
		diff, err := udiff.ToUnifiedDiff(f.path, f.path, old, udiff.Lines(old, new), udiff.DefaultContextLines)
		if err != nil {
			panic(err) // the edits are of this very text
		}
		for _, h := range diff.Hunks {
			change := changedLines(h)
			for d := byChange[change]; d != nil && slices.Contains(d.files, f.path); d = byChange[change] {
				change += "again" // the same change elsewhere in the file
			}
			d := byChange[change]
			if d == nil {
				d = &difference{hunks: []*udiff.Hunk{h}}
				byChange[change] = d
				all = append(all, d)
			}
			d.files = append(d.files, f.path)
		}
	}
	return all
}

// changedLines returns what a hunk takes out and puts in. What stands around
// it may differ between files.
func changedLines(h *udiff.Hunk) string {
	var b strings.Builder
	for _, l := range h.Lines {
		if l.Kind != udiff.Equal {
			fmt.Fprintf(&b, "%v %s", l.Kind, l.Content)
		}
	}
	return b.String()
}
