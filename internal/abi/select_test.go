package abi

import (
	"slices"
	"strings"
	"testing"
)

func TestUndescribed(t *testing.T) {
	m := &Model{
		Header:    "a.h",
		Constants: []Constant{{Name: "TOLD", Line: 1, Doc: "TOLD is told."}, {Name: "MARKED", Line: 9, Doc: "MARKED: TO\nDO. Since Linux 9.9."}, {Name: "BARE", Line: 2}},
		Structs: []Struct{
			{Name: "s.inner", Line: 5, Fields: []Field{{Name: "x", Line: 6}}},
			{Name: "s", Line: 4, Doc: "s is told.", Fields: []Field{{Name: "inner", Line: 7, Doc: "Told."}, {Name: "", Line: 8}}},
			{Name: "other", File: "b.h", Line: 1},
		},
	}
	want := []string{"a.h:2: BARE", "a.h:6: s.inner.x", "a.h:9: MARKED", "b.h:1: other"}
	if got := m.Undescribed("TO DO."); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOnly(t *testing.T) {
	m := &Model{
		Constants: []Constant{{Name: "A_ONE"}, {Name: "B_ONE"}},
		Ioctls:    []Ioctl{{Name: "B_ONE"}, {Name: "A_ONE"}},
		Structs:   []Struct{{Name: "a_s.inner"}, {Name: "a_s"}, {Name: "b_s.a_inner"}},
		Enums:     []Enum{{Name: "a_e", Constants: []string{"B_ONE"}}, {Constants: []string{"B_TWO", "A_ONE"}}},
	}
	part := m.Only(func(name string) bool { return strings.HasPrefix(strings.ToLower(name), "a_") })
	if len(part.Constants) != 1 || len(part.Ioctls) != 1 || len(part.Structs) != 2 || part.Ioctls[0].Name != "A_ONE" || len(part.Enums) != 1 || part.Enums[0].Name != "" {
		t.Errorf("got %+v", part)
	}
	if len(m.Constants) != 2 || m.Constants[1].Name != "B_ONE" {
		t.Errorf("the model itself has changed: %+v", m)
	}
}

func TestOlder(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want bool
	}{{"6.12", "7.3", true}, {"6.1", "6.12", true}, {"6.12", "6.2", false}, {"7.3", "7.3", false}, {"", "7.3", false}, {"7.3", "", false}} {
		if got := Older(tt.a, tt.b); got != tt.want {
			t.Errorf("Older(%q, %q) is %v", tt.a, tt.b, got)
		}
	}
}

func TestChangesAreToldOnce(t *testing.T) {
	model := func(arch string, common, own uint64) *Model {
		return &Model{Arch: arch, Constants: []Constant{{Name: "COMMON", Value: Unsigned(common)}, {Name: "OWN", Value: Unsigned(own)}}}
	}
	got := Changes([]*Model{model("a", 1, 1), model("b", 1, 2), model("c", 1, 2)}, []*Model{model("a", 9, 1), model("b", 9, 3), model("c", 9, 3)})
	if want := []string{"changed constant COMMON: 0x1 -> 0x9", "b,c: changed constant OWN: 0x2 -> 0x3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
