package abi

import (
	"slices"
	"strings"
	"testing"
)

// header is a model of one header with a constant of each name and value.
func header(name string, constants map[string]uint64) *Model {
	m := &Model{Arch: "amd64", Header: name, Release: "7.3"}
	for _, c := range []string{"A", "B", "C"} {
		if v, ok := constants[c]; ok {
			m.Constants = append(m.Constants, Constant{Name: c, Value: Unsigned(v), Line: 1})
			m.Ioctls = append(m.Ioctls, Ioctl{Name: c})
		}
	}
	return m
}

func names(m *Model) string {
	var all []string
	for _, c := range m.Constants {
		all = append(all, c.Name+" of "+c.File)
	}
	return strings.Join(all, ", ")
}

func TestMergeHasEachSymbolOnce(t *testing.T) {
	m, err := Merge([]*Model{header("a.h", map[string]uint64{"A": 1, "B": 2}), header("b.h", map[string]uint64{"B": 2, "C": 3})})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(m), "A of a.h, B of a.h, C of b.h"; got != want {
		t.Errorf("constants: %s, want %s", got, want)
	}
	if len(m.Ioctls) != 3 || m.Header != "a.h b.h" || m.Release != "7.3" || len(m.Omitted) != 0 {
		t.Errorf("got %+v", m)
	}
}

func TestMergeLeavesOutConstantsThatDiffer(t *testing.T) {
	a, b := header("a.h", map[string]uint64{"A": 1, "B": 2}), header("b.h", map[string]uint64{"B": 3})
	a.Enums = []Enum{{Name: "e", Size: 4, Constants: []string{"A", "B"}}}
	m, err := Merge([]*Model{a, b})
	if err != nil {
		t.Fatal(err)
	}
	want := Omission{Name: "B", Reason: "not the same in a.h and b.h", File: "a.h", Line: 1}
	if names(m) != "A of a.h" || len(m.Ioctls) != 1 || !slices.Equal(m.Omitted, []Omission{want}) {
		t.Errorf("constants: %s; ioctls: %v; left out: %+v", names(m), m.Ioctls, m.Omitted)
	}
	if !slices.Equal(m.Enums[0].Constants, []string{"A"}) || len(a.Enums[0].Constants) != 2 {
		t.Errorf("the enum has %v, and had %v", m.Enums[0].Constants, a.Enums[0].Constants)
	}
	t.Run("a string and a number of one name are not the same", func(t *testing.T) {
		b := &Model{Header: "b.h", Strings: []String{{Name: "A", Value: "1"}}}
		m, err := Merge([]*Model{header("a.h", map[string]uint64{"A": 1}), b})
		if err != nil || len(m.Constants)+len(m.Strings) != 0 {
			t.Errorf("got %+v, %v", m, err)
		}
	})
}

func TestMergeOfTypes(t *testing.T) {
	of := func(name string, size int64) *Model {
		return &Model{Header: name, Structs: []Struct{{Name: "s", Size: size, Line: len(name), Doc: name, Fields: []Field{{Name: "f", Size: size, Line: len(name)}}}}}
	}
	m, err := Merge([]*Model{of("a.h", 4), of("longer.h", 4)})
	if err != nil || len(m.Structs) != 1 {
		t.Errorf("the same struct in two headers: %+v, %v", m, err)
	}
	_, err = Merge([]*Model{of("a.h", 4), of("b.h", 8)})
	if err == nil || !strings.Contains(err.Error(), "struct s is not the same in a.h and b.h") {
		t.Errorf("got %v", err)
	}
}
