package kernels

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// poke returns zeros with strings at offsets.
func poke(at map[int]string) []byte {
	b := make([]byte, 0x10010)
	for offset, s := range at {
		copy(b[offset:], s)
	}
	return b
}

func elfHead(t *testing.T, order binary.ByteOrder, kind elf.Type, machine elf.Machine) []byte {
	t.Helper()
	data := elf.ELFDATA2LSB
	if order == binary.BigEndian {
		data = elf.ELFDATA2MSB
	}
	h := elf.Header64{Type: uint16(kind), Machine: uint16(machine), Version: 1}
	copy(h.Ident[:], []byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(data), 1})
	var b bytes.Buffer
	if err := binary.Write(&b, order, h); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The offsets are those of the kernel's documents of its boot protocols.
var (
	bzImage = poke(map[int]string{0x1fe: "\x55\xaa", 0x202: "HdrS\x0f\x02", 0x236: "\x3f\x00"})
	arm64   = poke(map[int]string{0: "MZ", 24: "\x0a", 56: "ARM\x64"})
	riscv   = poke(map[int]string{48: "RISCV\x00\x00\x00", 56: "RSC\x05"})
	s390x   = poke(map[int]string{0x10008: "S390EP"})
)

func TestIdentify(t *testing.T) {
	for name, c := range map[string]struct {
		head []byte
		arch string
	}{
		"x86's bzImage":              {bzImage, "amd64"},
		"arm64's Image":              {arm64, "arm64"},
		"riscv64's Image":            {riscv, "riscv64"},
		"s390x's image":              {s390x, "s390x"},
		"ppc64le's ELF":              {elfHead(t, binary.LittleEndian, elf.ET_DYN, elf.EM_PPC64), "ppc64le"},
		"refuses EFI's zboot":        {poke(map[int]string{0: "MZ", 4: "zimg"}), ""},
		"refuses x86's vmlinux":      {elfHead(t, binary.LittleEndian, elf.ET_EXEC, elf.EM_X86_64), ""},
		"refuses big-endian ppc64":   {elfHead(t, binary.BigEndian, elf.ET_EXEC, elf.EM_PPC64), ""},
		"refuses a cut ELF":          {[]byte("\x7fELF\x02\x01"), ""},
		"refuses an initramfs":       {[]byte("070701000002D1"), ""},
		"refuses an empty file":      {nil, ""},
		"refuses a file of one byte": {[]byte("M"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(path, c.head, 0o644); err != nil {
				t.Fatal(err)
			}
			if arch, err := identify(path); arch != c.arch || (err != nil) != (arch == "") {
				t.Errorf("got %q, %v", arch, err)
			}
		})
	}
}

func TestKernelsIn(t *testing.T) {
	dir := t.TempDir()
	if _, err := In(dir, io.Discard); err == nil {
		t.Error("a directory without kernels is no error")
	}
	for name, content := range map[string][]byte{"vmlinuz-1": bzImage, "Image": arm64, "config-1": []byte("CONFIG_USERFAULTFD=y\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.Symlink("Image", filepath.Join(dir, "latest"))
	os.Mkdir(filepath.Join(dir, "grub"), 0o755)
	var said strings.Builder
	all, err := In(dir, &said)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range all {
		names = append(names, k.Name())
	}
	slices.Sort(names)
	if want := []string{"amd64/vmlinuz-1", "arm64/Image", "arm64/latest"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if !strings.Contains(said.String(), "config-1") {
		t.Errorf("config-1 is left out in silence: %q", said.String())
	}
}
