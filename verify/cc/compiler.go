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
	"strings"
)

// A Compiler is a C compiler for one GOARCH.
type Compiler struct {
	Arch    string   // GOARCH
	Command []string // the program, and arguments that choose the architecture
	Package string   // the Debian package that has it
}

// Compilers are the compilers that Debian 12 has for the architectures of the
// bindings. It has no gcc for loong64, but a clang that knows it.
var Compilers = []Compiler{
	{"amd64", []string{"x86_64-linux-gnu-gcc"}, "gcc"},
	{"arm64", []string{"aarch64-linux-gnu-gcc"}, "gcc-aarch64-linux-gnu"},
	{"386", []string{"i686-linux-gnu-gcc"}, "gcc-i686-linux-gnu"},
	{"arm", []string{"arm-linux-gnueabihf-gcc"}, "gcc-arm-linux-gnueabihf"},
	{"riscv64", []string{"riscv64-linux-gnu-gcc"}, "gcc-riscv64-linux-gnu"},
	{"ppc64le", []string{"powerpc64le-linux-gnu-gcc"}, "gcc-powerpc64le-linux-gnu"},
	{"loong64", []string{"clang-16", "--target=loongarch64-linux-gnu"}, "clang-16"},
	{"s390x", []string{"s390x-linux-gnu-gcc"}, "gcc-s390x-linux-gnu"},
	{"mips64le", []string{"mips64el-linux-gnuabi64-gcc"}, "gcc-mips64el-linux-gnuabi64"},
}

// For returns the compiler for a GOARCH, and whether there is one.
func For(goarch string) (Compiler, bool) {
	for _, c := range Compilers {
		if c.Arch == goarch {
			return c, true
		}
	}
	return Compiler{}, false
}

// Installed reports whether the compiler can be run.
func (c Compiler) Installed() bool {
	_, err := exec.LookPath(c.Command[0])
	return err == nil
}

// Version returns the first line that the compiler says of itself.
func (c Compiler) Version() string {
	out, err := exec.Command(c.Command[0], "--version").Output()
	if err != nil {
		return err.Error()
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
