package golang

import (
	"go/types"
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
)

var int32Type = abi.Type{Spelling: "int", Kind: abi.Int32, Size: 4, Align: 4}

func constants(names ...string) *abi.Model {
	m := &abi.Model{Arch: "amd64", Header: "a.h"}
	for i, name := range names {
		m.Constants = append(m.Constants, abi.Constant{Name: name, Value: abi.Unsigned(uint64(i)), Line: i + 1})
	}
	return m
}

// TestNamesAreStable adds names that would be the same in Go: what was there
// keeps its name.
func TestNamesAreStable(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    *abi.Model
		want map[string]string
	}{
		{"one that Go takes as it is", constants("foo", "Foo"), map[string]string{"foo": "Foo_", "Foo": "Foo"}},
		{"before one that it does not", constants("Foo", "foo"), map[string]string{"foo": "Foo_", "Foo": "Foo"}},
		{"the first of two that it does not", constants("_x", "X_x"), map[string]string{"_x": "X_x_", "X_x": "X_x"}},
		{"what is taken by an underscore already", constants("foo", "Foo", "Foo_"), map[string]string{"foo": "Foo__", "Foo_": "Foo_"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNames(tt.m)
			for c, want := range tt.want {
				if got := n.consts[c]; got != want {
					t.Errorf("%s is %s, want %s", c, got, want)
				}
			}
			if len(n.notes) == 0 {
				t.Error("nothing is told of")
			}
		})
	}
	t.Run("a constant before a type, and a type before one without a tag", func(t *testing.T) {
		m := constants("Thing")
		m.Structs = []abi.Struct{{Name: "thing", Size: 4}, {Name: "a.b", Size: 4}, {Name: "a", Size: 4}, {Name: "a_b", Size: 4}}
		n := newNames(m)
		if n.consts["Thing"] != "Thing" || n.types["thing"] != "Thing_" || n.types["a_b"] != "AB" || n.types["a.b"] != "AB_" {
			t.Errorf("got %v and %v", n.consts, n.types)
		}
	})
}

func TestNames(t *testing.T) {
	for c, want := range map[string]string{"uffdio_range": "UffdioRange", "a__b": "A_B", "_a": "X_A", "x86_64": "X86_64", "t1_2": "T1_2", "Already": "Already", "a_": "A_"} {
		if got := camel(c); got != want {
			t.Errorf("camel(%q) is %q, want %q", c, got, want)
		}
	}
	for c, want := range map[string]string{"field": "Field", "_f": "X_f", "": "", "Field": "Field", "9p": "X9p"} {
		if got := exported(c); got != want {
			t.Errorf("exported(%q) is %q, want %q", c, got, want)
		}
	}
}

// TestPartsOfBitFields knows where bits are from C's rules, not from this
// package: the first bit of memory is the lowest of a byte, or the highest.
func TestPartsOfBitFields(t *testing.T) {
	for _, tt := range []struct {
		bigEndian   bool
		first, size int64
		want        []part
	}{
		{false, 0, 3, []part{{0, 0x07, 0, 0}}},
		{true, 0, 3, []part{{0, 0xe0, 5, 0}}},
		{false, 6, 4, []part{{0, 0xc0, 6, 0}, {1, 0x03, 0, 2}}},
		{true, 6, 4, []part{{1, 0xc0, 6, 0}, {0, 0x03, 0, 2}}},
		{false, 8, 16, []part{{1, 0xff, 0, 0}, {2, 0xff, 0, 8}}},
		{true, 8, 16, []part{{2, 0xff, 0, 0}, {1, 0xff, 0, 8}}},
	} {
		l := layouter{bigEndian: tt.bigEndian}
		got := l.parts(tt.first, tt.size)
		if len(got) != len(tt.want) {
			t.Errorf("%d bits from %d: got %v, want %v", tt.size, tt.first, got, tt.want)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%d bits from %d: got %v, want %v", tt.size, tt.first, got, tt.want)
			}
		}
	}
}

// TestWhatDoesNotCompileIsAnError lies about a layout, in ways that Go cannot
// follow: the assertions in the source find it before anything is written.
func TestWhatDoesNotCompileIsAnError(t *testing.T) {
	field := func(offset int64) []abi.Field {
		return []abi.Field{{Name: "a", Type: int32Type, Size: 4}, {Name: "b", Type: int32Type, Size: 4, Offset: offset}}
	}
	m := &abi.Model{Arch: "amd64", Header: "a.h", Structs: []abi.Struct{{Name: "s", Size: 8, Align: 4, Fields: field(4)}}}
	if _, _, err := Render(m, "p"); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]abi.Struct{
		"members that overlap":     {Name: "s", Size: 8, Align: 4, Fields: field(0)},
		"a size that is too small": {Name: "s", Size: 4, Align: 4, Fields: field(4)},
		"a member of another size": {Name: "s", Size: 16, Align: 4, Fields: []abi.Field{{Name: "a", Type: int32Type, Size: 8}, {Name: "b", Type: int32Type, Size: 4, Offset: 8}}},
	} {
		t.Run(name, func(t *testing.T) {
			m.Structs = []abi.Struct{s}
			if src, _, err := Render(m, "p"); err == nil || !strings.Contains(err.Error(), "does not compile") {
				t.Errorf("got %v\n%s", err, src)
			}
		})
	}
	t.Run("an unknown architecture", func(t *testing.T) {
		if _, _, err := Render(&abi.Model{Arch: "vax"}, "p"); err == nil {
			t.Error("no error")
		}
	})
}

func TestOnlyWhatIsImportedCompiles(t *testing.T) {
	sizes := types.SizesFor("gc", "amd64")
	if err := compiles([]byte("package p\n\nimport \"os\"\n\nvar _ = os.Args\n"), "p", sizes); err == nil {
		t.Error("the bindings import os")
	}
	if err := compiles([]byte("package p\n\nimport \"structs\"\n\nvar _ structs.HostLayout\n"), "p", sizes); err != nil {
		t.Error(err)
	}
}
