package ctype

import (
	"slices"
	"strings"
)

// Basic returns the type that keywords name in any order, or nil.
func (t *Types) Basic(words []string) *Type {
	sorted := slices.Sorted(slices.Values(words))
	switch strings.Join(sorted, " ") {
	case "void":
		return t.Void
	case "_Bool":
		return t.Bool
	case "char":
		return t.Char
	case "char signed":
		return t.SChar
	case "char unsigned":
		return t.UChar
	case "short", "int short", "short signed", "int short signed":
		return t.Short
	case "short unsigned", "int short unsigned":
		return t.UShort
	case "int", "signed", "int signed":
		return t.Int
	case "unsigned", "int unsigned":
		return t.UInt
	case "long", "int long", "long signed", "int long signed":
		return t.Long
	case "long unsigned", "int long unsigned":
		return t.ULong
	case "long long", "int long long", "long long signed", "int long long signed":
		return t.LLong
	case "long long unsigned", "int long long unsigned":
		return t.ULLong
	case "__int128", "__int128 signed", "__int128_t":
		return t.Int128
	case "__int128 unsigned", "__uint128_t":
		return t.UInt128
	case "float", "_Float32":
		return t.Float
	case "double", "_Float64", "_Float32x":
		return t.Double
	case "double long":
		return t.LongDouble
	case "_Float128", "_Float16", "_Float64x", "__builtin_va_list", "_Complex double", "_Complex float", "_Complex double long":
		return &Type{Kind: Unsupported, Name: strings.Join(words, " "), Why: "it is not supported"}
	}
	return nil
}
