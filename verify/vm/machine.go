package main

import (
	"fmt"
	"slices"

	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/kernels"
)

// machineOf returns what emulates a kernel's architecture.
func machineOf(k kernels.Kernel) *arch.Machine {
	a, _ := arch.For(k.Arch)
	return a.Machine
}

// command returns the command that boots a kernel, whose pages have a size or 0
// if that is not known, to an initramfs.
func command(k kernels.Kernel, pageSize int, image, initramfs string) []string {
	// More huge pages than a test wants; with 16 KiB pages one has 32 MiB.
	memory, hugePages := 1024, 16
	switch {
	case k.Arch == "s390x", pageSize == 64<<10 && k.Arch == "arm64":
		hugePages = 0 // none under emulation, and too large a one
	case pageSize == 16<<10:
		memory = 2048
	}
	m := machineOf(k)
	// Only what the kernel says in an emergency may come between the lines of
	// init; an oops makes the kernel say everything again.
	line := "console=" + m.Console + " loglevel=1 panic=-1 transparent_hugepage=madvise"
	if hugePages > 0 {
		line += fmt.Sprintf(" hugepages=%d", hugePages)
	}
	return slices.Concat([]string{m.Qemu}, m.Args, []string{
		"-smp", "2", "-m", fmt.Sprintf("%dM", memory),
		"-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", image, "-initrd", initramfs, "-append", line,
	})
}
