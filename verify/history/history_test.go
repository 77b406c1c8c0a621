package history_test

import (
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/since"
)

// model makes a header of constants and of one struct of 64-bit fields.
func model(constants map[string]uint64, fields ...string) *abi.Model {
	m := &abi.Model{}
	for name, v := range constants {
		m.Constants = append(m.Constants, abi.Constant{Name: name, Value: abi.Unsigned(v)})
	}
	s := abi.Struct{Name: "uffdio_a", Size: int64(8 * len(fields)), Align: 8}
	for i, name := range fields {
		s.Fields = append(s.Fields, abi.Field{Name: name, Offset: int64(8 * i), Size: 8, Type: abi.Type{Spelling: "__u64"}})
	}
	m.Structs = append(m.Structs, s)
	return m
}

func TestCheck(t *testing.T) {
	v := func(major, minor int) since.Release { return since.Release{Major: major, Minor: minor} }
	claim := func() (*abi.Model, since.Symbols) {
		return model(map[string]uint64{"UFFD_FEATURE_A": 1, "UFFD_FEATURE_B": 2, "UFFD_API_FEATURES": 3}, "start", "end"),
			since.Symbols{
				"UFFD_FEATURE_A": v(4, 3), "UFFD_FEATURE_B": v(6, 5), "UFFD_API_FEATURES": v(4, 3),
				"uffdio_a": v(4, 3), "uffdio_a.start": v(4, 3), "uffdio_a.end": v(4, 3),
			}
	}
	releases := func() []history.Release {
		return []history.Release{
			{Linux: v(6, 1), Truth: model(map[string]uint64{"UFFD_FEATURE_A": 1, "UFFD_API_FEATURES": 1}, "start", "end")},
			{Linux: v(6, 12), Truth: model(map[string]uint64{"UFFD_FEATURE_A": 1, "UFFD_FEATURE_B": 2, "UFFD_API_FEATURES": 3}, "start", "end")},
		}
	}
	constant := func(m *abi.Model, name string) *abi.Constant {
		for i := range m.Constants {
			if m.Constants[i].Name == name {
				return &m.Constants[i]
			}
		}
		t.Fatalf("no %s", name)
		return nil
	}
	for _, tt := range []struct {
		name   string
		tamper func(m *abi.Model, s since.Symbols, r []history.Release)
		want   string // "" for nothing
	}{
		{"finds nothing wrong with the truth", func(*abi.Model, since.Symbols, []history.Release) {}, ""},
		{"finds a symbol that came later than is said", func(m *abi.Model, s since.Symbols, r []history.Release) {
			s["UFFD_FEATURE_B"] = v(5, 19)
		}, "Linux 6.1: UFFD_FEATURE_B is missing (value of UFFD_FEATURE_B), said to be since 5.19"},
		{"finds a symbol that came earlier than is said", func(m *abi.Model, s since.Symbols, r []history.Release) {
			s["UFFD_FEATURE_A"] = v(6, 5)
		}, "Linux 6.1: UFFD_FEATURE_A is there, said to be since 6.5"},
		{"finds a symbol that is said to be since no release", func(m *abi.Model, s since.Symbols, r []history.Release) {
			delete(s, "uffdio_a.end")
		}, "uffdio_a.end is not said to be since any release"},
		{"finds a value that has changed", func(m *abi.Model, s since.Symbols, r []history.Release) {
			constant(r[0].Truth, "UFFD_FEATURE_A").Value = abi.Unsigned(4)
		}, "Linux 6.1: value of UFFD_FEATURE_A is 0x4, claimed 0x1"},
		{"finds an offset that has changed", func(m *abi.Model, s since.Symbols, r []history.Release) {
			r[0].Truth.Structs[0].Fields[1].Offset = 16
		}, "Linux 6.1: offset of uffdio_a.end is 16, claimed 8"},
		{"finds a symbol that is not claimed", func(m *abi.Model, s since.Symbols, r []history.Release) {
			r[1].Truth.Constants = append(r[1].Truth.Constants, abi.Constant{Name: "UFFD_C"})
		}, "Linux 6.12: value of UFFD_C is 0x0, and is not claimed"},
		{"finds a set that has lost a bit", func(m *abi.Model, s since.Symbols, r []history.Release) {
			constant(r[1].Truth, "UFFD_API_FEATURES").Value = abi.Unsigned(2)
		}, "Linux 6.12: UFFD_API_FEATURES has lost bits 0x1 since 6.1"},
		{"finds a set that has gained a bit of no symbol", func(m *abi.Model, s since.Symbols, r []history.Release) {
			constant(r[1].Truth, "UFFD_API_FEATURES").Value = abi.Unsigned(7)
		}, "Linux 6.12: UFFD_API_FEATURES has gained bit 2, which is no symbol's"},
		{"finds a set that has gained the bit of an older symbol", func(m *abi.Model, s since.Symbols, r []history.Release) {
			s["UFFD_FEATURE_B"] = v(4, 3)
		}, "Linux 6.12: UFFD_API_FEATURES has gained bit 1 after 6.1, whose symbol is said to be since 4.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, s := claim()
			r := releases()
			tt.tamper(m, s, r)
			compared, wrong := history.Check(m, s, r)
			if compared < 20 {
				t.Errorf("only %d facts compared", compared)
			}
			if got := strings.Join(wrong, "\n"); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
