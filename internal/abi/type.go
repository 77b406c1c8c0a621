package abi

import (
	"encoding/json"
	"fmt"
)

// A Kind is the shape of a [Type].
type Kind int

// The kinds of types that a field can have.
const (
	Unknown Kind = iota // read from JSON: only the spelling is known
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Int128
	Uint128
	Float32
	Float64
	Pointer
	Array
	Aggregate // a struct or union of the model
	Opaque    // anything else: only its size and alignment are known
)

// A Type is the type of a field. In JSON it is its C spelling alone.
type Type struct {
	Spelling string // "struct uffdio_range", "__u64", "char[16]"
	Kind     Kind
	Size     int64  // bytes
	Align    int64  // bytes, as a type of its own
	Name     string // of an Aggregate: Struct.Name
	Union    bool   // of an Aggregate
	IsEnum   bool   // an integer that is an enum's
	Enum     string // the Enum.Name of that, if it has one
	Opaque   string // of an Opaque: what it is, "float128"
	Len      int64  // of an Array; -1 for a flexible array
	Elem     *Type  // of an Array
}

// MarshalJSON writes the C spelling.
func (t Type) MarshalJSON() ([]byte, error) { return json.Marshal(t.Spelling) }

// UnmarshalJSON reads a C spelling. The kind is then Unknown.
func (t *Type) UnmarshalJSON(b []byte) error {
	*t = Type{}
	return json.Unmarshal(b, &t.Spelling)
}

var kindNames = map[Kind]string{
	Int8: "int8", Int16: "int16", Int32: "int32", Int64: "int64", Int128: "int128",
	Uint8: "uint8", Uint16: "uint16", Uint32: "uint32", Uint64: "uint64", Uint128: "uint128",
	Float32: "float32", Float64: "float64", Pointer: "pointer",
}

// KindName returns what a type is without its typedefs: "int32", "uint128",
// "float64", "pointer", "enum ", "struct kvm_regs", "[4]uint8". A flexible
// array has no elements.
func (t Type) KindName() string {
	switch {
	case t.Kind == Array:
		return fmt.Sprintf("[%d]%s", max(t.Len, 0), t.Elem.KindName())
	case t.Kind == Aggregate && t.Union:
		return "union " + t.Name
	case t.Kind == Aggregate:
		return "struct " + t.Name
	case t.IsEnum:
		return "enum " + t.Enum
	case t.Kind == Opaque:
		return t.Opaque
	}
	return kindNames[t.Kind]
}
