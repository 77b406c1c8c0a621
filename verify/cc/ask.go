// Package cc asks C compilers what a header means. A compiler only compiles:
// the values that it computed, and the types that it saw, are read back from
// the object file, and nothing foreign is run.
package cc

import (
	"context"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/claim"
	"golang.org/x/sync/errgroup"
)

// Ask asks every compiler what headers/ means, and holds that against what the
// generator says and against the files, which go/types lays out.
func Ask(ctx context.Context, root string, all claim.All) []claim.Answer {
	return Each(func(c arch.Arch) claim.Answer {
		a := claim.Answer{Kind: "C compilers", Oracle: c.Version(), About: "the generator's model and the files for " + c.Go}
		if a.Unasked = c.Missing(); a.Unasked != nil {
			return a
		}
		a.Hold(all[c.Go], func(said *claim.Claim) (claim.Truth, error) { return Headers(root, c, said) })
		return a
	})
}

// Headers returns what headers/ means to the compiler of an architecture.
func Headers(root string, c arch.Arch, said *claim.Claim) (claim.Truth, error) {
	dir, err := filepath.Abs(filepath.Join(root, "headers"))
	if err != nil {
		return claim.Truth{}, err
	}
	return Header{c, []string{dir}, said.Source.Header}.Truth(said.Edition, nil)
}

// Truth returns what the header, of a release of Linux, means to the compiler:
// what it defines itself, and, unless part is nil, of a name that it matches.
func (h Header) Truth(release abi.Release, part *regexp.Regexp) (claim.Truth, error) {
	m, err := h.Describe()
	if err != nil {
		return claim.Truth{}, err
	}
	m.Structs = slices.DeleteFunc(m.Structs, func(s abi.Struct) bool { return s.File != "" })
	if part != nil {
		m = m.Only(part.MatchString)
	}
	return claim.Truth{Linux: release, Model: m}, nil
}

// Each asks every compiler, as many at a time as there are processors.
func Each(ask func(c arch.Arch) claim.Answer) []claim.Answer {
	answers := make([]claim.Answer, len(arch.All))
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	for i, c := range arch.All {
		g.Go(func() error { answers[i] = ask(c); return nil })
	}
	g.Wait()
	return answers
}
