package history

import (
	"fmt"

	"github.com/zuffd/uffd/verify/since"
)

// A Precision counts symbols by what the releases at hand can tell of when
// each came.
type Precision struct {
	Pinned    int           // its release is at hand, and the one before it
	Bracketed int           // it came between two releases that are at hand
	Older     int           // it is in the oldest release at hand
	Oldest    since.Release // which that is
}

// String says it in a line.
func (p Precision) String() string {
	return fmt.Sprintf("of the symbols, %d are pinned to a release, %d bracketed by two, %d only known to be at most %v", p.Pinned, p.Bracketed, p.Older, p.Oldest)
}

// PrecisionOf returns what trees, in ascending order, can tell of symbols.
func PrecisionOf(trees []Tree, all ...since.Symbols) Precision {
	p := Precision{Oldest: trees[0].Linux}
	for _, symbols := range all {
		for _, came := range symbols {
			i := 0
			for i < len(trees)-1 && trees[i].Linux.Before(came) {
				i++
			}
			switch {
			case i == 0:
				p.Older++
			case follows(trees[i-1].Linux, trees[i].Linux):
				p.Pinned++
			default:
				p.Bracketed++
			}
		}
	}
	return p
}

// last are the minor numbers of the last releases of Linux's major ones.
var last = map[int]int{4: 20, 5: 19, 6: 19}

// follows reports whether there is no release between two.
func follows(a, b since.Release) bool {
	if a.Major == b.Major {
		return a.Minor+1 == b.Minor
	}
	minor, ok := last[a.Major]
	return ok && a.Major+1 == b.Major && a.Minor == minor && b.Minor == 0
}
