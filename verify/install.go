package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
)

// missingCompilers returns the Debian packages of the compilers that are not
// installed.
func missingCompilers() []string {
	var packages []string
	for _, c := range cc.Compilers {
		if !c.Installed() {
			packages = append(packages, c.Package)
		}
	}
	return packages
}

// ensureCompilers installs the compilers that are missing, if it may, and
// returns those that are missing then. Where it cannot, the other oracles are
// asked all the same.
func ensureCompilers(ctx context.Context, w io.Writer, install bool) []string {
	missing := missingCompilers()
	if !install || len(missing) == 0 {
		return missing
	}
	fmt.Fprintln(w, debian.InstallLine(missing))
	if err := debian.Install(ctx, missing); err != nil {
		fmt.Fprintln(w, "not installed:", err)
	}
	return missingCompilers()
}

// installAdvice says how to get missing compilers, on Debian and elsewhere.
func installAdvice(packages []string) string {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "missing are C compilers: Debian's packages of them, which other systems may name otherwise, are " + strings.Join(packages, " ")
	}
	return "to install what is missing, run as root: " + debian.InstallLine(packages)
}
