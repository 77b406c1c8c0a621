package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/verify/cc"
)

// facts are what is known of a header, each by its name: "value of
// KVM_GET_API_VERSION", "place of kvm_regs.rax".
type facts map[string]string

// A judge is a compiler with the headers of one release and of the C library.
type judge struct {
	compiler cc.Compiler
	include  []string // directories, in order
	sysroot  string   // the kernel's among them
	scratch  string   // a directory for object files
}

// run compiles a source and returns what the compiler writes to standard
// output and standard error.
func (j *judge) run(src string, flags ...string) (stdout, stderr []byte, err error) {
	args := append(j.compiler.Command[1:len(j.compiler.Command):len(j.compiler.Command)], "-xc", "-w", "-O0", "-nostdinc", "-fmax-errors=0")
	for _, i := range j.include {
		args = append(args, "-isystem", i)
	}
	cmd := exec.Command(j.compiler.Command[0], append(append(args, flags...), "-")...)
	cmd.Stdin = strings.NewReader(src)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

// preamble includes a header as the generator does: kernel headers use the
// macros of linux/ioctl.h without including it.
func preamble(header string) string {
	return fmt.Sprintf("#include <linux/ioctl.h>\n#include <%s>\n", header)
}

var (
	lineMarker = regexp.MustCompile(`^# \d+ "(.*)"`)
	directive  = regexp.MustCompile(`^#(define|undef) (\w+)(.*)`)
	badLine    = regexp.MustCompile(`(?m)^probe:(\d+):\d+: error`)
)

// macros returns the macros without parameters that a header itself defines
// last, and their text. An error is the compiler's: it does not take the
// header alone.
func (j *judge) macros(header string) (map[string]string, error) {
	out, errs, err := j.run(preamble(header), "-E", "-dD")
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, errs)
	}
	all := map[string]string{}
	inside := false
	path := filepath.Join(j.sysroot, header)
	for line := range strings.Lines(string(out)) {
		if m := lineMarker.FindStringSubmatch(line); m != nil {
			inside = m[1] == path
		} else if m := directive.FindStringSubmatch(line); m != nil {
			delete(all, m[2])
			if m[1] == "define" && inside && !strings.HasPrefix(m[3], "(") {
				all[m[2]] = strings.TrimSpace(m[3])
			}
		}
	}
	return all, nil
}

// A question is an integer constant expression, and the name of the fact that
// is its value.
type question struct{ fact, expression string }

// ask compiles the questions after a header, and returns the object file and
// the answers to those that the compiler accepts. A line that it reports an
// error for is left out in the next attempt.
func (j *judge) ask(header string, questions []question, scratch string) (object []byte, answers map[string]uint64, err error) {
	asked := slices.Clone(questions)
	for {
		var src strings.Builder
		src.WriteString(preamble(header))
		fmt.Fprintf(&src, "__attribute__((section(%q), used)) unsigned long long sweep_values[] = { 0,\n#line 1 \"probe\"\n", section)
		for _, q := range asked {
			fmt.Fprintf(&src, "(unsigned long long)(%s),\n", q.expression)
		}
		src.WriteString("};\n")
		file := filepath.Join(j.scratch, scratch)
		_, errs, err := j.run(src.String(), "-g", "-fno-eliminate-unused-debug-types", "-c", "-o", file)
		if err == nil {
			object, err = os.ReadFile(file)
			if err != nil {
				return nil, nil, err
			}
			answers, err = readAnswers(object, asked)
			return object, answers, err
		}
		bad := map[int]bool{}
		for _, m := range badLine.FindAllSubmatch(errs, -1) {
			n, _ := strconv.Atoi(string(m[1]))
			bad[n-1] = true
		}
		if len(bad) == 0 {
			return nil, nil, fmt.Errorf("%s: %w: %s", header, err, errs)
		}
		var kept []question
		for i, q := range asked {
			if !bad[i] {
				kept = append(kept, q)
			}
		}
		asked = kept
	}
}

// section is where the compiled answers lie in the object file.
const section = ".sweep.values"

func readAnswers(object []byte, asked []question) (map[string]uint64, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	s := f.Section(section)
	if s == nil {
		return nil, fmt.Errorf("the object file has no section %s", section)
	}
	data, err := s.Data()
	if err != nil || len(data) != 8*(len(asked)+1) {
		return nil, fmt.Errorf("%d bytes of answers to %d questions (%v)", len(data), len(asked), err)
	}
	answers := map[string]uint64{}
	for i, q := range asked {
		answers[q.fact] = f.ByteOrder.Uint64(data[8*(i+1):])
	}
	return answers, nil
}

// truth returns the facts that a compiler knows of a header: the value of each
// integer that a macro of the header stands for, or that is claimed; the
// alignment of each type that is claimed; and all that debugging information
// tells of types and enumerators. It is an error if the compiler does not take
// the header alone.
func (j *judge) truth(header, scratch string, claimed *claims) (facts, error) {
	macros, err := j.macros(header)
	if err != nil {
		return nil, err
	}
	var questions []question
	names := map[string]bool{}
	for name, body := range macros {
		if body != "" && !strings.ContainsAny(body, "{};") {
			names[name] = true
		}
	}
	for _, name := range claimed.constants {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		questions = append(questions,
			question{"class of " + name, "__builtin_classify_type(" + name + ")"},
			question{"value of " + name, name},
			question{"sign of " + name, "(" + name + ") < 0"})
	}
	questions = append(questions, claimed.questions...)
	object, answers, err := j.ask(header, questions, scratch)
	if err != nil {
		return nil, err
	}
	known := facts{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		class, ok := answers["class of "+name]
		value, constant := answers["value of "+name]
		if !ok || !constant || class != 1 {
			continue // a string, a pointer, a function, a type
		}
		known["value of "+name] = decimal(value, answers["sign of "+name] == 1)
	}
	for _, q := range claimed.questions {
		if a, ok := answers[q.fact]; ok {
			known[q.fact] = strconv.FormatUint(a, 10)
		}
	}
	err = addTypes(known, object, filepath.Join(j.sysroot, header))
	return known, err
}

func decimal(bits uint64, negative bool) string {
	if negative {
		return strconv.FormatInt(int64(bits), 10)
	}
	return strconv.FormatUint(bits, 10)
}
