package cheader

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/zuffd/uffd/gen/internal/ctype"
)

// An arch is how one GOARCH's C compiler introduces itself to the headers.
type arch struct {
	name       string // GOARCH
	kernel     string // the kernel's directory of asm headers, in Debian's uapi tree
	triplet    string // Debian's multiarch directory
	predefined string // the text that stands before the headers
	types      *ctype.Types
}

// arches are the architectures that Linux, Go and the parser share.
var arches = []*arch{
	{name: "386", kernel: "x86", triplet: "i386-linux-gnu"},
	{name: "amd64", kernel: "x86", triplet: "x86_64-linux-gnu"},
	{name: "arm", kernel: "arm", triplet: "arm-linux-gnueabihf"},
	{name: "arm64", kernel: "arm64", triplet: "aarch64-linux-gnu"},
	{name: "loong64", kernel: "loongarch", triplet: "loongarch64-linux-gnu"},
	{name: "mips64le", kernel: "mips", triplet: "mips64el-linux-gnuabi64"},
	{name: "ppc64le", kernel: "powerpc", triplet: "powerpc64le-linux-gnu"},
	{name: "riscv64", kernel: "riscv", triplet: "riscv64-linux-gnu"},
	{name: "s390x", kernel: "s390", triplet: "s390x-linux-gnu"},
}

// Arches returns the names of the architectures that [Parse] knows, sorted.
func Arches() []string {
	var names []string
	for _, a := range arches {
		names = append(names, a.name)
	}
	return names
}

func lookup(goarch string) (*arch, error) {
	for _, a := range loaded() {
		if a.name == goarch {
			return a, nil
		}
	}
	return nil, fmt.Errorf("unknown architecture %q; known are %s", goarch, strings.Join(Arches(), ", "))
}

// predefined are the macros that each architecture's compiler defines by
// itself. The file says by which command it was made.
//
//go:embed predefined.txt
var predefined string

// loaded reads the predefined macros into the architectures, once.
var loaded = sync.OnceValue(func() []*arch {
	sections := map[string]string{}
	for _, s := range strings.Split(predefined, "\n[")[1:] {
		name, lines, _ := strings.Cut(s, "]\n")
		sections[name] = lines
	}
	for _, a := range arches {
		a.load(sections["common"] + sections[a.name])
	}
	return arches
})

// load takes an architecture's macros, and what they tell of its types.
func (a *arch) load(lines string) {
	values := map[string]string{}
	var b strings.Builder
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		values[name] = value
		fmt.Fprintf(&b, "#define %s %s\n", name, value)
	}
	// gcc answers this by itself. It has all that headers ask for and that
	// change a layout.
	b.WriteString("#define __has_attribute(x) 1\n")
	a.predefined = b.String()
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(values[name], 10, 64)
		return n
	}
	m := &ctype.Model{
		Long:            number("__SIZEOF_LONG__"),
		Pointer:         number("__SIZEOF_POINTER__"),
		CharUnsigned:    number("__CHAR_UNSIGNED__") == 1,
		BigEndian:       values["__BYTE_ORDER__"] == "__ORDER_BIG_ENDIAN__",
		LongDouble:      number("__SIZEOF_LONG_DOUBLE__"),
		LongDoubleAlign: number("__SIZEOF_LONG_DOUBLE__"),
		Int128:          number("__SIZEOF_INT128__"),
		MaxAlign:        number("__BIGGEST_ALIGNMENT__"),
	}
	// What no macro tells.
	switch a.name {
	case "386":
		m.LongDoubleAlign, m.MemberAlign = 4, 4
	case "s390x":
		m.LongDoubleAlign, m.Int128 = 8, 8
	case "arm", "arm64":
		m.PaddingAligns = true
	}
	a.types = ctype.New(m)
}
