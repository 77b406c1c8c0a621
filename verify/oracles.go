package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/facts"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/live"
	"github.com/zuffd/uffd/verify/since"
)

// A result is what one oracle said of one set of values.
type result struct {
	kind     string   // of oracle
	oracle   string   // who was asked
	sources  []string // whose word it is; none for the oracle's own
	about    string   // what was held against it
	compared int
	wrong    []string
	note     string
	unasked  error  // why the oracle could not be asked
	absent   string // why this machine has no such oracle, and need not
}

func (r *result) add(compared int, wrong []string) {
	r.compared += compared
	r.wrong = append(r.wrong, wrong...)
}

func (r *result) addFacts(compared int, wrong []facts.Disagreement) {
	r.compared += compared
	for _, d := range wrong {
		r.wrong = append(r.wrong, d.String())
	}
}

// askAll asks every oracle.
func (s *subject) askAll(ctx context.Context) []result {
	cache, err := openCache()
	var trees []history.Tree
	if err == nil {
		trees, err = history.Trees(ctx, cache, s.edition)
	}
	if err == nil && trees[len(trees)-1].Linux != s.edition {
		err = fmt.Errorf("the newest kernel headers that Debian carries are of Linux %v, ours of %v", trees[len(trees)-1].Linux, s.edition)
	}
	byArch := make([][]result, len(cc.Compilers))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	for i, c := range cc.Compilers {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			byArch[i] = s.askCompiler(c, trees, err)
		})
	}
	wg.Wait()
	var all []result
	for row := range 3 { // the same oracle's together
		for _, results := range byArch {
			all = append(all, results[row])
		}
	}
	all = append(all, s.askGenerator(ctx, trees, err), s.askHistory(trees, err))
	if r, ok := withoutBTF(btf.Running); ok {
		all = append(all, r)
	}
	all = append(all, s.askBTF(ctx, cache)...)
	return append(all, s.askKernel())
}

// openCache opens the cache of Debian's packages. Fetching takes a while, and
// is told of as it goes on.
func openCache() (*debian.Cache, error) {
	cache, err := debian.Open()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("kernel headers and kernels are Debian's packages, which only apt gets: run make verify on Debian, or in a container of it (%w)", errors.Unwrap(err))
	}
	if err != nil {
		return nil, err
	}
	cache.Log = os.Stderr
	return cache, nil
}

// withoutBTF returns a result for a running kernel that does not show its
// types at path.
func withoutBTF(path string) (result, bool) {
	_, name, _ := since.Running()
	_, err := os.Stat(path)
	return result{
		kind: "BTF", oracle: "the running " + name, about: "the structs of the files for " + runtime.GOARCH,
		absent: "CONFIG_DEBUG_INFO_BTF is off, or /sys is not mounted",
	}, errors.Is(err, fs.ErrNotExist)
}

// askCompiler holds three things against one architecture's compiler: the
// generator's model against headers/, the generated files against headers/,
// and headers/ and the files against the kernel's own headers.
func (s *subject) askCompiler(c cc.Compiler, trees []history.Tree, treesErr error) []result {
	model := result{kind: "C compilers", oracle: c.Command[0], about: "the generator's model for " + c.Arch}
	files := result{kind: "C compilers", oracle: c.Command[0], about: "the files for " + c.Arch + ", as go/types lays them out"}
	edition := result{kind: "kernel headers", oracle: fmt.Sprintf("Linux %v, %s", s.edition, c.Command[0]), about: "headers/ and the files for " + c.Arch}
	if !c.Installed() {
		model.unasked = fmt.Errorf("%s is not installed (Debian's %s)", c.Command[0], c.Package)
		files.unasked, edition.unasked = model.unasked, model.unasked
		return []result{model, files, edition}
	}
	model.oracle = c.Version()
	files.oracle = model.oracle
	for _, source := range bindings.Sources {
		claim, file := s.models[c.Arch][source.Header], s.files[c.Arch][source.Header]
		ours, err := s.describe(c, source.Header)
		if err != nil {
			model.unasked, files.unasked, edition.unasked = err, err, err
			break
		}
		compared, wrong := facts.Compare(facts.Of(claim), facts.Of(ours))
		model.addFacts(compared, wrong)
		if len(wrong) == 0 {
			// By name and in C's own expressions the same compiler says the
			// same. It counts once.
			_, wrong, err := c.Compare(claim, []string{"headers"})
			if err != nil {
				model.add(0, []string{err.Error()})
			}
			for _, d := range wrong {
				model.add(0, []string{d.String()})
			}
		}
		files.add(file.compare(ours))
		if treesErr != nil {
			edition.unasked = treesErr
			continue
		}
		newest := trees[len(trees)-1]
		edition.oracle, edition.sources = newest.Package+", "+c.Command[0], []string{newest.Package}
		theirs, err := history.Describe([]history.Tree{newest}, c, source.Header)
		if err == nil && len(theirs) == 0 {
			err = fmt.Errorf("%s: %w", c.Arch, history.ErrNoArch)
		}
		if err != nil {
			edition.unasked = err
			continue
		}
		edition.addFacts(history.Edition(ours, theirs[0].Truth))
		edition.add(file.compare(theirs[0].Truth))
	}
	return []result{model, files, edition}
}

// describe returns what headers/ means to a compiler.
func (s *subject) describe(c cc.Compiler, header string) (*abi.Model, error) {
	dir, err := filepath.Abs("headers")
	if err != nil {
		return nil, err
	}
	return c.Describe([]string{dir}, header, nil)
}

// compare holds a file against an oracle's model, in both directions.
func (f *goFile) compare(truth *abi.Model) (compared int, wrong []string) {
	if f.err != nil {
		return 1, []string{fmt.Sprintf("%s: %v", f.path, f.err)}
	}
	compared, wrong = f.pkg.CompareAll(truth)
	for i := range wrong {
		wrong[i] = f.path + ": " + wrong[i]
	}
	return compared, wrong
}

// askKernel asks the running kernel, by ioctls of the generator's numbers and
// layouts.
func (s *subject) askKernel() result {
	_, name, err := since.Running()
	r := result{kind: "the running kernel", oracle: "the running " + name, about: "ioctls as the generator's model for " + runtime.GOARCH + " lays them out"}
	header := bindings.Sources[0].Header
	m := s.models[runtime.GOARCH][header]
	if err != nil {
		r.unasked = err
		return r
	}
	if m == nil {
		r.unasked = fmt.Errorf("there are no bindings for %s", runtime.GOARCH)
		return r
	}
	compared, wrong, err := live.Check(m, s.symbols[header])
	r.add(compared, wrong)
	r.unasked = err
	return r
}
