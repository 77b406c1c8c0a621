package abi

import (
	"fmt"
	"strconv"
	"strings"
)

// An Int is the value of a C integer constant: any int64 or uint64, exactly.
// Ints are equal when they are ==.
type Int struct {
	neg bool
	abs uint64
}

// Signed returns v as an Int.
func Signed(v int64) Int {
	if v < 0 {
		return Int{neg: true, abs: -uint64(v)}
	}
	return Int{abs: uint64(v)}
}

// Unsigned returns v as an Int.
func Unsigned(v uint64) Int { return Int{abs: v} }

// Uint64 returns the value modulo 2^64, as C converts to an unsigned type.
func (i Int) Uint64() uint64 {
	if i.neg {
		return -i.abs
	}
	return i.abs
}

// String returns i in decimal.
func (i Int) String() string {
	s := strconv.FormatUint(i.abs, 10)
	if i.neg {
		return "-" + s
	}
	return s
}

// Hex returns i as a Go literal: hexadecimal, or decimal below zero, where a
// bit pattern would be of another value.
func (i Int) Hex() string {
	if i.neg {
		return i.String()
	}
	return "0x" + strconv.FormatUint(i.abs, 16)
}

// MarshalJSON writes a decimal number of up to 64 bits. Readers that hold
// numbers in floating point lose the low bits; encoding/json does not.
func (i Int) MarshalJSON() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalJSON reads a decimal number.
func (i *Int) UnmarshalJSON(b []byte) error {
	s, neg := strings.CutPrefix(string(b), "-")
	abs, err := strconv.ParseUint(s, 10, 64)
	if err != nil || neg && abs > 1<<63 {
		return fmt.Errorf("abi: %s is not an integer of 64 bits", b)
	}
	*i = Int{neg: neg && abs != 0, abs: abs}
	return nil
}
