package cc

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"path/filepath"

	"github.com/zuffd/uffd/internal/abi"
)

// types are the structs, unions and enums that an object file's debugging
// information tells of.
type types struct {
	data        *dwarf.Data
	dir         string // that the compiler was run in
	files       []*dwarf.LineFile
	path        string // of the header: what others define has their path
	seen        map[string]bool
	paths       map[*dwarf.StructType]string // of those without a name, by which they are known
	structs     []abi.Struct
	enums       []abi.Enum
	enumerators []string // of the header's own
}

// readTypes reads the types of the header at path, and of those that it
// includes.
func readTypes(object *elf.File, path string) (*types, error) {
	d, err := object.DWARF()
	if err != nil {
		return nil, err
	}
	t := &types{data: d, path: path, seen: map[string]bool{}, paths: map[*dwarf.StructType]string{}}
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil || e == nil {
			return t, err
		}
		switch e.Tag {
		case dwarf.TagCompileUnit:
			lines, err := d.LineReader(e)
			if err != nil || lines == nil {
				return nil, fmt.Errorf("no table of files: %v", err)
			}
			t.files = lines.Files()
			t.dir, _ = e.Val(dwarf.AttrCompDir).(string)
			continue
		case dwarf.TagStructType, dwarf.TagUnionType, dwarf.TagEnumerationType, dwarf.TagTypedef:
			if err := t.entry(e); err != nil {
				return nil, err
			}
		}
		if e.Tag != dwarf.TagStructType && e.Tag != dwarf.TagUnionType { // which may hold an enum
			r.SkipChildren()
		}
	}
}

// entry adds a type. One without a tag is known by the first name that a
// typedef gives it.
func (t *types) entry(e *dwarf.Entry) error {
	all, err := t.data.Type(e.Offset)
	if err != nil {
		return err
	}
	name, _ := e.Val(dwarf.AttrName).(string)
	typedef, isTypedef := all.(*dwarf.TypedefType)
	if isTypedef {
		all = typedef.Type
	}
	file := ""
	if n, ok := e.Val(dwarf.AttrDeclFile).(int64); ok && n < int64(len(t.files)) && t.files[n] != nil {
		if file = t.files[n].Name; !filepath.IsAbs(file) { // clang's below its own directory
			file = filepath.Join(t.dir, file)
		}
	}
	ours := file == t.path
	if ours {
		file = ""
	}
	switch is := all.(type) {
	case *dwarf.StructType:
		if key := is.Kind + " " + name; name != "" && !is.Incomplete && !(isTypedef && is.StructName != "") && !t.seen[key] {
			t.seen[key] = true
			first := len(t.structs)
			t.structure(name, is)
			for i := range t.structs[first:] {
				t.structs[first+i].File = file
			}
			t.structs[len(t.structs)-1].Typedef = isTypedef
		}
	case *dwarf.EnumType:
		if isTypedef && is.EnumName != "" {
			return nil
		}
		enum := abi.Enum{Name: name, Typedef: isTypedef, Size: is.ByteSize}
		for _, v := range is.Val {
			enum.Constants = append(enum.Constants, v.Name)
		}
		if ours {
			t.enumerators = append(t.enumerators, enum.Constants...)
		}
		if name != "" && len(is.Val) > 0 {
			t.enums = append(t.enums, enum)
		}
	}
	return nil
}

// structure adds a struct after those without a name that it holds.
func (t *types) structure(name string, is *dwarf.StructType) {
	s := abi.Struct{Name: name, Union: is.Kind == "union", Size: is.ByteSize}
	for i, f := range is.Field {
		path := name + "." + f.Name
		if f.Name == "" {
			path = fmt.Sprintf("%s.%d", name, i)
		}
		field := abi.Field{Name: f.Name, Offset: f.ByteOffset, Size: max(f.Type.Size(), 0), Kind: t.kind(f.Type, path)}
		if f.BitSize > 0 { // DWARF 4 and 5 count from the beginning of the struct
			field.Offset, field.BitOffset, field.BitSize = 0, f.DataBitOffset, f.BitSize
		}
		field.Type.Spelling = field.Kind
		s.Fields = append(s.Fields, field)
	}
	t.structs = append(t.structs, s)
}

// bare returns a type without typedefs and qualifiers, and the last name that a
// typedef gave it.
func bare(t dwarf.Type) (is dwarf.Type, name string) {
	for {
		switch x := t.(type) {
		case *dwarf.TypedefType:
			t, name = x.Type, x.Name
		case *dwarf.QualType:
			t = x.Type
		default:
			return t, name
		}
	}
}

// kind tells what the type of a member is, as abi.Field.Kind does. The struct
// that it is, or that its elements are, is added if it has no name but the path
// of its first member.
func (t *types) kind(of dwarf.Type, path string) string {
	is, typedef := bare(of)
	switch is := is.(type) {
	case *dwarf.ArrayType:
		return fmt.Sprintf("[%d]%s", max(is.Count, 0), t.kind(is.Type, path))
	case *dwarf.StructType:
		switch {
		case is.StructName != "":
			return is.Kind + " " + is.StructName
		case typedef != "":
			return is.Kind + " " + typedef
		}
		if t.paths[is] == "" {
			t.paths[is] = path
			t.structure(path, is)
		}
		return is.Kind + " " + t.paths[is]
	case *dwarf.PtrType:
		return "pointer"
	case *dwarf.CharType, *dwarf.IntType:
		return fmt.Sprintf("int%d", 8*is.Size())
	case *dwarf.UcharType, *dwarf.UintType, *dwarf.BoolType:
		return fmt.Sprintf("uint%d", 8*is.Size())
	case *dwarf.FloatType:
		return fmt.Sprintf("float%d", 8*is.Size())
	case *dwarf.EnumType:
		return "enum " + cmp.Or(is.EnumName, typedef)
	}
	return is.String()
}
