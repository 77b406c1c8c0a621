package kernels

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/arch"
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

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
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
		head  []byte
		arch  string
		page  int
		error string // part of it
	}{
		"x86's bzImage":              {bzImage, "amd64", 4096, ""},
		"arm64's Image":              {arm64, "arm64", 4096, ""},
		"with 16 KiB pages":          {poke(map[int]string{24: "\x0c", 56: "ARM\x64"}), "arm64", 16384, ""},
		"with 64 KiB pages":          {poke(map[int]string{24: "\x0e", 56: "ARM\x64"}), "arm64", 65536, ""},
		"of an unsaid page size":     {poke(map[int]string{56: "ARM\x64"}), "arm64", 0, ""},
		"arm64's Image.gz":           {gzipped(t, arm64), "arm64", 4096, ""},
		"riscv64's Image":            {riscv, "riscv64", 4096, ""},
		"s390x's image":              {s390x, "s390x", 4096, ""},
		"ppc64le's ELF":              {elfHead(t, binary.LittleEndian, elf.ET_DYN, elf.EM_PPC64), "ppc64le", 0, ""},
		"riscv64's ELF":              {elfHead(t, binary.LittleEndian, elf.ET_EXEC, elf.EM_RISCV), "riscv64", 4096, ""},
		"s390x's ELF":                {elfHead(t, binary.BigEndian, elf.ET_EXEC, elf.EM_S390), "s390x", 4096, ""},
		"refuses 32-bit x86":         {poke(map[int]string{0x202: "HdrS\x0f\x02"}), "", 0, "32-bit"},
		"refuses EFI's zboot":        {poke(map[int]string{0: "MZ", 4: "zimg"}), "", 0, "EFI"},
		"refuses x86's vmlinux":      {elfHead(t, binary.LittleEndian, elf.ET_EXEC, elf.EM_X86_64), "", 0, "EM_X86_64"},
		"refuses big-endian ppc64":   {elfHead(t, binary.BigEndian, elf.ET_EXEC, elf.EM_PPC64), "", 0, "EM_PPC64"},
		"refuses an object file":     {elfHead(t, binary.LittleEndian, elf.ET_REL, elf.EM_RISCV), "", 0, "ET_REL"},
		"refuses a packed riscv64":   {gzipped(t, riscv), "", 0, "gzip"},
		"refuses gzip in gzip":       {gzipped(t, append(gzipped(t, arm64), arm64...)), "", 0, "gzip"},
		"refuses a cut gzip":         {gzipped(t, arm64)[:12], "", 0, "EOF"},
		"refuses a cut ELF":          {[]byte("\x7fELF\x02\x01"), "", 0, "EOF"},
		"refuses an initramfs":       {[]byte("070701000002D1"), "", 0, "no kernel"},
		"refuses an empty file":      {nil, "", 0, "no kernel"},
		"refuses a cut x86 image":    {bzImage[:0x230], "", 0, "32-bit"},
		"refuses a file of one byte": {[]byte("M"), "", 0, "no kernel"},
	} {
		t.Run(name, func(t *testing.T) {
			arch, page, err := identify(bytes.NewReader(c.head))
			if c.error != "" {
				if err == nil || !strings.Contains(err.Error(), c.error) {
					t.Errorf("got %q, %v, want an error with %q", arch, err, c.error)
				}
				return
			}
			if arch != c.arch || page != c.page || err != nil {
				t.Errorf("got %q, %d, %v", arch, page, err)
			}
		})
	}
}

func emulated(goarch string) bool {
	a, ok := arch.For(goarch)
	return ok && a.Machine != nil
}

func FuzzIdentify(f *testing.F) {
	for _, head := range [][]byte{bzImage, arm64, riscv, s390x, []byte("\x7fELF\x02\x01"), []byte("\x1f\x8b\x08")} {
		f.Add(head)
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		arch, _, err := identify(bytes.NewReader(head))
		if err == nil && !emulated(arch) {
			t.Errorf("%q, which no machine is for", arch)
		}
	})
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
