package claim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
)

// A Truth is what an oracle knows of one header on one architecture.
type Truth struct {
	Linux     abi.Release // that the header, or the kernel, is of
	Model     *abi.Model
	OnlyTypes bool // it knows no constants, no alignments, and only the structs that it was asked for
}

// A Verdict is what came of holding truths against claims.
type Verdict struct {
	Compared int      // values
	Wrong    []string // a line for each claim that is contradicted
	News     []string // a line for each symbol of a release that is newer than the claims
}

// Add adds another verdict. Its lines begin with prefix.
func (v *Verdict) Add(other Verdict, prefix string) {
	v.Compared += other.Compared
	for _, line := range other.Wrong {
		v.Wrong = append(v.Wrong, prefix+line)
	}
	v.News = append(v.News, other.News...)
}

func (v *Verdict) wrong(format string, args ...any) {
	v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
}

// Hold holds the model and the file against a truth. A symbol is to be absent
// before the release that is said to have brought it, present from then on,
// and the same for ever: its value, its size, its offset, its type. So is each
// bit of the few constants that grow by design.
//
// A truth has nothing that is not claimed, unless it is of a newer release:
// that is news.
func (c *Claim) Hold(t Truth) Verdict {
	v := c.holdModel(t)
	if c.Err != nil {
		v.Add(Verdict{Compared: 1, Wrong: []string{c.Err.Error()}}, c.Source.File(c.Model.Arch)+": ")
	} else if c.File != nil {
		v.Add(c.holdFile(t), c.Source.File(c.Model.Arch)+": ")
	}
	return v
}

func (c *Claim) holdModel(t Truth) (v Verdict) {
	claimed, truth := Facts(c.Model, t.OnlyTypes), Facts(t.Model, t.OnlyTypes)
	if t.Linux != c.Edition {
		c.takeApart(claimed, truth)
	}
	for _, what := range slices.Sorted(maps.Keys(claimed)) {
		v.Compared++
		f := claimed[what]
		is, there := truth[what]
		_, symbol, _ := strings.Cut(what, " of ")
		since, err := abi.ParseRelease(f.Since)
		switch {
		case err != nil:
			v.wrong("%s is not said to be since any release", symbol)
		case there && t.Linux.Before(since):
			v.wrong("Linux %v has %s, said to be since %v", t.Linux, symbol, since)
		case !there && !t.Linux.Before(since):
			v.wrong("Linux %v has no %s, said to be since %v", t.Linux, what, since)
		case there && is.Is != f.Is:
			v.wrong("%s: claimed %s, really %s (Linux %v)", what, f.Is, is.Is, t.Linux)
		}
	}
	if c.Edition.Before(t.Linux) {
		for _, change := range abi.Compare(c.Model, t.Model) {
			if change.Verb == "added" {
				v.News = append(v.News, change.String())
			}
		}
		return v
	}
	for _, what := range slices.Sorted(maps.Keys(truth)) {
		if _, ok := claimed[what]; !ok {
			v.Compared++
			v.wrong("%s is %s (Linux %v), and is not claimed", what, truth[what].Is, t.Linux)
		}
	}
	return v
}

// holdFile holds the file against a truth: of the release that it is of, it is
// to have all; of another, what both have, but for what grows.
func (c *Claim) holdFile(t Truth) (v Verdict) {
	want := bindings.Of(t.Model)
	if t.Linux != c.Edition {
		claimed := bindings.Of(c.Model)
		maps.DeleteFunc(want, func(what, _ string) bool {
			_, isClaimed := claimed[what]
			_, grows := sets[strings.TrimPrefix(what, "value of ")]
			return !isClaimed || grows
		})
	}
	v.Compared, v.Wrong = c.File.Compare(want, t.Linux == c.Edition && !t.OnlyTypes)
	return v
}
