package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

const heading = `<!-- Written by make sweep; do not edit. -->
# Every header of linux-libc-dev

Each header that the compiler takes alone was run through the generator, and every value, size, alignment, offset, bit-field, enumerator, union member and ioctl of what came of it compared with the compiler's. Wrong is a header of which one fact differs, or is missing without a reason. Left out are macros without a value in Go, each with its reason.

| Linux | GOARCH | headers of | compiler | taken alone | right | wrong | Go that does not compile | refused | facts compared | ioctls | left out |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`

// record puts an outcome into the file of results, in the place of that of the
// same release and architecture: a row of the table, and a line for each header
// that was refused.
func record(path string, o *outcome) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	row, item := fmt.Sprintf("| %s | %s | ", o.release, o.arch), fmt.Sprintf("- %s %s, ", o.release, o.arch)
	rows := []string{fmt.Sprintf("%s%s | %s | %d | %d | %d | %d | %d | %d | %d | %d |\n", row, o.source, o.compiler,
		len(o.times), o.count(right), o.count(wrong), o.count(notGo), o.count(refused), o.facts, o.ioctls, o.omitted)}
	var items []string
	for _, v := range o.found[refused] {
		items = append(items, item+v.header+": "+strings.ReplaceAll(v.why, "\n", "; ")+"\n")
	}
	for line := range strings.Lines(string(old)) {
		_, err := abi.ParseRelease(strings.TrimLeft(line, "|- "))
		switch {
		case err != nil, strings.HasPrefix(line, row), strings.HasPrefix(line, item):
		case strings.HasPrefix(line, "|"):
			rows = append(rows, line)
		default:
			items = append(items, line)
		}
	}
	slices.SortFunc(rows, newestFirst)
	slices.SortFunc(items, newestFirst)
	if len(items) == 0 {
		items = []string{"None.\n"}
	}
	text := heading + strings.Join(rows, "") + "\nRefused, with the reason:\n\n" + strings.Join(items, "")
	return os.WriteFile(path, []byte(text), 0o644)
}

// newestFirst orders lines that begin with "| 7.3" before those of "| 6.12".
func newestFirst(a, b string) int {
	older, _ := abi.ParseRelease(a[len("| "):])
	newer, _ := abi.ParseRelease(b[len("| "):])
	return cmp.Or(newer.Compare(older), strings.Compare(a, b))
}
