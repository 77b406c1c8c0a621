package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/generator"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/since"
)

// askGenerator has the generator read the kernel's own headers: what comes of
// them is to be the files, byte for byte. Of linux/fs.h ours is only a part.
func (s *subject) askGenerator(ctx context.Context, trees []history.Tree, err error) result {
	r := result{kind: "kernel headers", oracle: fmt.Sprintf("Linux %v", s.edition), about: "the files, as generated from the kernel's own header"}
	if err != nil {
		r.unasked = err
		return r
	}
	newest := trees[len(trees)-1]
	r.oracle = newest.Package
	var arches []string
	for _, c := range cc.Compilers {
		arches = append(arches, c.Arch)
	}
	diff, err := generator.Check(ctx, ".", newest.Sysroot(), bindings.Sources[0].Header, arches...)
	if err != nil {
		r.unasked = err
		return r
	}
	r.compared = len(arches)
	if diff != "" {
		r.wrong = []string{"\n" + diff}
	}
	return r
}

// compareSince holds the releases that a file's documentation gives against
// those of headers/. A file that cannot be read is told of elsewhere.
func (f *goFile) compareSince(m *abi.Model, symbols since.Symbols) (compared int, wrong []string) {
	if f.err != nil {
		return 0, nil
	}
	compared, wrong = symbols.Compare(f.pkg.Symbols(m))
	for i := range wrong {
		wrong[i] = f.path + ": " + wrong[i]
	}
	return compared, wrong
}

// askHistory holds every release that headers/ names against the releases.
func (s *subject) askHistory(trees []history.Tree, err error) result {
	r := result{kind: "kernel headers", oracle: "every release of Debian's", about: "each 'Since Linux' of headers/ and the files, and each value for ever"}
	c, _ := cc.For("amd64") // whose headers every release has
	switch {
	case err != nil:
		r.unasked = err
	case !c.Installed():
		r.unasked = fmt.Errorf("%s is not installed (Debian's %s)", c.Command[0], c.Package)
	}
	if r.unasked != nil {
		return r
	}
	var names []string
	for _, t := range trees {
		names = append(names, t.Linux.String())
		r.sources = append(r.sources, t.Package)
	}
	r.oracle = "linux-libc-dev " + strings.Join(names, " ")
	r.note = history.PrecisionOf(trees, slices.Collect(maps.Values(s.symbols))...).String()
	for _, source := range bindings.Sources {
		ours, err := s.describe(c, source.Header)
		if err == nil {
			var releases []history.Release
			releases, err = history.Describe(trees, c, source.Header)
			r.add(history.Check(ours, s.symbols[source.Header], releases))
			for _, c := range cc.Compilers {
				r.add(s.files[c.Arch][source.Header].compareSince(ours, s.symbols[source.Header]))
			}
		}
		if err != nil {
			r.unasked = errors.Join(r.unasked, err)
		}
	}
	return r
}
