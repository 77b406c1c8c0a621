package btf_test

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	ebpf "github.com/cilium/ebpf/btf"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/zuffd/uffd/verify/btf"
)

// types makes BTF with one struct: uffdio_made of n 64-bit members, the last
// one signed.
func types(t testing.TB, order binary.ByteOrder, n int) []byte {
	t.Helper()
	unsigned := &ebpf.Typedef{Name: "__u64", Type: &ebpf.Int{Name: "unsigned long long", Size: 8}}
	signed := &ebpf.Typedef{Name: "__s64", Type: &ebpf.Int{Name: "long long", Size: 8, Encoding: ebpf.Signed}}
	made := &ebpf.Struct{Name: "uffdio_made", Size: uint32(8 * n)}
	for i := range n {
		m := ebpf.Member{Name: fmt.Sprintf("m%d", i), Type: unsigned, Offset: ebpf.Bits(64 * i)}
		if i == n-1 {
			m.Type = signed
		}
		made.Members = append(made.Members, m)
	}
	b, err := ebpf.NewBuilder([]ebpf.Type{made}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, &ebpf.MarshalOptions{Order: order})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func compress(t testing.TB, name string, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch name {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zstd":
		z, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	case "lz4":
		z := lz4.NewWriter(&out)
		if err := z.Apply(lz4.LegacyOption(true)); err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// elfFile makes an ELF file of one section .BTF.
func elfFile(t testing.TB, order binary.ByteOrder, content []byte) []byte {
	t.Helper()
	const names = "\x00.BTF\x00.shstrtab\x00"
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1,
		Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2,
	}
	data := elf.ELFDATA2LSB
	if order == binary.BigEndian {
		data, h.Machine = elf.ELFDATA2MSB, uint16(elf.EM_S390)
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(data), 1
	h.Shoff = uint64(64 + len(content) + len(names))
	sections := []elf.Section64{
		{},
		{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: 64, Size: uint64(len(content)), Addralign: 1},
		{Name: 6, Type: uint32(elf.SHT_STRTAB), Off: uint64(64 + len(content)), Size: uint64(len(names)), Addralign: 1},
	}
	var out bytes.Buffer
	for _, part := range []any{h, content, []byte(names), sections} {
		if err := binary.Write(&out, order, part); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func bzImage(payload []byte) []byte {
	b := make([]byte, 5*512)
	b[0x1f1] = 4
	copy(b[0x202:], "HdrS")
	binary.LittleEndian.PutUint32(b[0x248:], 64)
	binary.LittleEndian.PutUint32(b[0x24c:], uint32(len(payload)))
	return slices.Concat(b, make([]byte, 64), payload, []byte("what follows"))
}

func zboot(payload []byte) []byte {
	b := make([]byte, 0x40)
	copy(b, "MZ")
	copy(b[4:], "zimg")
	binary.LittleEndian.PutUint32(b[8:], 0x40)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(payload)))
	return slices.Concat(b, payload)
}

func TestReadFindsTheTypesIn(t *testing.T) {
	raw := types(t, binary.LittleEndian, 200)
	big := types(t, binary.BigEndian, 200)
	noise := bytes.Repeat([]byte("\x9f\xeb\x01\x00 no BTF "), 100)
	image := slices.Concat(noise, raw, noise)
	for _, tt := range []struct {
		name string
		file []byte
	}{
		{"BTF as it is", raw},
		{"BTF of a big-endian kernel", big},
		{"an ELF file", elfFile(t, binary.LittleEndian, raw)},
		{"an ELF file of a big-endian kernel", elfFile(t, binary.BigEndian, big)},
		{"an image that is not compressed", image},
		{"an image with the types of a program before and after", slices.Concat(types(t, binary.LittleEndian, 3), image, types(t, binary.LittleEndian, 3))},
		{"an image in gzip", compress(t, "gzip", image)},
		{"a bzImage with lz4", bzImage(compress(t, "lz4", elfFile(t, binary.LittleEndian, raw)))},
		{"a bzImage with zstd", bzImage(compress(t, "zstd", elfFile(t, binary.LittleEndian, raw)))},
		{"an EFI image with gzip", zboot(compress(t, "gzip", image))},
		{"an EFI image with zstd", zboot(compress(t, "zstd", image))},
		{"an image with zstd somewhere inside", slices.Concat(noise, []byte("\x28\xb5\x2f\xfd"), noise, compress(t, "zstd", elfFile(t, binary.BigEndian, big)), noise)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, err := btf.Read(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			m, err := k.Model("uffdio_made", "uffdio_none")
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Structs) != 1 {
				t.Errorf("there are %d structs", len(m.Structs))
			}
			s := m.Structs[0]
			first, last := s.Fields[0], s.Fields[199]
			if s.Size != 1600 || first.Kind != "uint64" || last.Kind != "int64" || last.Offset != 1592 || last.Size != 8 {
				t.Errorf("uffdio_made has %d bytes, and ends in %+v", s.Size, last)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	raw := types(t, binary.LittleEndian, 200)
	long := slices.Clone(raw)
	binary.LittleEndian.PutUint32(long[12:], 1<<31)
	outside := elfFile(t, binary.LittleEndian, raw)
	outside = outside[:len(outside)-3*64]
	binary.LittleEndian.PutUint64(outside[40:], 64)
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"an empty file", nil, "no BTF"},
		{"a text", bytes.Repeat([]byte("text "), 1000), "no BTF"},
		{"an ELF file without the section", elfFile(t, binary.LittleEndian, nil), "no BTF"},
		{"an ELF file cut short", elfFile(t, binary.LittleEndian, raw)[:100], "no BTF"},
		{"BTF cut short", raw[:len(raw)-1], "no BTF"},
		{"types that are longer than the file", long, "no BTF"},
		{"a bzImage of an unknown compression", bzImage(bytes.Repeat([]byte{0xfd}, 100)), "a way that is not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := btf.Read(tt.file); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestModelRefusesAStructThatHoldsItself(t *testing.T) {
	inner := &ebpf.Struct{Size: 8}
	inner.Members = []ebpf.Member{{Name: "again", Type: inner}}
	outer := &ebpf.Struct{Name: "uffdio_made", Size: 8, Members: []ebpf.Member{{Name: "inner", Type: inner}}}
	b, err := ebpf.NewBuilder([]ebpf.Type{outer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := btf.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Model("uffdio_made"); err == nil || !strings.Contains(err.Error(), "more than 1000 members") {
		t.Errorf("got %v, want that there are too many members", err)
	}
}

// TestModelRefusesStructsThatMultiply: ten members of one struct at each of
// six levels are a million in all.
func TestModelRefusesStructsThatMultiply(t *testing.T) {
	inner := &ebpf.Struct{Size: 8, Members: []ebpf.Member{{Name: "m", Type: &ebpf.Int{Name: "long", Size: 8}}}}
	for range 6 {
		outer := &ebpf.Struct{Size: 8}
		for i := range 10 {
			outer.Members = append(outer.Members, ebpf.Member{Name: fmt.Sprintf("m%d", i), Type: inner})
		}
		inner = outer
	}
	inner.Name = "uffdio_made"
	b, err := ebpf.NewBuilder([]ebpf.Type{inner}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := b.Marshal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := btf.Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Model("uffdio_made"); err == nil || !strings.Contains(err.Error(), "more than 1000 members") {
		t.Errorf("got %v, want that there are too many members", err)
	}
}

// TestReadBoundsWhatItUnpacks: what is hidden behind more than an image can
// hold is not come to.
func TestReadBoundsWhatItUnpacks(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks 256 MiB")
	}
	bomb := compress(t, "gzip", make([]byte, 32<<20))
	hidden := compress(t, "zstd", elfFile(t, binary.LittleEndian, types(t, binary.LittleEndian, 200)))
	for n, want := range map[int]bool{2: true, 8: false} {
		file := append(bytes.Repeat([]byte("noise"), 100), bytes.Repeat(bomb, n)...)
		if _, err := btf.Read(append(file, hidden...)); (err == nil) != want {
			t.Errorf("behind %d MiB: %v", 32*n, err)
		}
	}
}

// FuzzRead looks for input that makes the reader panic, or go on for ever.
func FuzzRead(f *testing.F) {
	raw := types(f, binary.LittleEndian, 130)
	f.Add(raw)
	f.Add(types(f, binary.BigEndian, 130))
	f.Add(elfFile(f, binary.LittleEndian, raw))
	f.Add(bzImage(compress(f, "lz4", raw)))
	f.Add(bzImage(compress(f, "zstd", raw)))
	f.Add(zboot(compress(f, "gzip", raw)))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := btf.Read(b)
		if err != nil {
			return
		}
		if _, err := k.Model("uffdio_made", "uffd_msg", ""); err != nil {
			t.Log(err)
		}
	})
}
