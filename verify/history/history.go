// Package history holds what our headers say of the past against the past: the
// kernel headers of every release at hand, as a C compiler understands them.
//
// A symbol is to be absent before the release that is said to have brought it,
// present from then on, and the same for ever: its value, its size, its
// offset, its type. The few constants that grow by design are in growing.go.
//
// A release that is at hand, or whose neighbours are, is pinned; another is
// only bracketed by those at hand: of a symbol since 6.7, the headers of 6.1
// and 6.12 say that it came between them.
package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/facts"
	"github.com/zuffd/uffd/verify/since"
)

// A Release is one header of one release of Linux, as a compiler sees it.
type Release struct {
	Linux since.Release
	Truth *abi.Model
}

// Check holds a model, and the releases that its symbols are said to have come
// with, against releases in ascending order. It returns how many facts were
// compared, and a line for each that is wrong.
func Check(claim *abi.Model, symbols since.Symbols, releases []Release) (compared int, wrong []string) {
	claimed := facts.Of(claim)
	differs := func(r Release, format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("Linux %v: ", r.Linux)+fmt.Sprintf(format, args...))
	}
	for _, what := range slices.Sorted(maps.Keys(claimed)) {
		if _, ok := symbols[symbolOf(what)]; !ok {
			compared++
			wrong = append(wrong, symbolOf(what)+" is not said to be since any release")
		}
	}
	for i, r := range releases {
		truth := facts.Of(r.Truth)
		for _, what := range slices.Sorted(maps.Keys(claimed)) {
			symbol := symbolOf(what)
			release, ok := symbols[symbol]
			if !ok {
				continue
			}
			compared++
			is, there := truth[what]
			switch {
			case there && r.Linux.Before(release):
				differs(r, "%s is there, said to be since %v", symbol, release)
			case !there && !r.Linux.Before(release):
				differs(r, "%s is missing (%s), said to be since %v", symbol, what, release)
			case there && growing[symbol] == nil && is != claimed[what]:
				differs(r, "%s is %s, claimed %s", what, is, claimed[what])
			}
		}
		for _, what := range slices.Sorted(maps.Keys(truth)) {
			if _, ok := claimed[what]; !ok {
				compared++
				differs(r, "%s is %s, and is not claimed", what, truth[what])
			}
		}
		for _, name := range slices.Sorted(maps.Keys(growing)) {
			n, lines := grown(name, r, releases[:i], claim, symbols)
			compared += n
			for _, line := range lines {
				differs(r, "%s", line)
			}
		}
	}
	return compared, wrong
}

// Edition holds our edition of a header, as a compiler sees it, against the
// kernel's own of the same release, in both directions: everything of ours is
// in theirs, and everything of theirs in ours, alike.
func Edition(ours, theirs *abi.Model) (compared int, wrong []facts.Disagreement) {
	return facts.Compare(facts.Of(ours), facts.Of(theirs))
}

// symbolOf returns the symbol that a fact is about: "offset of
// uffdio_poison.mode" is about uffdio_poison.mode.
func symbolOf(fact string) string {
	_, symbol, _ := strings.Cut(fact, " of ")
	return symbol
}
