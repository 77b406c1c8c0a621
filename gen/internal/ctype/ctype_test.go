package ctype_test

import (
	"strings"
	"testing"

	"github.com/zuffd/uffd/gen/internal/ctype"
)

// Compilers judge layouts in package main's tests, of random structs on eight
// architectures. Here is what no header that they take can show.

var amd64 = &ctype.Model{Long: 8, Pointer: 8, LongDouble: 16, LongDoubleAlign: 16, Int128: 16, MaxAlign: 16}

func TestWhatHasNoLayout(t *testing.T) {
	types := ctype.New(amd64)
	incomplete := &ctype.Type{Kind: ctype.Aggregate, Record: &ctype.Record{Tag: "later"}}
	for name, f := range map[string]ctype.Field{
		"a struct that is not defined":      {Name: "m", Type: incomplete},
		"an array of those":                 {Name: "m", Type: ctype.ArrayOf(incomplete, 2)},
		"a flexible array of those":         {Name: "m", Type: ctype.ArrayOf(incomplete, -1)},
		"a function":                        {Name: "m", Type: &ctype.Type{Kind: ctype.Function, Elem: types.Int}},
		"void":                              {Name: "m", Type: types.Void},
		"a type that is not supported":      {Name: "m", Type: types.Basic([]string{"_Float16"})},
		"a bit-field wider than its type":   {Name: "m", Type: types.Int, BitField: true, Bits: 33},
		"a bit-field of two bits of _Bool":  {Name: "m", Type: types.Bool, BitField: true, Bits: 2},
		"a bit-field of a pointer":          {Name: "m", Type: types.PointerTo(types.Int), BitField: true, Bits: 1},
		"an array of more bytes than there": {Name: "m", Type: ctype.ArrayOf(ctype.ArrayOf(types.LLong, 1<<20), 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			r := &ctype.Record{Fields: []ctype.Field{f}}
			if err := types.Model.Layout(r); err == nil || !strings.Contains(err.Error(), "member m") || r.Complete {
				t.Errorf("got %v and %+v", err, r)
			}
		})
	}
}

func TestEnums(t *testing.T) {
	types := ctype.New(amd64)
	for _, tt := range []struct {
		least  int64
		most   uint64
		packed bool
		want   *ctype.Type // nil for none
	}{
		{0, 0, false, types.UInt}, {0, 1<<32 - 1, false, types.UInt}, {0, 1 << 32, false, types.ULong}, {0, 1<<64 - 1, false, types.ULong},
		{-1, 0, false, types.Int}, {-1 << 31, 1<<31 - 1, false, types.Int}, {-1, 1 << 31, false, types.Long}, {-1<<31 - 1, 0, false, types.Long}, {-1, 1 << 63, false, nil},
		{0, 255, true, types.UChar}, {0, 256, true, types.UShort}, {-1, 127, true, types.SChar}, {-1, 128, true, types.Short}, {0, 1 << 16, true, types.UInt},
	} {
		var e ctype.EnumType
		if ok := types.Complete(&e, tt.least, tt.most, tt.packed); ok != (tt.want != nil) || e.Integer != tt.want {
			t.Errorf("from %d to %d, packed %v: %v %+v, want %+v", tt.least, tt.most, tt.packed, ok, e.Integer, tt.want)
		}
	}
}

func TestKeywords(t *testing.T) {
	types := ctype.New(amd64)
	for words, want := range map[string]*ctype.Type{
		"unsigned": types.UInt, "long unsigned int": types.ULong, "int long long": types.LLong, "signed": types.Int, "short unsigned": types.UShort,
		"char signed": types.SChar, "__int128 unsigned": types.UInt128, "long double": types.LongDouble, "int int": nil, "unsigned float": nil, "long char": nil, "": nil,
	} {
		if got := types.Basic(strings.Fields(words)); got != want {
			t.Errorf("%s is %+v", words, got)
		}
	}
	if ctype.New(&ctype.Model{Long: 4, Pointer: 4}).Basic([]string{"__int128"}) != nil {
		t.Error("an architecture of 32 bits has integers of 128")
	}
}
