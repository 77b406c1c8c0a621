// Package abi is the model of a C header's binary interface on one
// architecture: its integer constants, its struct and union layouts, and its
// ioctl numbers.
//
// The generator's C side builds a [Model], its Go side prints one, and verify
// holds one against compilers and kernels. The model itself knows neither C
// nor Go, and nothing of any particular header.
package abi

// A Model is what one header means on one architecture.
//
// Its JSON form is one object with C names and decimal numbers. What carries
// no tag name there (documentation, Go-side hints) is left out of it.
//
// Two releases of Linux are told apart. Release is of the tree of headers that
// was read. Since, on each symbol, is the release that brought it, as the
// documentation says ("Since Linux 6.6."), whichever tree was read: empty, and
// left out of the JSON, where the documentation does not know the symbol or
// says none. A member that says none has that of what it is in.
//
// Lines are those of the header that was read, from 1. They tell where to look,
// and are no part of the interface: Compare passes over them.
type Model struct {
	Arch   string `json:"arch"`   // GOARCH
	Header string `json:"header"` // as included: "linux/userfaultfd.h"

	// Release is the Linux release that the header tree says it is of
	// ("7.3"), or empty where linux/version.h is missing.
	Release string `json:"release,omitempty"`

	Constants []Constant `json:"constants"` // in the order of documentation
	Structs   []Struct   `json:"structs"`   // a type stands after the types it holds
	Ioctls    []Ioctl    `json:"ioctls"`    // the constants that encode an ioctl
	Enums     []Enum     `json:"enums,omitempty"`
	Strings   []String   `json:"strings,omitempty"`

	// Omitted lists the header's macros that are no constants.
	Omitted []Omission `json:"omitted,omitempty"`
}

// A Constant is a macro or an enumerator that has an integer value.
type Constant struct {
	Name  string `json:"name"`
	Value Int    `json:"value"`
	Enum  string `json:"enum,omitempty"`  // the Enum.Name of an enumerator's enum, if it has one
	Since string `json:"since,omitempty"` // "6.6"
	File  string `json:"file,omitempty"`  // the header, where the model is of several
	Line  int    `json:"line,omitempty"`  // of the name in the header

	Doc string `json:"-"`
	// Group is the heading of the run of constants that this one belongs to;
	// neighbours with the same Group form one block.
	Group string `json:"-"`
}

// An Enum is a C enum. Its enumerators are constants of the model.
type Enum struct {
	Name    string `json:"name"`              // the tag, or the typedef of one without; "" where it has neither
	Typedef bool   `json:"typedef,omitempty"` // Name is a typedef's
	Size    int64  `json:"size"`              // bytes
	Signed  bool   `json:"signed,omitempty"`  // of the integer that it is stored as
	Line    int    `json:"line,omitempty"`    // of the keyword "enum"

	// Constants are the names of the enumerators, but for those that the
	// header hides behind a macro of another value.
	Constants []string `json:"constants"`

	Doc string `json:"-"`
}

// A String is a macro that stands for a string.
type String struct {
	Name  string `json:"name"`
	Value string `json:"value"` // without the zero byte behind it
	Line  int    `json:"line,omitempty"`

	Doc string `json:"-"`
}

// A Struct is the layout of a C struct or union. Sizes, alignments and
// offsets are in bytes.
type Struct struct {
	// Name is the tag. A type without a tag is named by the C designator
	// that reaches it from its outermost struct: "uffd_msg.arg.pagefault".
	Name  string `json:"name"`
	Union bool   `json:"union,omitempty"`
	// Typedef is whether Name is a typedef's, of a type without a tag.
	Typedef bool    `json:"typedef,omitempty"`
	Size    int64   `json:"size"`
	Align   int64   `json:"align"`
	Fields  []Field `json:"fields"`
	Since   string  `json:"since,omitempty"` // "4.3"
	File    string  `json:"file,omitempty"`  // the header that defines it, where that is not Model.Header
	Line    int     `json:"line,omitempty"`  // of the keyword "struct" or "union"

	Doc string `json:"-"`
}

// A Field is a member of a struct or union.
type Field struct {
	Name   string `json:"name"` // empty for an anonymous member
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	Type   Type   `json:"type"`
	Kind   string `json:"kind,omitempty"`  // what the type is in the end; see Type.KindName
	Since  string `json:"since,omitempty"` // "4.14"
	Line   int    `json:"line,omitempty"`  // of the name, in its struct's file; of an anonymous member, where its type begins

	// BitSize is the width of a bit-field, 0 for any other member. BitOffset
	// then counts bits from Offset in memory order, which is the order of
	// DWARF's DW_AT_data_bit_offset.
	BitOffset int64 `json:"bit_offset,omitempty"`
	BitSize   int64 `json:"bit_size,omitempty"`

	Doc string `json:"-"`
}

// An Ioctl is a constant that encodes an ioctl request.
type Ioctl struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`  // "none", "r", "w" or "rw", as the macro says, seen from user space
	Type int64  `json:"type"` // the magic number
	Nr   int64  `json:"nr"`
	Size int64  `json:"size"` // bytes

	// Struct is the tag of the argument, or its C spelling where it is no
	// struct; empty where there is no argument.
	Struct string `json:"struct"`
}

// An Omission is a macro of the header that the model leaves out, and why.
type Omission struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`         // "include guard", "function-like", "no constant: ..."
	File   string `json:"file,omitempty"` // the header, where the model is of several
	Line   int    `json:"line,omitempty"`
}
