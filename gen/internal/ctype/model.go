// Package ctype knows C's types as gcc has them on an architecture of Linux:
// their sizes, their alignments, and how members of structs and unions are
// laid out. It knows nothing of how a type is written.
//
// The rules are those of the System V ABIs as gcc applies them; tests hold
// them against compilers.
package ctype

// A Model is what an architecture's compiler decides about types.
type Model struct {
	Long, Pointer int64 // sizes in bytes
	CharUnsigned  bool
	BigEndian     bool

	LongDouble      int64 // size in bytes
	LongDoubleAlign int64
	Int128          int64 // alignment, 0 where there is no such type
	MaxAlign        int64 // what a bare __attribute__((aligned)) means

	// MemberAlign is the most that an 8-byte integer or double is aligned to
	// as a member: 4 on 386, where it is 8 by itself.
	MemberAlign int64

	// PaddingAligns is whether a bit-field without a name aligns its struct,
	// as on arm and arm64.
	PaddingAligns bool
}

// A Kind is the shape of a type.
type Kind uint8

// The kinds of types.
const (
	Void Kind = iota
	Bool
	Int
	Float
	Pointer
	Array
	Aggregate // a struct or union
	Enum
	Function
	Unsupported // has a name, but nothing is known of its layout
)

// A Type is a C type without its qualifiers, which change no layout. Types are
// never changed once they are made, but for the struct, union or enum that
// they are of, which can be completed.
type Type struct {
	Kind   Kind
	Name   string // the typedef or keywords that it is written with, if any
	Signed bool   // of an Int
	Elem   *Type  // of a Pointer or Array
	Len    int64  // of an Array: -1 where it is flexible
	Record *Record
	Enum   *EnumType
	Why    string // of an Unsupported: what is not known of it

	rank  int   // of an Int: which of two is converted to the other
	size  int64 // of a scalar
	align int64 // of a scalar, or of a typedef with an alignment of its own

	// userAlign is whether the alignment was asked for by an attribute.
	userAlign bool
}

// An EnumType is an enum with or without a tag.
type EnumType struct {
	Tag      string
	Complete bool
	Integer  *Type // what it is stored as
}

// Integer types, in the order of their rank.
const (
	rankBool = iota
	rankChar
	rankShort
	rankInt
	rankLong
	rankLongLong
	rankInt128
)

// Types are an architecture's scalar types.
type Types struct {
	Model *Model

	Void, Bool                 *Type
	Char, SChar, UChar         *Type
	Short, UShort, Int, UInt   *Type
	Long, ULong, LLong, ULLong *Type
	Int128, UInt128            *Type // nil where there are none
	Float, Double, LongDouble  *Type
	Size, PtrDiff, UInt64      *Type
}

// New returns the types of an architecture.
func New(m *Model) *Types {
	integer := func(name string, rank int, size int64, signed bool) *Type {
		return &Type{Kind: Int, Name: name, rank: rank, size: size, align: size, Signed: signed}
	}
	t := &Types{
		Model:      m,
		Void:       &Type{Kind: Void, Name: "void", size: 1, align: 1},
		Bool:       &Type{Kind: Bool, Name: "_Bool", rank: rankBool, size: 1, align: 1},
		Char:       integer("char", rankChar, 1, !m.CharUnsigned),
		SChar:      integer("signed char", rankChar, 1, true),
		UChar:      integer("unsigned char", rankChar, 1, false),
		Short:      integer("short", rankShort, 2, true),
		UShort:     integer("unsigned short", rankShort, 2, false),
		Int:        integer("int", rankInt, 4, true),
		UInt:       integer("unsigned int", rankInt, 4, false),
		Long:       integer("long", rankLong, m.Long, true),
		ULong:      integer("unsigned long", rankLong, m.Long, false),
		LLong:      integer("long long", rankLongLong, 8, true),
		ULLong:     integer("unsigned long long", rankLongLong, 8, false),
		Float:      &Type{Kind: Float, Name: "float", size: 4, align: 4},
		Double:     &Type{Kind: Float, Name: "double", size: 8, align: 8},
		LongDouble: &Type{Kind: Float, Name: "long double", size: m.LongDouble, align: m.LongDoubleAlign},
	}
	if m.Int128 > 0 {
		t.Int128 = integer("__int128", rankInt128, 16, true)
		t.UInt128 = integer("unsigned __int128", rankInt128, 16, false)
		t.Int128.align, t.UInt128.align = m.Int128, m.Int128
	}
	t.UInt64 = t.ULLong
	if m.Long == 8 {
		t.UInt64 = t.ULong
	}
	t.Size, t.PtrDiff = t.UInt, t.Int
	if m.Pointer == 8 {
		t.Size, t.PtrDiff = t.ULong, t.Long
	}
	return t
}

