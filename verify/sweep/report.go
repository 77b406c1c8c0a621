package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

const heading = `<!-- Written by make sweep; do not edit. -->
# Every header of linux-libc-dev

Each header that the compiler takes alone was run through the generator, and every value, size, alignment, offset, bit-field, enumerator and union member of what came of it compared with the compiler's. Wrong is a header of which one fact differs, or is missing without a reason. Left out are macros without a value in Go, each with its reason.

| Linux | GOARCH | headers of | compiler | taken alone | right | wrong | Go that does not compile | refused | facts compared | ioctls | left out |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`

// record puts outcomes into the file of results, in the place of those of the
// same release and architecture.
func record(path string, all []*outcome) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rows, refusals := map[string]string{}, map[string]string{}
	for line := range strings.Lines(string(old)) {
		if cells := strings.Split(line, " | "); len(cells) > 3 && strings.HasPrefix(line, "| ") && !strings.Contains(line, "GOARCH") && !strings.Contains(line, "---") {
			rows[strings.TrimPrefix(cells[0], "| ")+" "+cells[1]] = line
		} else if key, _, ok := strings.Cut(strings.TrimPrefix(line, "- "), ", "); ok && strings.HasPrefix(line, "- ") {
			refusals[key] += line
		}
	}
	for _, o := range all {
		key := o.release + " " + o.arch
		rows[key] = fmt.Sprintf("| %s | %s | %s | %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", o.release, o.arch, o.source, o.compiler,
			o.headers, o.right, len(o.wrong), len(o.broken), len(o.refused), o.compared, o.ioctls, o.omitted)
		refusals[key] = ""
		for _, v := range o.refused {
			refusals[key] += fmt.Sprintf("- %s, %s: %s\n", key, v.header, v.refused)
		}
	}
	var b strings.Builder
	b.WriteString(heading)
	keys := slices.SortedFunc(maps.Keys(rows), newestFirst)
	for _, key := range keys {
		b.WriteString(rows[key])
	}
	b.WriteString("\nRefused, with the reason:\n\n")
	none := true
	for _, key := range keys {
		b.WriteString(refusals[key])
		none = none && refusals[key] == ""
	}
	if none {
		b.WriteString("None.\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// newestFirst orders "7.3 amd64" before "6.12 386".
func newestFirst(a, b string) int {
	older, _ := abi.ParseRelease(a)
	newer, _ := abi.ParseRelease(b)
	return cmp.Or(newer.Compare(older), strings.Compare(a, b))
}
