// Package history holds the claims against the past, and the future: the
// kernel's own headers of every release that Debian carries, as C compilers
// understand them, and as the generator does.
//
// When a symbol came is known as closely as there are releases at hand: of one
// since 6.7, the headers of 6.1 and 6.12 say that it came between them.
package history

import (
	"context"
	"fmt"
	"slices"

	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/debian"
)

const kind = "kernel headers"

// Ask holds the claims for each architecture against every release's headers.
func Ask(ctx context.Context, root string, all claim.All) []claim.Answer {
	about := "each symbol and when it came, each value for ever"
	cache, err := debian.Open()
	var trees []Tree
	var lacks []string
	if err == nil {
		trees, lacks, err = Trees(ctx, cache)
	}
	if err == nil && (len(trees) == 0 || trees[len(trees)-1].Linux.Before(all.Edition())) {
		err = fmt.Errorf("of Linux %v, which the files are of, or newer, Debian carries no kernel headers", all.Edition())
	}
	if err != nil {
		return []claim.Answer{{Kind: kind, Oracle: "Debian's", About: about, Unasked: err}}
	}
	answers := cc.Each(func(c arch.Arch) claim.Answer {
		a := claim.Answer{Kind: kind, Oracle: c.CC[0] + ", Linux", About: about + ", for " + c.Go}
		if a.Unasked = c.Missing(); a.Unasked != nil {
			return a
		}
		for _, t := range trees {
			if _, err := t.Include(c); err != nil {
				continue // before 6.12 a package is for one architecture
			}
			a.Sources = append(a.Sources, t.Package)
			a.Oracle += " " + t.Linux.String()
			a.Hold(all[c.Go], func(said *claim.Claim) (claim.Truth, error) { return t.Truth(c, said.Source.Header) })
		}
		return a
	})
	for i := range answers[1:] {
		answers[1+i].News = nil // which amd64 tells
	}
	if newest := trees[len(trees)-1]; len(answers[0].News) > 0 {
		answers[0].News = append([]string{fmt.Sprintf("Linux %v has more than headers/, which make kernel HEADERS=%s takes in:", newest.Linux, newest.Sysroot)}, answers[0].News...)
	}
	for _, why := range lacks {
		answers = append(answers, claim.Answer{Kind: kind, Oracle: "Debian's", About: about, Absent: why})
	}
	return append(answers, askGenerator(ctx, root, all, trees))
}

// askGenerator has the generator read the kernel's own header: what comes of it
// is to be the files, byte for byte. Of linux/fs.h ours is only a part.
func askGenerator(ctx context.Context, root string, all claim.All, trees []Tree) claim.Answer {
	a := claim.Answer{Kind: kind, Oracle: fmt.Sprintf("Linux %v", all.Edition()), About: "the files, as generated from the kernel's own header"}
	i := slices.IndexFunc(trees, func(t Tree) bool { return t.Linux == all.Edition() })
	if i < 0 {
		a.Absent = fmt.Sprintf("Debian carries no kernel headers of Linux %v any more, but newer ones", all.Edition())
		return a
	}
	a.Oracle, a.Sources = trees[i].Package, []string{trees[i].Package}
	diff, err := claim.Regenerate(ctx, root, trees[i].Sysroot, ".", claim.Sources[0].Header, "all")
	a.Compared, a.Unasked = len(arch.All), err
	if diff != "" {
		a.Wrong = []string{"\n" + diff}
	}
	return a
}
