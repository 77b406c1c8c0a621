// Package btf asks kernels how their structs are laid out: BTF, which a kernel
// carries, is the kernel's compiler's own description of every type in it.
// Macros are not in it.
package btf

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
	"github.com/zuffd/uffd/internal/abi"
)

// Running is where a running kernel shows its BTF.
const Running = "/sys/kernel/btf/vmlinux"

// A Kernel is the types of one kernel.
type Kernel struct {
	spec *btf.Spec
}

// Open reads a kernel's types from a file that Read knows.
func Open(path string) (*Kernel, error) {
	image, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	k, err := Read(image)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// Model returns the layouts of those of the structs with these tags that the
// kernel has, and of those inside them. Alignments are not in BTF.
func (k *Kernel) Model(tags ...string) (*abi.Model, error) {
	m := &abi.Model{}
	for _, tag := range tags {
		var s *btf.Struct
		err := k.spec.TypeByName(tag, &s)
		if errors.Is(err, btf.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("struct %s: %w", tag, err)
		}
		budget := maxMembers
		if m.Structs, err = structure(m.Structs, abi.Struct{Name: tag, Size: int64(s.Size)}, s.Members, &budget); err != nil {
			return nil, fmt.Errorf("struct %s: %w", tag, err)
		}
	}
	return m, nil
}

// maxMembers bounds what a struct can have, with those that it holds: hostile
// ones can hold themselves, or one another many times at each level. The
// kernel's own have a few dozen.
const maxMembers = 1000

// structure appends a struct or union with its members, after those without a
// tag that it holds. The members, and theirs, are taken off the budget.
func structure(all []abi.Struct, s abi.Struct, members []btf.Member, budget *int) ([]abi.Struct, error) {
	if *budget -= 1 + len(members); *budget < 0 {
		return nil, fmt.Errorf("%s and what it is in have more than %d members", s.Name, maxMembers)
	}
	for i, m := range members {
		path := s.Name + "." + cmp.Or(m.Name, strconv.Itoa(i))
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		f := abi.Field{Name: m.Name, Offset: int64(m.Offset.Bytes()), Size: int64(size)}
		if m.BitfieldSize > 0 {
			f.Offset, f.BitOffset, f.BitSize = 0, int64(m.Offset), int64(m.BitfieldSize)
		}
		inner := abi.Struct{Name: path, Size: f.Size}
		var its []btf.Member
		switch t := btf.UnderlyingType(m.Type).(type) {
		case *btf.Int:
			f.Kind = fmt.Sprintf("uint%d", 8*t.Size)
			if t.Encoding == btf.Signed {
				f.Kind = fmt.Sprintf("int%d", 8*t.Size)
			}
		case *btf.Struct:
			f.Kind, its = "struct "+t.Name, t.Members
		case *btf.Union:
			f.Kind, its, inner.Union = "union "+t.Name, t.Members, true
		}
		if strings.HasSuffix(f.Kind, " ") { // it has no tag
			f.Kind += path
			if all, err = structure(all, inner, its, budget); err != nil {
				return nil, err
			}
		}
		s.Fields = append(s.Fields, f)
	}
	return append(all, s), nil
}
