// Package ccheck holds a model against a C compiler that the reader of a
// header has: it compiles the header, with everything that the model claims of
// it as a question, and reads the answers out of the object file. Nothing that
// was compiled is run.
package ccheck

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// A Disagreement is a claim of the model that the compiler contradicts.
type Disagreement struct {
	What  string // "offset of kvm_regs.rip"
	Claim string
	Truth string // "" where the compiler does not know it
}

// String says both.
func (d Disagreement) String() string {
	if d.Truth == "" {
		return fmt.Sprintf("%s: %s here, and the compiler does not know it", d.What, d.Claim)
	}
	return fmt.Sprintf("%s: %s here, %s to the compiler", d.What, d.Claim, d.Truth)
}

// Compare puts a model's claims to a compiler, given as its command and
// arguments that choose the architecture, which looks for headers in the
// include directories before its own, and in libc after those. It returns how many claims there were,
// and those that the compiler contradicts. It is an error if the compiler does
// not take the header.
func Compare(command, include []string, libc string, m *abi.Model) (claims int, wrong []Disagreement, err error) {
	questions := ask(m)
	dir, err := os.MkdirTemp("", "gen-cc-")
	if err != nil {
		return 0, nil, err
	}
	defer os.RemoveAll(dir)
	c := &compiler{command: command, include: include, libc: libc, object: filepath.Join(dir, "claims.o")}
	asked := questions
	var object []byte
	for {
		var unknown map[int]bool
		object, unknown, err = c.compile(source(m, asked))
		if err != nil {
			return 0, nil, err
		}
		if len(unknown) == 0 {
			break
		}
		var known []question
		for i, q := range asked {
			if unknown[i] {
				wrong = append(wrong, Disagreement{What: q.what, Claim: q.claim})
			} else {
				known = append(known, q)
			}
		}
		asked = known
	}
	answers, err := read(object, asked)
	for i, a := range answers {
		if a != asked[i].claim {
			wrong = append(wrong, Disagreement{asked[i].what, asked[i].claim, a})
		}
	}
	return len(questions), wrong, err
}

// source is the header and the questions behind it, each on a line of its own:
// first those about constants, then, without the header's macros, which may
// hide the names of types and members, the others.
func source(m *abi.Model, asked []question) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#include <linux/ioctl.h>\n#include <%s>\n", m.Header)
	b.WriteString("#line 1 \"claims\"\n")
	macros := true
	for i, q := range asked {
		if macros && !q.constant {
			macros = false
			for _, c := range m.Constants {
				fmt.Fprintf(&b, "#undef %s\n", c.Name)
			}
			for _, s := range m.Strings {
				fmt.Fprintf(&b, "#undef %s\n", s.Name)
			}
			for _, o := range m.Omitted {
				fmt.Fprintf(&b, "#undef %s\n", o.Name)
			}
			fmt.Fprintf(&b, "#line %d \"claims\"\n", i+1)
		}
		if q.bits {
			fmt.Fprintf(&b, "__typeof__(%s) gen_claim_%d = { .%s = -1 };\n", q.object, i, q.expression)
		} else {
			fmt.Fprintf(&b, "unsigned long long gen_claim_%d[] = { (unsigned long long)(%s), (%s) < 0 };\n", i, q.expression, q.expression)
		}
	}
	return b.String()
}

type compiler struct {
	command, include []string
	libc, object     string
}

var claimLine = regexp.MustCompile(`(?m)^claims:(\d+):(?:\d+:)? error`)

// compile returns the object file of a source, or the numbers of the questions
// that the compiler refuses.
func (c *compiler) compile(src string) (object []byte, unknown map[int]bool, err error) {
	args := append(c.command[1:len(c.command):len(c.command)], "-xc", "-w", "-O0", "-fmax-errors=0")
	for _, dir := range c.include {
		args = append(args, "-isystem", dir)
	}
	cmd := exec.Command(c.command[0], append(args, "-idirafter", c.libc, "-c", "-o", c.object, "-")...)
	cmd.Stdin = strings.NewReader(src)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil {
		object, err = os.ReadFile(c.object)
		return object, nil, err
	} else if _, refused := err.(*exec.ExitError); !refused {
		return nil, nil, fmt.Errorf("%s: %w", c.command[0], err)
	}
	unknown = map[int]bool{}
	for _, m := range claimLine.FindAllSubmatch(stderr.Bytes(), -1) {
		n, _ := strconv.Atoi(string(m[1]))
		unknown[n-1] = true
	}
	if len(unknown) == 0 {
		return nil, nil, fmt.Errorf("%s does not take the header:\n%s", c.command[0], stderr.Bytes())
	}
	return nil, unknown, nil
}

// read returns the answers in an object file.
func read(object []byte, asked []question) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, fmt.Errorf("the compiler's object file: %w", err)
	}
	symbols, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("the compiler's object file: %w", err)
	}
	answers := make([]string, len(asked))
	for _, s := range symbols {
		number, ok := strings.CutPrefix(s.Name, "gen_claim_")
		i, err := strconv.Atoi(number)
		if !ok || err != nil || i >= len(asked) || int(s.Section) >= len(f.Sections) {
			continue
		}
		data := make([]byte, s.Size)
		if section := f.Sections[s.Section]; section.Type != elf.SHT_NOBITS {
			if _, err := section.ReadAt(data, int64(s.Value-section.Addr)); err != nil {
				return nil, err
			}
		}
		if asked[i].bits {
			answers[i] = bitsOf(data, f.Data == elf.ELFDATA2MSB)
		} else if value := f.ByteOrder.Uint64(data); f.ByteOrder.Uint64(data[8:]) == 1 {
			answers[i] = strconv.FormatInt(int64(value), 10)
		} else {
			answers[i] = strconv.FormatUint(value, 10)
		}
	}
	return answers, nil
}

// bitsOf tells which bits of memory are set, in memory order.
func bitsOf(data []byte, bigEndian bool) string {
	first, last, n := -1, -1, 0
	for i := range 8 * len(data) {
		bit := i % 8
		if bigEndian {
			bit = 7 - bit
		}
		if data[i/8]>>bit&1 == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
		n++
	}
	return place(first, last-first+1, n)
}

func place(first, width, set int) string {
	if width != set {
		return fmt.Sprintf("%d bits between bit %d and %d", set, first, first+width)
	}
	return fmt.Sprintf("%d bits from bit %d on", width, first)
}
