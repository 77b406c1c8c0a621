package kernels

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// MaxImage bounds a kernel image, compressed or not. Debian's largest has
// about 100 MiB.
const MaxImage = 256 << 20

// minTypes is less than the types of any kernel take, in bytes, and more than
// what looks like BTF in an image and is not.
const minTypes = 1000

// maxStreams bounds how many beginnings of compressed data are tried.
const maxStreams = 64

var errNone = errors.New("there is no BTF in it: it is no kernel, one built without CONFIG_DEBUG_INFO_BTF, or compressed in a way that is not known")

// Types returns the BTF in a file: BTF as it is, an ELF file with a section
// .BTF, or an image that holds either, compressed or not. Boot protocols say
// where a compressed kernel lies in an image; it is looked for instead, as not
// all of them do.
func Types(file []byte) ([]byte, error) {
	if raw, ok := header(file, 0); ok {
		return raw, nil
	}
	if raw, err := inside(file); err == nil || isELF(file) {
		return raw, err
	}
	return embedded(file)
}

// inside returns the BTF in an image that is not compressed.
func inside(image []byte) ([]byte, error) {
	if isELF(image) {
		return section(image)
	}
	if raw, ok := scan(image); ok {
		return raw, nil
	}
	return nil, errNone
}

// embedded returns the BTF in the first compressed image that lies anywhere in
// a file. All that is tried has MaxImage bytes at most.
func embedded(image []byte) ([]byte, error) {
	streams, left := 0, int64(MaxImage)
	for at := range image {
		if _, ok := format(image[at:]); !ok {
			continue
		}
		if streams++; streams > maxStreams || left <= 0 {
			break
		}
		kernel, err := decompress(image[at:], left)
		if err != nil {
			continue
		}
		left -= int64(len(kernel))
		if raw, err := inside(kernel); err == nil {
			return raw, nil
		}
	}
	return nil, errNone
}

func isELF(b []byte) bool { return bytes.HasPrefix(b, []byte(elf.ELFMAG)) }

// section returns the section .BTF of an ELF file.
func section(file []byte) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	s := f.Section(".BTF")
	if s == nil {
		return nil, errNone
	}
	if s.Type == elf.SHT_NOBITS || s.Flags&elf.SHF_COMPRESSED != 0 || s.Offset > uint64(len(file)) || s.Size > uint64(len(file))-s.Offset {
		return nil, errors.New("the section .BTF is not within the file")
	}
	if raw, ok := header(file[s.Offset:s.Offset+s.Size], 0); ok {
		return raw, nil
	}
	return nil, errors.New("the section .BTF holds no BTF")
}

// header returns the BTF that b begins with: its header's lengths must lie
// within b, and the types take minLen bytes at least.
func header(b []byte, minLen uint32) ([]byte, bool) {
	if len(b) < 24 {
		return nil, false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 0xeb {
		order = binary.BigEndian
	}
	if order.Uint16(b) != 0xeb9f || b[2] != 1 {
		return nil, false
	}
	word := func(n int) uint64 { return uint64(order.Uint32(b[4*n:])) }
	length, typeOff, typeLen, strOff, strLen := word(1), word(2), word(3), word(4), word(5)
	end := length + max(typeOff+typeLen, strOff+strLen)
	if length < 24 || length > 64 || typeLen < uint64(minLen) || end > uint64(len(b)) {
		return nil, false
	}
	return b[:end], true
}

// scan returns the BTF in an image: the longest, where several look like it.
func scan(image []byte) ([]byte, bool) {
	var best []byte
	for _, magic := range [][]byte{{0x9f, 0xeb, 1, 0}, {0xeb, 0x9f, 1, 0}} {
		for at := 0; ; at++ {
			next := bytes.Index(image[at:], magic)
			if next < 0 {
				break
			}
			at += next
			if raw, ok := header(image[at:], minTypes); ok && len(raw) > len(best) {
				best = raw
			}
		}
	}
	return best, best != nil
}

// format returns how b is compressed, by its magic number.
func format(b []byte) (string, bool) {
	switch {
	case bytes.HasPrefix(b, []byte("\x1f\x8b\x08")):
		return "gzip", true
	case bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")):
		return "zstd", true
	case bytes.HasPrefix(b, []byte("\x02\x21\x4c\x18")):
		return "lz4", true
	}
	return "", false
}

// decompress returns what b holds, up to limit bytes. What follows the
// compressed data is passed over.
func decompress(b []byte, limit int64) ([]byte, error) {
	var r io.Reader
	name, _ := format(b)
	switch name {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		r = z
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderMaxMemory(MaxImage), zstd.WithDecoderMaxWindow(MaxImage), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	case "lz4":
		r = lz4.NewReader(bytes.NewReader(b))
	}
	image, err := io.ReadAll(io.LimitReader(r, limit))
	if len(image) == 0 && err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return image, nil // the BTF in it is whole, or it is not
}
