package abi

import "encoding/json"

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
