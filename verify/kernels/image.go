package kernels

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// headLen is how much of an image's beginning tells what it is.
const headLen = 0x10010

// identify is Identify, of the image's beginning.
func identify(head []byte) (arch string, pageSize int, err error) {
	le := binary.LittleEndian
	at := func(offset int, magic string) bool {
		return len(head) >= offset+len(magic) && string(head[offset:offset+len(magic)]) == magic
	}
	switch {
	case at(0, "\x1f\x8b"):
		return identifyGzip(head)
	case at(0x202, "HdrS"): // the x86 boot protocol
		const xloadflags, kernel64 = 0x236, 1
		if len(head) < xloadflags+2 || le.Uint16(head[xloadflags:])&kernel64 == 0 {
			return "", 0, errors.New("a 32-bit x86 kernel: none of ours")
		}
		return "amd64", 4 << 10, nil
	case at(4, "zimg"):
		return "", 0, errors.New("an EFI image that decompresses itself, which qemu cannot boot by itself: give the Image inside")
	case at(0x38, "ARM\x64"):
		// Bits 1 and 2 of the flags at 24: unspecified, 4K, 16K, 64K.
		sizes := [4]int{0, 4 << 10, 16 << 10, 64 << 10}
		return "arm64", sizes[le.Uint64(head[24:])>>1&3], nil
	case at(0x38, "RSC\x05"):
		return "riscv64", 4 << 10, nil
	case at(0x10008, "S390EP"):
		return "s390x", 4 << 10, nil
	case at(0, elf.ELFMAG):
		return identifyELF(head)
	}
	return "", 0, errors.New("no kernel image that is known here")
}

// identifyGzip looks into an Image.gz, which qemu unpacks for arm64.
func identifyGzip(head []byte) (string, int, error) {
	z, err := gzip.NewReader(bytes.NewReader(head))
	if err != nil {
		return "", 0, err
	}
	inner := make([]byte, 64)
	if _, err := io.ReadFull(z, inner); err != nil {
		return "", 0, err
	}
	if bytes.HasPrefix(inner, []byte("\x1f\x8b")) {
		return "", 0, errors.New("gzip in gzip")
	}
	arch, pageSize, err := identify(inner)
	if err == nil && arch != "arm64" {
		err = fmt.Errorf("a %s kernel packed with gzip, which qemu does not unpack", arch)
	}
	return arch, pageSize, err
}

func identifyELF(head []byte) (string, int, error) {
	if len(head) < 64 || elf.Class(head[elf.EI_CLASS]) != elf.ELFCLASS64 {
		return "", 0, errors.New("no ELF file of 64 bits")
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	const eType, eMachine = 16, 18
	if t := elf.Type(order.Uint16(head[eType:])); t != elf.ET_EXEC && t != elf.ET_DYN {
		return "", 0, fmt.Errorf("an ELF file of type %v: no kernel", t)
	}
	switch m := elf.Machine(order.Uint16(head[eMachine:])); {
	case m == elf.EM_PPC64 && order == binary.LittleEndian:
		return "ppc64le", 0, nil // 4 or 64 KiB
	case m == elf.EM_RISCV:
		return "riscv64", 4 << 10, nil
	case m == elf.EM_S390:
		return "s390x", 4 << 10, nil
	default:
		return "", 0, fmt.Errorf("an ELF file for %v, which qemu cannot boot as a kernel: give the image that boot loaders take", m)
	}
}

// Identify tells a kernel's architecture, as Go names it, from its image, and
// its page size in bytes where the image says it, else 0.
func Identify(path string) (arch string, pageSize int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	head := make([]byte, headLen)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", 0, err
	}
	arch, pageSize, err = identify(head[:n])
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return arch, pageSize, err
}
