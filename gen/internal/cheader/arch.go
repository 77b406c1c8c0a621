package cheader

import (
	"fmt"
	"slices"
	"strings"

	"modernc.org/cc/v4"
)

// An arch is how one GOARCH's C compiler introduces itself to the headers.
type arch struct {
	name    string // GOARCH
	kernel  string // the kernel's directory of asm headers, in Debian's uapi tree
	triplet string // Debian's multiarch directory
	macros  string // what the compiler predefines and headers look at
}

// arches are the architectures that Linux, Go and the parser share.
var arches = []arch{
	{"386", "x86", "i386-linux-gnu", "__i386__ i386 __ILP32__"},
	{"amd64", "x86", "x86_64-linux-gnu", "__x86_64__ __amd64__ __LP64__"},
	{"arm", "arm", "arm-linux-gnueabihf", "__arm__ __ARM_EABI__ __ARMEL__ __ILP32__ __CHAR_UNSIGNED__"},
	{"arm64", "arm64", "aarch64-linux-gnu", "__aarch64__ __AARCH64EL__ __LP64__ __CHAR_UNSIGNED__"},
	{"loong64", "loongarch", "loongarch64-linux-gnu", "__loongarch__ __loongarch64 __loongarch_lp64 __LP64__"},
	{"mips64le", "mips", "mips64el-linux-gnuabi64", "__mips__ __mips64 __MIPSEL__ _MIPSEL _ABI64=3 _MIPS_SIM=3 _MIPS_SZLONG=64 _MIPS_SZPTR=64 __LP64__"},
	{"ppc64le", "powerpc", "powerpc64le-linux-gnu", "__powerpc__ __powerpc64__ __PPC__ __PPC64__ __LITTLE_ENDIAN__ _CALL_ELF=2 __LP64__ __CHAR_UNSIGNED__"},
	{"riscv64", "riscv", "riscv64-linux-gnu", "__riscv __riscv_xlen=64 __LP64__ __CHAR_UNSIGNED__"},
	{"s390x", "s390", "s390x-linux-gnu", "__s390__ __s390x__ __zarch__ __LP64__ __CHAR_UNSIGNED__"},
}

// Arches returns the names of the architectures that [Parse] knows, sorted.
func Arches() []string {
	var names []string
	for _, a := range arches {
		names = append(names, a.name)
	}
	return names
}

func lookup(goarch string) (arch, error) {
	i := slices.IndexFunc(arches, func(a arch) bool { return a.name == goarch })
	if i < 0 {
		return arch{}, fmt.Errorf("unknown architecture %q; known are %s", goarch, strings.Join(Arches(), ", "))
	}
	return arches[i], nil
}

// predefined returns the text that stands before the headers: what every gcc
// for Linux predefines, and what this architecture's does.
func (a arch) predefined(bigEndian bool) string {
	var b strings.Builder
	for _, m := range strings.Fields("__linux__ linux __unix__ __STDC__ __STDC_VERSION__=201112L __STDC_HOSTED__ " +
		"__GNUC__=12 __GNUC_MINOR__=2 __ORDER_LITTLE_ENDIAN__=1234 __ORDER_BIG_ENDIAN__=4321 __signed__=signed " +
		"__extension__= __CHAR_BIT__=8 __SIZEOF_INT__=4 " + a.macros) {
		name, value, ok := strings.Cut(m, "=")
		if !ok {
			value = "1"
		}
		fmt.Fprintf(&b, "#define %s %s\n", name, value)
	}
	order, long := "1234", "8"
	if bigEndian {
		order = "4321"
	}
	if strings.Contains(a.macros, "__ILP32__") {
		long = "4"
	}
	fmt.Fprintf(&b, "#define __BYTE_ORDER__ %s\n#define __SIZEOF_LONG__ %s\n#define __SIZEOF_POINTER__ %s\n", order, long, long)
	// What the parser looks for in every translation unit.
	b.WriteString("int __predefined_declarator;\n" +
		"typedef unsigned long __predefined_size_t;\n" +
		"typedef long __predefined_ptrdiff_t;\n" +
		"typedef int __predefined_wchar_t;\n")
	return b.String()
}

// An ArchError says that a tree of headers lacks those of an architecture.
type ArchError struct {
	Arch string   // GOARCH
	Have []string // the GOARCHes whose headers it has, as far as is known
	err  error
}

func (e *ArchError) Error() string { return e.err.Error() }

// Unwrap returns what was missing.
func (e *ArchError) Unwrap() error { return e.err }

// checkArch refuses a tree whose asm directory, which may be of any one
// architecture, encodes ioctl requests in another way than a does.
func checkArch(ast *cc.AST, s *Sysroot, a arch) error {
	macro := ast.Macros["_IOC_SIZEBITS"]
	if macro == nil {
		return nil
	}
	bits, ok := macro.Value().(cc.Int64Value)
	if !ok || int64(bits) == a.ioctlSizeBits() {
		return nil
	}
	var have []string
	for _, other := range arches {
		if other.ioctlSizeBits() == int64(bits) {
			have = append(have, other.name)
		}
	}
	return &ArchError{a.name, have, fmt.Errorf("%v: an ioctl request has %d bits of size, and %d on %s: %s/asm is of another architecture",
		macro.Position(), bits, a.ioctlSizeBits(), a.name, s.name)}
}

// ioctlSizeBits returns how many bits of an ioctl request are the size.
func (a arch) ioctlSizeBits() int64 {
	if a.kernel == "powerpc" || a.kernel == "mips" {
		return 13
	}
	return 14
}
