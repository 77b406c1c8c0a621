package kernels

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"

	"github.com/zuffd/uffd/verify/arch"
)

// Identify tells a kernel's architecture, as Go names it, from its image.
func Identify(path string) (goarch string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, a := range arch.All {
		if m := a.Machine; m != nil && m.Magic != "" {
			b := make([]byte, len(m.Magic))
			f.ReadAt(b, m.MagicAt) // zeros where there is nothing
			if string(b) == m.Magic {
				return a.Go, nil
			}
		}
	}
	if e, err := elf.NewFile(f); err == nil && e.Machine == elf.EM_PPC64 && e.ByteOrder == binary.LittleEndian {
		return "ppc64le", nil
	}
	return "", fmt.Errorf("%s: no kernel image that is known here: x86 bzImage, arm64 Image, riscv64 Image, s390x image, ppc64le ELF", path)
}
