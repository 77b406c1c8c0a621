package cheader

import "fmt"

// An ArchError says that a tree of headers lacks those of an architecture.
type ArchError struct {
	Arch string   // GOARCH
	Have []string // the GOARCHes whose headers it has, as far as is known
	err  error
}

func (e *ArchError) Error() string { return e.err.Error() }

// Unwrap returns what was missing.
func (e *ArchError) Unwrap() error { return e.err }

// checkArch refuses a tree whose asm directory, which may be of any one
// architecture, encodes ioctl requests in another way than a does.
func (b *builder) checkArch(a *arch) error {
	def := b.macros["_IOC_SIZEBITS"]
	bits := b.number("_IOC_SIZEBITS")
	if def == nil || bits == a.ioctlSizeBits() {
		return nil
	}
	var have []string
	for _, other := range arches {
		if other.ioctlSizeBits() == bits {
			have = append(have, other.name)
		}
	}
	return &ArchError{a.name, have, fmt.Errorf("%s:%d: an ioctl request has %d bits of size, and %d on %s: %s/asm is of another architecture",
		def.file.name, def.line, bits, a.ioctlSizeBits(), a.name, b.root)}
}

// ioctlSizeBits returns how many bits of an ioctl request are the size.
func (a *arch) ioctlSizeBits() int64 {
	if a.kernel == "powerpc" || a.kernel == "mips" {
		return 13
	}
	return 14
}
