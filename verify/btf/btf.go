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
		if m.Structs, err = structure(m.Structs, tag, s, &budget); err != nil {
			return nil, fmt.Errorf("struct %s: %w", tag, err)
		}
	}
	return m, nil
}

// maxMembers bounds what a struct can have, with those that it holds: hostile
// ones can hold themselves, or one another many times at each level. The
// kernel's own have a few dozen.
const maxMembers = 1000

// structure appends a struct or union after those without a tag that it holds.
// Its members, and theirs, are taken off the budget.
func structure(all []abi.Struct, name string, t btf.Type, budget *int) ([]abi.Struct, error) {
	s := abi.Struct{Name: name}
	var members []btf.Member
	switch t := t.(type) {
	case *btf.Struct:
		s.Size, members = int64(t.Size), t.Members
	case *btf.Union:
		s.Union, s.Size, members = true, int64(t.Size), t.Members
	}
	if *budget -= 1 + len(members); *budget < 0 {
		return nil, fmt.Errorf("%s and what it is in have more than %d members", name, maxMembers)
	}
	for i, m := range members {
		path := name + "." + cmp.Or(m.Name, strconv.Itoa(i))
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		f := abi.Field{Name: m.Name, Offset: int64(m.Offset.Bytes()), Size: int64(size)}
		if m.BitfieldSize > 0 {
			f.Offset, f.BitOffset, f.BitSize = 0, int64(m.Offset), int64(m.BitfieldSize)
		}
		inner := btf.UnderlyingType(m.Type)
		switch t := inner.(type) {
		case *btf.Int:
			f.Kind = fmt.Sprintf("uint%d", 8*t.Size)
			if t.Encoding == btf.Signed {
				f.Kind = fmt.Sprintf("int%d", 8*t.Size)
			}
		case *btf.Struct:
			f.Kind = "struct " + t.Name
		case *btf.Union:
			f.Kind = "union " + t.Name
		}
		if inner.TypeName() == "" && f.Kind != "" {
			f.Kind += path
			if all, err = structure(all, path, inner, budget); err != nil {
				return nil, err
			}
		}
		s.Fields = append(s.Fields, f)
	}
	return append(all, s), nil
}
