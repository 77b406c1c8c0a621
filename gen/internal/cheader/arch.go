package cheader

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/zuffd/uffd/gen/internal/cexpr"
	"github.com/zuffd/uffd/gen/internal/ctype"
)

// An arch is how one GOARCH's C compiler introduces itself to the headers.
type arch struct {
	name       string            // GOARCH
	kernel     string            // the kernel's directory of asm headers, in Debian's uapi tree
	triplet    string            // Debian's multiarch directory
	once       sync.Once         // for what follows
	predefined map[string]string // macros that the compiler defines by itself
	types      *ctype.Types
	conditions *cexpr.Evaluator // of the preprocessor, whose integers are all of 64 bits
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
	for _, a := range arches {
		if a.name == goarch {
			a.once.Do(a.load)
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

// load takes an architecture's macros, and what they tell of its types.
func (a *arch) load() {
	a.predefined = make(map[string]string, 512)
	for _, section := range strings.Split(predefined, "\n[")[1:] {
		name, lines, _ := strings.Cut(section, "]\n")
		if name != "common" && name != a.name {
			continue
		}
		for line := range strings.Lines(lines) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name != "" {
				a.predefined[name] = value
			}
		}
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(a.predefined[name], 10, 64)
		return n
	}
	m := &ctype.Model{
		Long:            number("__SIZEOF_LONG__"),
		Pointer:         number("__SIZEOF_POINTER__"),
		CharUnsigned:    number("__CHAR_UNSIGNED__") == 1,
		BigEndian:       a.predefined["__BYTE_ORDER__"] == "__ORDER_BIG_ENDIAN__",
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
	wide := *a.types
	wide.Int, wide.UInt, wide.Long, wide.ULong = wide.LLong, wide.ULLong, wide.LLong, wide.ULLong
	a.conditions = &cexpr.Evaluator{Types: &wide}
}
