package cc

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"path/filepath"

	"github.com/zuffd/uffd/internal/abi"
)

// types are what an object file's debugging information tells: the structs and
// unions of all files, and the enums of the header itself.
type types struct {
	files       map[any]string // by their numbers; "" for the header itself
	file        string         // that has what is being added
	structs     []abi.Struct
	values      []string // a C expression for one of each struct, unless it is claim.Unnamed
	enums       []abi.Enum
	enumerators []string
	paths       map[*dwarf.StructType]string // of those without a name, by which they are known
}

// readTypes reads the types of the header at path, and of those that it
// includes.
func readTypes(object *elf.File, path string) (*types, error) {
	d, err := object.DWARF()
	if err != nil {
		return nil, err
	}
	t := &types{files: map[any]string{}, paths: map[*dwarf.StructType]string{}}
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
			dir, _ := e.Val(dwarf.AttrCompDir).(string)
			for i, f := range lines.Files() {
				// Clang tells the path of what is below its directory from there.
				if f != nil && f.Name != path && filepath.Join(dir, f.Name) != path {
					t.files[int64(i)] = f.Name
				}
			}
		case dwarf.TagStructType, dwarf.TagUnionType, dwarf.TagEnumerationType, dwarf.TagTypedef:
			is, err := d.Type(e.Offset)
			if err != nil {
				return nil, err
			}
			t.file = t.files[e.Val(dwarf.AttrDeclFile)]
			t.add(is)
		case dwarf.TagSubprogram: // whose types are its own
			r.SkipChildren()
		}
	}
}

// add adds a type. One without a tag is known by the name that a typedef gives
// it.
func (t *types) add(of dwarf.Type) {
	name, isTypedef := "", false
	if typedef, ok := of.(*dwarf.TypedefType); ok {
		of, name, isTypedef = typedef.Type, typedef.Name, true
	}
	switch is := of.(type) {
	case *dwarf.StructType:
		switch {
		case is.Incomplete:
		case !isTypedef && is.StructName != "":
			t.structure(is, is.StructName, "(*("+is.Kind+" "+is.StructName+" *)0)")
		case isTypedef && is.StructName == "":
			t.structure(is, name, "(*("+name+" *)0)")
			t.structs[len(t.structs)-1].Typedef = true
		}
	case *dwarf.EnumType:
		if t.file != "" {
			return
		}
		enum := abi.Enum{Name: cmp.Or(is.EnumName, name), Typedef: isTypedef, Size: is.ByteSize}
		for _, v := range is.Val {
			enum.Constants = append(enum.Constants, v.Name)
		}
		if !isTypedef {
			t.enumerators = append(t.enumerators, enum.Constants...)
		}
		if isTypedef == (is.EnumName == "") && len(is.Val) > 0 {
			t.enums = append(t.enums, enum)
		}
	}
}

// structure adds a struct after those without a name that it holds.
func (t *types) structure(is *dwarf.StructType, name, value string) {
	s := abi.Struct{Name: name, Union: is.Kind == "union", Size: is.ByteSize, File: t.file}
	for i, f := range is.Field {
		path := name + "." + f.Name
		if f.Name == "" {
			path = fmt.Sprintf("%s.%d", name, i)
		}
		field := abi.Field{Name: f.Name, Offset: f.ByteOffset, Size: max(f.Type.Size(), 0), Kind: t.kind(f.Type, "", path, value+"."+f.Name)}
		if f.BitSize > 0 { // DWARF 4 and 5 count from the beginning of the struct
			field.Offset, field.BitOffset, field.BitSize = 0, f.DataBitOffset, f.BitSize
		}
		field.Type.Spelling = field.Kind
		s.Fields = append(s.Fields, field)
	}
	t.structs, t.values = append(t.structs, s), append(t.values, value)
}

// kind tells what the type of a member is, as abi.Field.Kind does, and as a
// typedef is called that stands for it. The struct that it is, or that its
// elements are, is added if it has no name but the path of its first member.
func (t *types) kind(of dwarf.Type, typedef, path, value string) string {
	switch is := of.(type) {
	case *dwarf.TypedefType:
		return t.kind(is.Type, is.Name, path, value)
	case *dwarf.QualType:
		return t.kind(is.Type, typedef, path, value)
	case *dwarf.ArrayType:
		return fmt.Sprintf("[%d]%s", max(is.Count, 0), t.kind(is.Type, "", path, value+"[0]"))
	case *dwarf.StructType:
		name := cmp.Or(is.StructName, typedef, t.paths[is], path)
		if name == path {
			t.paths[is] = path
			t.structure(is, path, value)
		}
		return is.Kind + " " + name
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
	return of.String()
}
