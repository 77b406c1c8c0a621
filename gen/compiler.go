package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/zuffd/uffd/gen/internal/ccheck"
	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/internal/abi"
)

// errDisagrees is the result of -cc where a compiler contradicts a model.
var errDisagrees = errors.New("the compiler does not agree; nothing was written")

// askCompiler holds every model against the compiler of -cc, and prints every
// disagreement.
func (o *options) askCompiler(w io.Writer, models []*abi.Model) error {
	sysroot, err := o.open(o.sysroot)
	if err != nil {
		return err
	}
	var failed error
	for _, m := range models {
		include, libc, release, err := cheader.Include(sysroot, m.Arch)
		if err != nil {
			return err
		}
		claims, wrong, err := ccheck.Compare(strings.Fields(o.cc), include, libc, m)
		release()
		if err != nil {
			return fmt.Errorf("-cc: %s for %s: %w", m.Header, m.Arch, err)
		}
		for _, d := range wrong {
			fmt.Fprintf(w, "%s for %s: %v\n", m.Header, m.Arch, d)
			failed = errDisagrees
		}
		fmt.Fprintf(w, "%s for %s: %d claims, %d of which %s contradicts\n", m.Header, m.Arch, claims, len(wrong), o.cc)
	}
	return failed
}
