package cc

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/zuffd/uffd/verify/claim"
)

// Ask asks every compiler what headers/ means, and holds that against what the
// generator says and against the files, which go/types lays out.
func Ask(ctx context.Context, root string, all claim.All) []claim.Answer {
	return Each(func(c Compiler) claim.Answer {
		a := claim.Answer{Kind: "C compilers", Oracle: c.Version(), About: "the generator's model and the files for " + c.Arch}
		if a.Unasked = c.Missing(); a.Unasked != nil {
			return a
		}
		for _, said := range all[c.Arch] {
			truth, err := c.Headers(root, said)
			if err != nil {
				a.Unasked = errors.Join(a.Unasked, err)
				continue
			}
			a.Add(said.Hold(truth), "")
		}
		return a
	})
}

// Headers returns what headers/ means to the compiler.
func (c Compiler) Headers(root string, said *claim.Claim) (claim.Truth, error) {
	dir, err := filepath.Abs(filepath.Join(root, "headers"))
	if err != nil {
		return claim.Truth{}, err
	}
	m, err := c.Describe([]string{dir}, said.Source.Header, nil)
	return claim.Truth{Linux: said.Edition, Model: m}, err
}

// Each asks every compiler, as many at a time as there are processors.
func Each(ask func(c Compiler) claim.Answer) []claim.Answer {
	answers := make([]claim.Answer, len(Compilers))
	slots := make(chan struct{}, runtime.NumCPU())
	var wg sync.WaitGroup
	for i, c := range Compilers {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i] = ask(c)
		})
	}
	wg.Wait()
	return answers
}
