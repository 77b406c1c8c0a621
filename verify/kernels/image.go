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

// magics are what boot images have in their headers, but for ELF.
var magics = []struct {
	at          int64
	magic, arch string
}{
	{0x202, "HdrS", "amd64"},
	{0x38, "ARM\x64", "arm64"},
	{0x38, "RSC\x05", "riscv64"},
	{0x10008, "S390EP", "s390x"},
}

// Identify tells a kernel's architecture, as Go names it, from its image, and
// its page size in bytes where the image says it, else 0.
func Identify(path string) (arch string, pageSize int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	if arch, pageSize, err = identify(f); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return arch, pageSize, err
}

func identify(r io.ReaderAt) (arch string, pageSize int, err error) {
	at := func(offset int64, n int) []byte {
		b := make([]byte, n)
		r.ReadAt(b, offset) // zeros where there is nothing
		return b
	}
	for _, m := range magics {
		if string(at(m.at, len(m.magic))) == m.magic {
			arch = m.arch
		}
	}
	switch le := binary.LittleEndian; {
	case arch == "amd64" && at(0x236, 1)[0]&1 == 0:
		return "", 0, errors.New("a 32-bit x86 kernel: none of ours")
	case arch == "arm64": // bits 1 and 2 of the flags: unspecified, 4K, 16K, 64K
		return arch, [4]int{0, 4 << 10, 16 << 10, 64 << 10}[le.Uint64(at(24, 8))>>1&3], nil
	case arch != "":
		return arch, 4 << 10, nil
	case string(at(4, 4)) == "zimg":
		return "", 0, errors.New("an EFI image that decompresses itself, which qemu cannot boot by itself: give the Image inside")
	case string(at(0, 2)) == "\x1f\x8b":
		return identifyGzip(r)
	case string(at(0, 4)) == elf.ELFMAG:
		return identifyELF(r)
	}
	return "", 0, errors.New("no kernel image that is known here")
}

// identifyGzip looks into an Image.gz, which qemu unpacks for arm64.
func identifyGzip(r io.ReaderAt) (string, int, error) {
	inner := make([]byte, 64)
	z, err := gzip.NewReader(io.NewSectionReader(r, 0, 1<<20))
	if err == nil {
		_, err = io.ReadFull(z, inner)
	}
	if err != nil {
		return "", 0, err
	}
	if string(inner[0x38:0x3c]) == "ARM\x64" {
		return identify(bytes.NewReader(inner))
	}
	return "", 0, errors.New("packed with gzip, which qemu unpacks for arm64 alone")
}

func identifyELF(r io.ReaderAt) (string, int, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return "", 0, err
	}
	if f.Class == elf.ELFCLASS64 && (f.Type == elf.ET_EXEC || f.Type == elf.ET_DYN) {
		switch {
		case f.Machine == elf.EM_PPC64 && f.ByteOrder == binary.LittleEndian:
			return "ppc64le", 0, nil // 4 or 64 KiB
		case f.Machine == elf.EM_RISCV:
			return "riscv64", 4 << 10, nil
		case f.Machine == elf.EM_S390:
			return "s390x", 4 << 10, nil
		}
	}
	return "", 0, fmt.Errorf("an ELF file of type %v for %v, which qemu cannot boot as a kernel: give the image that boot loaders take", f.Type, f.Machine)
}
