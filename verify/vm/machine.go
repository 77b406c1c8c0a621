package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/debian"
)

// A machine is how qemu emulates an architecture.
type machine struct {
	qemu    string // the program
	pkg     string // the Debian package that has it
	console string // the kernel's name of the serial port
	args    []string
}

// machines are software emulation always: where KVM's device can be opened it
// may still hang (nested virtualization that does not work does so without an
// error), and it would serve one architecture of five.
var machines = map[string]machine{
	// With thread=multi, qemu 7.2 loses a race in 3 of 100 boots and the
	// guest hangs or panics.
	"amd64": {"qemu-system-x86_64", "qemu-system-x86", "ttyS0",
		[]string{"-accel", "tcg,thread=single", "-cpu", "qemu64"}},
	// Pointer authentication as the architecture has it is slow to emulate.
	"arm64": {"qemu-system-aarch64", "qemu-system-arm", "ttyAMA0",
		[]string{"-M", "virt", "-accel", "tcg,thread=multi", "-cpu", "max,pauth-impdef=on"}},
	"riscv64": {"qemu-system-riscv64", "qemu-system-misc", "ttyS0",
		[]string{"-M", "virt", "-accel", "tcg,thread=multi", "-cpu", "rv64"}},
	"s390x": {"qemu-system-s390x", "qemu-system-misc", "ttysclp0",
		[]string{"-M", "s390-ccw-virtio", "-accel", "tcg,thread=multi", "-cpu", "max"}},
	// These capabilities are of real machines' mitigations; software has none.
	"ppc64le": {"qemu-system-ppc64", "qemu-system-ppc", "hvc0",
		[]string{"-M", "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off", "-accel", "tcg,thread=multi", "-cpu", "power9"}},
}

// command returns the command that boots a kernel to an initramfs.
func (m machine) command(kernel, initramfs string, memory, hugePages int) []string {
	// Only what the kernel says in an emergency may come between the lines of
	// init; an oops makes the kernel say everything again.
	line := "console=" + m.console + " loglevel=1 panic=-1 transparent_hugepage=madvise"
	if hugePages > 0 {
		line += fmt.Sprintf(" hugepages=%d", hugePages)
	}
	return slices.Concat([]string{m.qemu}, m.args, []string{
		"-smp", "2", "-m", fmt.Sprintf("%dM", memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", kernel, "-initrd", initramfs, "-append", line,
	})
}

// version returns the first line of what a machine's qemu says of itself.
func (m machine) version(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, m.qemu, "--version").Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// ensureMachines makes sure that the kernels' qemus are there, and installs
// them if it may.
func ensureMachines(ctx context.Context, w io.Writer, chosen []kernel, install bool) error {
	var programs, packages []string
	for _, k := range chosen {
		m := machines[k.Arch]
		if _, err := exec.LookPath(m.qemu); err != nil && !slices.Contains(programs, m.qemu) {
			programs = append(programs, m.qemu)
			if !slices.Contains(packages, m.pkg) {
				packages = append(packages, m.pkg)
			}
		}
	}
	if len(programs) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%s: not found: install QEMU's system emulators (7.2 or later)", strings.Join(programs, ", "))
	}
	if !install {
		return fmt.Errorf("%s: not found: run '%s' as root, or -install as root", strings.Join(programs, ", "), debian.InstallLine(packages))
	}
	fmt.Fprintf(w, "installing %s\n", strings.Join(packages, " "))
	return debian.Install(ctx, packages)
}
