package claim

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/linux"
)

// A Truth is what an oracle knows of one header on one architecture.
type Truth struct {
	Linux     linux.Release // that the header, or the kernel, is of
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
// and the same for ever: its value, its size, its offset, its type. The few
// constants that grow by design are in growing.go.
//
// A truth has nothing that is not claimed, unless it is of a newer release:
// that is news.
func (c *Claim) Hold(t Truth) Verdict {
	v := c.holdModel(t)
	if c.Err != nil {
		v.Add(Verdict{Compared: 1, Wrong: []string{c.Err.Error()}}, c.Source.File(c.Arch)+": ")
	} else if c.File != nil {
		truth, whole := t.Model, t.Linux == c.Edition && !t.OnlyTypes
		if t.Linux != c.Edition {
			truth = c.part(truth)
		}
		compared, wrong := c.File.Compare(truth, whole)
		v.Add(Verdict{Compared: compared, Wrong: wrong}, c.Source.File(c.Arch)+": ")
	}
	return v
}

func (c *Claim) holdModel(t Truth) (v Verdict) {
	claimed, truth := Facts(c.Model, t.OnlyTypes), Facts(t.Model, t.OnlyTypes)
	for _, what := range slices.Sorted(maps.Keys(claimed)) {
		v.Compared++
		f, symbol := claimed[what], symbolOf(what)
		is, there := truth[what]
		since, err := linux.Parse(f.Since)
		switch {
		case err != nil:
			v.wrong("%s is not said to be since any release", symbol)
		case there && t.Linux.Before(since):
			v.wrong("Linux %v has %s, said to be since %v", t.Linux, symbol, since)
		case !there && !t.Linux.Before(since):
			v.wrong("Linux %v has no %s, said to be since %v", t.Linux, what, since)
		case there && is.Is != f.Is && (t.Linux == c.Edition || growing[symbol] == nil):
			v.wrong("%s: claimed %s, really %s (Linux %v)", what, f.Is, is.Is, t.Linux)
		}
	}
	if c.Edition.Before(t.Linux) {
		for _, change := range abi.Compare(c.Model, t.Model) {
			if change.Verb == "added" {
				v.News = append(v.News, change.String())
			}
		}
	} else {
		for _, what := range slices.Sorted(maps.Keys(truth)) {
			if _, ok := claimed[what]; !ok {
				v.Compared++
				v.wrong("%s is %s (Linux %v), and is not claimed", what, truth[what].Is, t.Linux)
			}
		}
	}
	if t.Linux != c.Edition {
		v.Add(c.grown(t), fmt.Sprintf("Linux %v: ", t.Linux))
	}
	return v
}

// part returns what of another release's model is claimed, and does not grow.
func (c *Claim) part(m *abi.Model) *abi.Model {
	claimed := Facts(c.Model, false)
	has := func(what string) bool { _, ok := claimed[what]; return ok && growing[symbolOf(what)] == nil }
	p := *m
	p.Constants = slices.DeleteFunc(slices.Clone(m.Constants), func(k abi.Constant) bool { return !has("value of " + k.Name) })
	p.Structs = slices.DeleteFunc(slices.Clone(m.Structs), func(s abi.Struct) bool { return !has("size of " + s.Name) })
	for i, s := range p.Structs {
		p.Structs[i].Fields = slices.DeleteFunc(slices.Clone(s.Fields), func(f abi.Field) bool {
			return f.Name != "" && f.BitSize == 0 && !has("size of "+s.Name+"."+f.Name)
		})
	}
	return &p
}
