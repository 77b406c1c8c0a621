package btf

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf/btf"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxImage bounds a kernel image, compressed or not. Debian's largest has
// about 100 MiB.
const maxImage = 256 << 20

// maxStreams bounds how many beginnings of compressed data are tried.
const maxStreams = 64

// Read reads a kernel's types: BTF as it is, an image that holds it (an ELF file
// with a section .BTF among them), or one that is compressed. Formats and boot
// protocols say where they lie; they are looked for instead, as not all do.
func Read(file []byte) (*Kernel, error) {
	raw, ok := scan(file)
	if !ok {
		raw, ok = embedded(file)
	}
	if !ok {
		return nil, errors.New("there is no BTF in it: it is no kernel, one built without CONFIG_DEBUG_INFO_BTF, or compressed in a way that is not known")
	}
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("the BTF: %w", err)
	}
	return &Kernel{spec}, nil
}

// embedded returns the BTF in the first compressed image that lies anywhere in
// a file. All that is tried has maxImage bytes at most.
func embedded(file []byte) ([]byte, bool) {
	streams, left := 0, int64(maxImage)
	for at := range file {
		r, err := unpack(file[at:])
		if r == nil {
			continue
		}
		if streams++; streams > maxStreams || left <= 0 {
			break
		}
		if err != nil {
			continue
		}
		// What follows the compressed data is an error, and passed over: the
		// BTF in an image is whole, or it is not.
		image, _ := io.ReadAll(io.LimitReader(r, left))
		left -= int64(len(image))
		if raw, ok := scan(image); ok {
			return raw, true
		}
	}
	return nil, false
}

// unpack returns what decompresses b, by its magic number, or nil.
func unpack(b []byte) (io.Reader, error) {
	switch {
	case bytes.HasPrefix(b, []byte("\x1f\x8b\x08")):
		return gzip.NewReader(bytes.NewReader(b))
	case bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")):
		return zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderMaxMemory(maxImage), zstd.WithDecoderMaxWindow(maxImage), zstd.WithDecoderConcurrency(1))
	case bytes.HasPrefix(b, []byte("\x02\x21\x4c\x18")):
		return lz4.NewReader(bytes.NewReader(b)), nil
	}
	return nil, nil
}

// header returns the BTF that b begins with, or nil: its header's lengths must
// lie within b.
func header(b []byte) []byte {
	if len(b) < 24 {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 0xeb {
		order = binary.BigEndian
	}
	word := func(n int) uint64 { return uint64(order.Uint32(b[4*n:])) }
	length, typeOff, typeLen, strOff, strLen := word(1), word(2), word(3), word(4), word(5)
	end := length + max(typeOff+typeLen, strOff+strLen)
	if order.Uint16(b) != 0xeb9f || b[2] != 1 || length < 24 || length > 64 || typeLen == 0 || end > uint64(len(b)) {
		return nil
	}
	return b[:end]
}

// scan returns the BTF in an image: the longest, where several look like it.
func scan(image []byte) ([]byte, bool) {
	var best []byte
	for _, magic := range []string{"\x9f\xeb\x01\x00", "\xeb\x9f\x01\x00"} {
		for at := 0; at < len(image); at++ {
			next := bytes.Index(image[at:], []byte(magic))
			if next < 0 {
				break
			}
			at += next
			if raw := header(image[at:]); len(raw) > len(best) {
				best = raw
			}
		}
	}
	return best, best != nil
}
