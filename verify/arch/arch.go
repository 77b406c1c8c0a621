// Package arch is the table of the architectures of the bindings: what each is
// called, what compiles for it, and what emulates it.
package arch

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// An Arch is one architecture.
type Arch struct {
	Go     string // GOARCH
	Debian string // Debian's name
	Linux  string // the kernel's name, of its directory of asm headers
	Triple string // GNU's, of Debian's directories

	CC        []string // a C compiler, and arguments that choose the architecture
	CCPackage string   // the Debian package that has it
	LibC      string   // the one that it needs to make programs

	Machine *Machine // nil where there is none
}

// A Machine is how qemu emulates an architecture.
type Machine struct {
	Qemu    string // the program
	Package string // the Debian package that has it
	Console string // the kernel's name of the serial port
	Magic   string // that images have in their headers, or "": ELF files have none of their own
	MagicAt int64
	Args    []string
}

// All are the architectures of the bindings. The compilers are those of Debian
// 12: it has no gcc for loong64, but a clang that knows it.
//
// Machines are software emulation always: where KVM's device can be opened it
// may still hang (nested virtualization that does not work does so without an
// error), and it would serve one architecture of five.
var All = []Arch{
	{"amd64", "amd64", "x86", "x86_64-linux-gnu", []string{"x86_64-linux-gnu-gcc"}, "gcc", "libc6-dev",
		// With thread=multi, qemu 7.2 loses a race in 3 of 100 boots and the
		// guest hangs or panics.
		&Machine{"qemu-system-x86_64", "qemu-system-x86", "ttyS0", "HdrS", 0x202,
			[]string{"-accel", "tcg,thread=single", "-cpu", "qemu64"}}},
	{"arm64", "arm64", "arm64", "aarch64-linux-gnu", []string{"aarch64-linux-gnu-gcc"}, "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross",
		// Pointer authentication as the architecture has it is slow to emulate.
		&Machine{"qemu-system-aarch64", "qemu-system-arm", "ttyAMA0", "ARM\x64", 0x38,
			[]string{"-M", "virt", "-accel", "tcg,thread=multi", "-cpu", "max,pauth-impdef=on"}}},
	{"386", "i386", "x86", "i386-linux-gnu", []string{"i686-linux-gnu-gcc"}, "gcc-i686-linux-gnu", "libc6-dev-i386-cross", nil},
	{"arm", "armhf", "arm", "arm-linux-gnueabihf", []string{"arm-linux-gnueabihf-gcc"}, "gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross", nil},
	{"riscv64", "riscv64", "riscv", "riscv64-linux-gnu", []string{"riscv64-linux-gnu-gcc"}, "gcc-riscv64-linux-gnu", "libc6-dev-riscv64-cross",
		&Machine{"qemu-system-riscv64", "qemu-system-misc", "ttyS0", "RSC\x05", 0x38,
			[]string{"-M", "virt", "-accel", "tcg,thread=multi", "-cpu", "rv64"}}},
	{"ppc64le", "ppc64el", "powerpc", "powerpc64le-linux-gnu", []string{"powerpc64le-linux-gnu-gcc"}, "gcc-powerpc64le-linux-gnu", "libc6-dev-ppc64el-cross",
		// These capabilities are of real machines' mitigations; software has none.
		&Machine{"qemu-system-ppc64", "qemu-system-ppc", "hvc0", "", 0,
			[]string{"-M", "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off", "-accel", "tcg,thread=multi", "-cpu", "power9"}}},
	{"loong64", "loong64", "loongarch", "loongarch64-linux-gnu", []string{"clang-16", "--target=loongarch64-linux-gnu"}, "clang-16", "", nil},
	{"s390x", "s390x", "s390", "s390x-linux-gnu", []string{"s390x-linux-gnu-gcc"}, "gcc-s390x-linux-gnu", "libc6-dev-s390x-cross",
		&Machine{"qemu-system-s390x", "qemu-system-misc", "ttysclp0", "S390EP", 0x10008,
			[]string{"-M", "s390-ccw-virtio", "-accel", "tcg,thread=multi", "-cpu", "max"}}},
	{"mips64le", "mips64el", "mips", "mips64el-linux-gnuabi64", []string{"mips64el-linux-gnuabi64-gcc"}, "gcc-mips64el-linux-gnuabi64", "libc6-dev-mips64el-cross", nil},
}

// For returns the architecture that Go calls goarch, and whether it is one of
// the bindings.
func For(goarch string) (Arch, bool) {
	for _, a := range All {
		if a.Go == goarch {
			return a, true
		}
	}
	return Arch{}, false
}

// MissingPackages returns the Debian packages of the compilers that cannot be
// run.
func MissingPackages() (packages []string) {
	for _, a := range All {
		if a.Missing() != nil {
			packages = append(packages, a.CCPackage)
		}
	}
	return packages
}

// Missing returns an error with what to install if the compiler cannot be run.
func (a Arch) Missing() error {
	if _, err := exec.LookPath(a.CC[0]); err != nil {
		return fmt.Errorf("%s is not installed (Debian's %s)", a.CC[0], a.CCPackage)
	}
	return nil
}

// Version returns the first line that the compiler says of itself, or its name
// if it says nothing.
func (a Arch) Version() string {
	out, _ := a.Compile("", "--version")
	line, _, _ := strings.Cut(string(out), "\n")
	return cmp.Or(line, a.CC[0])
}

// Compile runs the compiler on a source, which it has for "-", and returns what
// it prints; what it complains of is the error.
func (a Arch) Compile(source string, args ...string) ([]byte, error) {
	cmd := exec.Command(a.CC[0], append(a.CC[1:len(a.CC):len(a.CC)], args...)...)
	cmd.Stdin = strings.NewReader(source)
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = fmt.Errorf("%s: %w\n%s", a.CC[0], err, exit.Stderr)
	}
	return out, err
}