// PointerTo returns the type of a pointer to elem.
func (t *Types) PointerTo(elem *Type) *Type {
	return &Type{Kind: Pointer, Elem: elem, size: t.Model.Pointer, align: t.Model.Pointer}
}

// ArrayOf returns the type of an array; a length of -1 is that of a flexible
// one.
func ArrayOf(elem *Type, length int64) *Type {
	return &Type{Kind: Array, Elem: elem, Len: length}
}

// Named returns the type under a typedef's name, aligned to as many bytes as
// an attribute of the typedef says, unless that is 0.
func (t *Type) Named(name string, align int64) *Type {
	named := *t
	named.Name = name
	if align > 0 {
		named.align, named.userAlign = align, true
	}
	return &named
}

// Size returns how many bytes a value of the type takes. ok is false where
// nobody knows yet, or ever.
func (t *Type) Size() (n int64, ok bool) {
	switch t.Kind {
	case Array:
		elem, ok := t.Elem.Size()
		if !ok {
			return 0, false
		}
		if t.Len <= 0 || elem == 0 {
			return 0, t.Len >= 0
		}
		if t.Len > maxSize/elem {
			return 0, false
		}
		return elem * t.Len, true
	case Aggregate:
		return t.Record.Size, t.Record.Complete
	case Enum:
		if !t.Enum.Complete {
			return 0, false
		}
		return t.Enum.Integer.Size()
	case Function:
		return 1, true // as gcc has it
	case Unsupported:
		return 0, false
	}
	return t.size, true
}

// maxSize is the most bytes that a type may have.
const maxSize = 1 << 31

// Align returns what a value of the type is aligned to by itself.
func (t *Type) Align() int64 {
	switch {
	case t.align > 0:
		return t.align
	case t.Kind == Array:
		return t.Elem.Align()
	case t.Kind == Aggregate:
		return max(t.Record.Align, 1)
	case t.Kind == Enum && t.Enum.Complete:
		return t.Enum.Integer.Align()
	}
	return 1
}

// UserAligned reports whether the type's alignment was asked for by an
// attribute, of its own or of something in it.
func (t *Type) UserAligned() bool {
	switch {
	case t.userAlign:
		return true
	case t.Kind == Array:
		return t.Elem.UserAligned()
	case t.Kind == Aggregate:
		return t.Record.userAlign
	}
	return false
}

// MinAlign is what _Alignof says: what the type is aligned to at least,
// wherever it stands.
func (t *Types) MinAlign(x *Type) int64 { return t.Model.memberAlign(x, x.Align()) }

// memberAlign lowers the alignment of a member of type x as the architecture
// does.
func (m *Model) memberAlign(x *Type, align int64) int64 {
	if m.MemberAlign == 0 || x.UserAligned() {
		return align
	}
	for x.Kind == Array {
		x = x.Elem
	}
	if x.Kind == Enum && x.Enum.Complete {
		x = x.Enum.Integer
	}
	if x.Kind == Int || x.Kind == Float && x.size == 8 {
		return min(align, m.MemberAlign)
	}
	return align
}

// Integral returns the integer type that an integer, enum or _Bool is stored
// as, or nil for any other type.
func (t *Type) Integral() *Type {
	switch {
	case t.Kind == Int || t.Kind == Bool:
		return t
	case t.Kind == Enum && t.Enum.Complete:
		return t.Enum.Integer
	}
	return nil
}

// Promote returns what an integer type is in an expression.
func (t *Types) Promote(x *Type) *Type {
	i := x.Integral()
	if i.rank < rankInt {
		return t.Int
	}
	return i
}

// Common returns the type that two integers are converted to in an expression.
func (t *Types) Common(x, y *Type) *Type {
	x, y = t.Promote(x), t.Promote(y)
	if x.rank < y.rank {
		x, y = y, x
	}
	// x is of the higher rank or of the same.
	switch {
	case x.Signed == y.Signed || !x.Signed:
		return x
	case x.rank == y.rank:
		return y
	case x.size > y.size:
		return x
	}
	return t.unsigned(x)
}

func (t *Types) unsigned(x *Type) *Type {
	switch x.rank {
	case rankInt:
		return t.UInt
	case rankLong:
		return t.ULong
	case rankLongLong:
		return t.ULLong
	case rankInt128:
		return t.UInt128
	}
	return x
}
