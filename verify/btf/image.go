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
	raw := scan(file)
	if raw == nil {
		raw = embedded(file)
	}
	if raw == nil {
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
func embedded(file []byte) []byte {
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
		if raw := scan(image); raw != nil {
			return raw
		}
	}
	return nil
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

// scan returns the BTF in an image: the longest, where several look like it.
func scan(image []byte) (longest []byte) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		magic := []byte{0, 0, 1, 0} // the last two are the version, and flags
		order.PutUint16(magic, 0xeb9f)
		for rest := image; ; rest = rest[1:] {
			at := bytes.Index(rest, magic)
			if at < 0 {
				break
			}
			rest = rest[at:]
			var h struct{ Magic, Length, TypeOff, TypeLen, StringOff, StringLen uint32 }
			if _, err := binary.Decode(rest, order, &h); err != nil {
				break // the image ends here
			}
			end := uint64(h.Length) + max(uint64(h.TypeOff)+uint64(h.TypeLen), uint64(h.StringOff)+uint64(h.StringLen))
			if h.Length <= 64 && h.TypeLen > 0 && end <= uint64(len(rest)) && end > uint64(len(longest)) {
				longest = rest[:end]
			}
		}
	}
	return longest
}
