package cc

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/verify/arch"
)

// A Header is a header as the compiler of an architecture reads it.
type Header struct {
	arch.Arch
	Include []string // directories, in order: nothing is looked for elsewhere
	Name    string   // as included
}

// Refused returns why the compiler does not take the header alone, or nil.
func (h Header) Refused() error {
	_, err := h.run("", "-fsyntax-only")
	return err
}

// run runs the compiler on the header and a source after it. Kernel headers use
// the macros of linux/ioctl.h without including it.
func (h Header) run(source string, args ...string) ([]byte, error) {
	all := []string{"-xc", "-w", "-O0", "-nostdinc"}
	for _, dir := range h.Include {
		all = append(all, "-isystem", dir)
	}
	before := fmt.Sprintf("#include <linux/ioctl.h>\n#include <%s>\n", h.Name)
	return h.Compile(before+source, append(append(all, args...), "-")...)
}

// compile returns the object file of the header and a source after it.
func (h Header) compile(source string, args ...string) (*elf.File, error) {
	dir, err := os.MkdirTemp("", "uffd-verify-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "values.o")
	if _, err := h.run(source, append(args, "-c", "-o", path)...); err != nil {
		return nil, err
	}
	object, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return elf.NewFile(bytes.NewReader(object))
}

// path returns where the header is found.
func (h Header) path() string {
	for _, dir := range h.Include {
		path := filepath.Join(dir, h.Name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return h.Name
}

// A question is a C integer constant expression, and what becomes of its value.
type question struct {
	expression string
	take       func(v uint64)
}

type questions []question

func (q *questions) ask(expression string, take func(v uint64)) {
	*q = append(*q, question{expression, take})
}

// section is where the compiled values lie in the object file.
const section = ".uffd.values"

// probe is the name of the file that questions stand in, a line each.
const probe = "questions"

var badLine = regexp.MustCompile(`(?m)^` + probe + `:(\d+):\d+: error`)

// answer compiles the questions after the header, and gives those that the
// compiler accepts their values, converted to 64 bits. A line that it reports
// an error for is left out in the next attempt.
func (h Header) answer(asked questions) error {
	for len(asked) > 0 {
		var source strings.Builder
		fmt.Fprintf(&source, "__attribute__((section(%q), used)) unsigned long long uffd_values[] = {\n#line 1 %q\n", section, probe)
		for _, q := range asked {
			fmt.Fprintf(&source, "(unsigned long long)(%s),\n", q.expression)
		}
		source.WriteString("};\n")
		object, err := h.compile(source.String())
		if err == nil {
			return asked.read(object)
		}
		bad := map[int]bool{}
		for _, m := range badLine.FindAllStringSubmatch(err.Error(), -1) {
			n, _ := strconv.Atoi(m[1])
			bad[n-1] = true
		}
		if len(bad) == 0 {
			return err
		}
		line := -1
		asked = slices.DeleteFunc(asked, func(question) bool { line++; return bad[line] })
	}
	return nil
}

// read gives the questions of an object file their values.
func (q questions) read(object *elf.File) error {
	s := object.Section(section)
	if s == nil {
		return errors.New("the object file has no values")
	}
	values := make([]uint64, len(q))
	if err := binary.Read(s.Open(), object.ByteOrder, values); err != nil {
		return fmt.Errorf("the values in the object file: %w", err)
	}
	for i, v := range values {
		q[i].take(v)
	}
	return nil
}

var (
	lineMarker = regexp.MustCompile(`^# \d+ "(.*)"`)
	directive  = regexp.MustCompile(`^#(?:define|undef) (\w+)(?: +(\S.*))?`) // with what a macro without parameters stands for
)

// macros returns the names of the macros without parameters that the header
// itself defines last and that stand for an expression, if for anything, in its
// order.
func (h Header) macros() (names []string, err error) {
	out, err := h.run("", "-E", "-dD")
	if err != nil {
		return nil, err
	}
	inside, path, own := false, h.path(), map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if m := lineMarker.FindStringSubmatch(line); m != nil {
			inside = m[1] == path
		} else if m := directive.FindStringSubmatch(line); m != nil {
			if _, again := own[m[1]]; !again {
				names = append(names, m[1])
			}
			own[m[1]] = inside && m[2] != "" && !strings.ContainsAny(strings.ReplaceAll(m[2], "';'", ""), "{};")
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return !own[name] }), nil
}
