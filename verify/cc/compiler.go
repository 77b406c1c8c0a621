// Package cc asks C compilers what a header means. A compiler only compiles:
// the values that it computed, and the types that it saw, are read back from
// the object file, and nothing foreign is run.
package cc

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"

	"github.com/zuffd/uffd/verify/arch"
)

// A Compiler is the C compiler for an architecture.
type Compiler struct{ arch.Arch }

// Compilers are those of Debian 12 for the architectures of the bindings.
var Compilers = compilers()

func compilers() (all []Compiler) {
	for _, a := range arch.All {
		all = append(all, Compiler{a})
	}
	return all
}

// For returns the compiler for a GOARCH, and whether there is one.
func For(goarch string) (Compiler, bool) {
	a, ok := arch.For(goarch)
	return Compiler{a}, ok
}

// Missing returns an error with what to install if the compiler cannot be run.
func (c Compiler) Missing() error {
	if _, err := exec.LookPath(c.CC[0]); err != nil {
		return fmt.Errorf("%s is not installed (Debian's %s)", c.CC[0], c.CCPackage)
	}
	return nil
}

// MissingPackages returns the Debian packages of the compilers that cannot be
// run.
func MissingPackages() (packages []string) {
	for _, c := range Compilers {
		if c.Missing() != nil {
			packages = append(packages, c.CCPackage)
		}
	}
	return packages
}

// Version returns the first line that the compiler says of itself, or its name
// if it says nothing.
func (c Compiler) Version() string {
	out, err := c.Run("", "--version")
	if err != nil {
		return c.CC[0]
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// Run runs the compiler on a source, which it has for "-", and returns what it
// prints; what it complains of is the error.
func (c Compiler) Run(source string, args ...string) ([]byte, error) {
	cmd := exec.Command(c.CC[0], append(c.CC[1:len(c.CC):len(c.CC)], args...)...)
	cmd.Stdin = strings.NewReader(source)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", c.CC[0], err, stderr.Bytes())
	}
	return out, err
}
