// Package cc asks C compilers what a header means. A compiler only compiles:
// the values that it computed are read back from the object file, and nothing
// foreign is run.
package cc

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/arch"
)

// A Compiler is a C compiler for one GOARCH.
type Compiler struct {
	Arch    string   // GOARCH
	Command []string // the program, and arguments that choose the architecture
	Package string   // the Debian package that has it
}

// Compilers are those of Debian 12 for the architectures of the bindings.
var Compilers = compilers()

func compilers() (all []Compiler) {
	for _, a := range arch.All {
		all = append(all, Compiler{a.Go, a.CC, a.CCPackage})
	}
	return all
}

// For returns the compiler for a GOARCH, and whether there is one.
func For(goarch string) (Compiler, bool) {
	i := slices.IndexFunc(Compilers, func(c Compiler) bool { return c.Arch == goarch })
	if i < 0 {
		return Compiler{}, false
	}
	return Compilers[i], true
}

// Missing returns an error with what to install if the compiler cannot be run.
func (c Compiler) Missing() error {
	if _, err := exec.LookPath(c.Command[0]); err != nil {
		return fmt.Errorf("%s is not installed (Debian's %s)", c.Command[0], c.Package)
	}
	return nil
}

// MissingPackages returns the Debian packages of the compilers that cannot be
// run.
func MissingPackages() (packages []string) {
	for _, c := range Compilers {
		if c.Missing() != nil {
			packages = append(packages, c.Package)
		}
	}
	return packages
}

// Version returns the first line that the compiler says of itself, or its name
// if it says nothing.
func (c Compiler) Version() string {
	out, err := exec.Command(c.Command[0], "--version").Output()
	if err != nil {
		return c.Command[0]
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// section is where the compiled values lie in the object file.
const section = ".uffd.values"

// Values returns the values of C integer constant expressions, converted to 64
// bits, after the lines of preamble. Headers are looked for in include alone.
func (c Compiler) Values(include []string, preamble string, expressions []string) ([]uint64, error) {
	if len(expressions) == 0 {
		return nil, nil
	}
	var src strings.Builder
	src.WriteString(preamble)
	fmt.Fprintf(&src, "\n__attribute__((section(%q), used)) unsigned long long uffd_values[] = {\n", section)
	for _, e := range expressions {
		fmt.Fprintf(&src, "(unsigned long long)(%s),\n", e)
	}
	src.WriteString("};\n")
	object, err := c.compile(include, src.String())
	if err != nil {
		return nil, err
	}
	data, f, err := sectionOf(object, section)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Command[0], err)
	}
	if len(data) != 8*len(expressions) {
		return nil, fmt.Errorf("%s: %d bytes of values instead of %d", c.Command[0], len(data), 8*len(expressions))
	}
	values := make([]uint64, len(expressions))
	for i := range values {
		values[i] = f.ByteOrder.Uint64(data[8*i:])
	}
	return values, nil
}

// compile returns the object file of a C source.
func (c Compiler) compile(include []string, src string, flags ...string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "uffd-verify-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	object := filepath.Join(dir, "values.o")
	cmd := c.command(include, append(flags, "-O0", "-c", "-o", object, "-")...)
	cmd.Stdin = strings.NewReader(src)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", c.Command[0], err, stderr.Bytes())
	}
	return os.ReadFile(object)
}

// command is the compiler's command line for a source on standard input.
// Headers are looked for in include alone.
func (c Compiler) command(include []string, flags ...string) *exec.Cmd {
	args := append(c.Command[1:len(c.Command):len(c.Command)], "-xc", "-std=gnu11", "-nostdinc", "-ffreestanding")
	for _, i := range include {
		args = append(args, "-isystem", i)
	}
	return exec.Command(c.Command[0], append(args, flags...)...)
}

func sectionOf(object []byte, name string) ([]byte, *elf.File, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, nil, err
	}
	s := f.Section(name)
	if s == nil {
		return nil, nil, fmt.Errorf("the object file has no section %s", name)
	}
	data, err := s.Data()
	return data, f, err
}
