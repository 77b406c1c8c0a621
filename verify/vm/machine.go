package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
)

// command returns the command that boots a kernel to an initramfs.
func command(m *arch.Machine, kernel, initramfs string, memory, hugePages int) []string {
	// Only what the kernel says in an emergency may come between the lines of
	// init; an oops makes the kernel say everything again.
	line := "console=" + m.Console + " loglevel=1 panic=-1 transparent_hugepage=madvise"
	if hugePages > 0 {
		line += fmt.Sprintf(" hugepages=%d", hugePages)
	}
	return slices.Concat([]string{m.Qemu}, m.Args, []string{
		"-smp", "2", "-m", fmt.Sprintf("%dM", memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", kernel, "-initrd", initramfs, "-append", line,
	})
}

// machineOf returns what emulates a kernel's architecture.
func machineOf(k kernels.Kernel) *arch.Machine {
	a, _ := arch.For(k.Arch)
	return a.Machine
}

// memory is what a kernel's guest gets, in MiB, and hugePages how many of them
// it sets aside: more than a test wants. With 16 KiB pages one has 32 MiB.
func memory(k kernels.Kernel, pageSize int) (mib, hugePages int) {
	const enough = 16
	switch {
	case k.Arch == "s390x": // none under emulation
		return 1024, 0
	case pageSize == 16<<10:
		return 2048, enough
	case k.Arch == "arm64" && pageSize == 64<<10: // one has 512 MiB
		return 1024, 0
	}
	return 1024, enough
}

// version returns the first line of what a machine's qemu says of itself.
func version(ctx context.Context, m *arch.Machine) string {
	out, err := exec.CommandContext(ctx, m.Qemu, "--version").Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// ensureMachines makes sure that the kernels' qemus are there, and installs
// them if it may.
func ensureMachines(ctx context.Context, w io.Writer, chosen []kernels.Kernel, install bool) error {
	var programs, packages []string
	for _, k := range chosen {
		m := machineOf(k)
		if _, err := exec.LookPath(m.Qemu); err != nil && !slices.Contains(programs, m.Qemu) {
			programs = append(programs, m.Qemu)
			if !slices.Contains(packages, m.Package) {
				packages = append(packages, m.Package)
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
