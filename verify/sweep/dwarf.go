package main

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"strings"
)

// addTypes adds what an object file's debugging information says of every
// struct, union and enum with a name: all of those that the file at path
// defines are marked as "defined".
func addTypes(known facts, object []byte, path string) error {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return err
	}
	d, err := f.DWARF()
	if err != nil {
		return err
	}
	w := &typeWalk{data: d, known: known, path: path, seen: map[string]bool{}}
	r := d.Reader()
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			return err
		}
		switch e.Tag {
		case dwarf.TagCompileUnit:
			lines, err := d.LineReader(e)
			if err != nil || lines == nil {
				return fmt.Errorf("no table of files: %v", err)
			}
			w.files = lines.Files()
			continue
		case dwarf.TagStructType, dwarf.TagUnionType, dwarf.TagEnumerationType, dwarf.TagTypedef:
			if err := w.entry(e); err != nil {
				return err
			}
		}
		r.SkipChildren()
	}
}

type typeWalk struct {
	data  *dwarf.Data
	known facts
	files []*dwarf.LineFile
	path  string
	seen  map[string]bool
}

func (w *typeWalk) here(e *dwarf.Entry) bool {
	n, ok := e.Val(dwarf.AttrDeclFile).(int64)
	return ok && n < int64(len(w.files)) && w.files[n] != nil && w.files[n].Name == w.path
}

// entry adds a type at file scope. One without a tag is known by the first
// name that a typedef gives it.
func (w *typeWalk) entry(e *dwarf.Entry) error {
	name, _ := e.Val(dwarf.AttrName).(string)
	t, err := w.data.Type(e.Offset)
	if err != nil {
		return err
	}
	here := w.here(e)
	if td, ok := t.(*dwarf.TypedefType); ok {
		switch inner := td.Type.(type) {
		case *dwarf.StructType:
			if inner.StructName != "" {
				return nil
			}
		case *dwarf.EnumType:
			if inner.EnumName != "" {
				return nil
			}
		default:
			return nil
		}
		t = td.Type
	} else if name == "" {
		if en, ok := t.(*dwarf.EnumType); ok {
			return w.enum("", en, e, here)
		}
		return nil
	}
	switch t := t.(type) {
	case *dwarf.StructType:
		if t.Incomplete {
			return nil
		}
		key := t.Kind + " " + name
		if w.seen[key] {
			return nil
		}
		w.seen[key] = true
		if here {
			w.known["defined "+key] = "yes"
		}
		w.known["size of "+key] = fmt.Sprint(t.ByteSize)
		w.members(key, t, 0)
	case *dwarf.EnumType:
		return w.enum(name, t, e, here)
	}
	return nil
}

// enum adds an enum's size and sign, and, where it is the header's own, its
// enumerators.
func (w *typeWalk) enum(name string, t *dwarf.EnumType, e *dwarf.Entry, here bool) error {
	if name != "" && len(t.Val) > 0 {
		w.known["size of enum "+name] = fmt.Sprint(t.ByteSize)
		if here {
			w.known["defined enum "+name] = "yes"
		}
	}
	for _, v := range t.Val {
		if here {
			w.known["enumerator "+v.Name] = fmt.Sprint(uint64(v.Val))
		}
	}
	return nil
}

// members adds the members of a struct or union that begins at so many bits of
// the one that key names. Those of a type without a name are its own.
func (w *typeWalk) members(key string, t *dwarf.StructType, base int64) {
	for _, f := range t.Field {
		at := base + f.ByteOffset*8
		if f.BitSize != 0 {
			at = base + f.DataBitOffset
			w.known["place of "+key+"."+f.Name] = fmt.Sprintf("bit %d, %d bits, %s", at, f.BitSize, scalar(f.Type))
			continue
		}
		inner, dims := nameless(f.Type)
		if f.Name == "" {
			w.members(key, inner, at)
			continue
		}
		w.known["place of "+key+"."+f.Name] = fmt.Sprintf("bit %d, %d bytes, %s", at, size(f.Type), scalar(f.Type))
		if inner != nil {
			w.members(key+"."+f.Name+dims, inner, 0)
		}
	}
}

func size(t dwarf.Type) int64 {
	if a, ok := bare(t).(*dwarf.ArrayType); ok {
		return max(a.Count, 0) * size(a.Type)
	}
	return max(t.Size(), 0)
}

// bare returns a type without typedefs and qualifiers.
func bare(t dwarf.Type) dwarf.Type {
	for {
		switch x := t.(type) {
		case *dwarf.TypedefType:
			t = x.Type
		case *dwarf.QualType:
			t = x.Type
		default:
			return t
		}
	}
}

// nameless returns the struct or union without any name that a member is, or
// that its elements are, and "[]" for each dimension.
func nameless(t dwarf.Type) (s *dwarf.StructType, dims string) {
	for {
		switch x := t.(type) {
		case *dwarf.QualType:
			t = x.Type
		case *dwarf.ArrayType:
			t = x.Type
			dims += "[]"
		case *dwarf.StructType:
			if x.StructName != "" {
				return nil, ""
			}
			return x, dims
		default:
			return nil, ""
		}
	}
}

// scalar tells what a value of the type is like: "signed", "pointer",
// "struct kvm_regs", "[4][] unsigned".
func scalar(t dwarf.Type) string {
	name := ""
	for {
		switch x := t.(type) {
		case *dwarf.TypedefType:
			name = x.Name
			t = x.Type
			continue
		case *dwarf.QualType:
			t = x.Type
			continue
		}
		break
	}
	switch x := t.(type) {
	case *dwarf.ArrayType:
		return fmt.Sprintf("[%d]%s", max(x.Count, 0), scalar(x.Type))
	case *dwarf.StructType:
		if x.StructName != "" {
			name = x.StructName
		}
		return strings.TrimSpace(x.Kind + " " + name)
	case *dwarf.PtrType:
		return "pointer"
	case *dwarf.CharType, *dwarf.IntType:
		return "signed"
	case *dwarf.UcharType, *dwarf.UintType, *dwarf.BoolType:
		return "unsigned"
	case *dwarf.FloatType:
		return "float"
	case *dwarf.EnumType:
		return "enum"
	}
	return fmt.Sprintf("%T", t)
}
