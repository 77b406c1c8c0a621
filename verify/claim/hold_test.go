package claim_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/claim"
)

// model makes a header of constants and of one struct of 64-bit fields.
func model(constants []abi.Constant, fields ...string) *abi.Model {
	m := &abi.Model{Constants: constants}
	s := abi.Struct{Name: "uffdio_a", Size: int64(8 * len(fields)), Align: 8, Since: "4.3"}
	for i, name := range fields {
		s.Fields = append(s.Fields, abi.Field{Name: name, Offset: int64(8 * i), Size: 8, Kind: "uint64", Since: "4.3"})
	}
	m.Structs = append(m.Structs, s)
	return m
}

func constant(name string, value uint64, since string) abi.Constant {
	return abi.Constant{Name: name, Value: abi.Unsigned(value), Since: since}
}

func find(t *testing.T, m *abi.Model, name string) *abi.Constant {
	t.Helper()
	i := slices.IndexFunc(m.Constants, func(c abi.Constant) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no %s", name)
	}
	return &m.Constants[i]
}

func TestHold(t *testing.T) {
	// The claim is of 6.12; the truths are of it, of one before and one after.
	type truths struct{ old, edition, newer *abi.Model }
	for _, tt := range []struct {
		name   string
		tamper func(t *testing.T, m *abi.Model, r truths)
		want   string // "" for nothing
		news   string
	}{
		{"finds nothing wrong with the truth", func(*testing.T, *abi.Model, truths) {}, "", ""},
		{"finds a symbol that came later than is said", func(t *testing.T, m *abi.Model, r truths) {
			find(t, m, "UFFD_FEATURE_B").Since = "5.19"
		}, "Linux 6.1 has no value of UFFD_FEATURE_B, said to be since 5.19", ""},
		{"finds a symbol that came earlier than is said", func(t *testing.T, m *abi.Model, r truths) {
			find(t, m, "UFFD_FEATURE_A").Since = "6.5"
		}, "Linux 6.1 has UFFD_FEATURE_A, said to be since 6.5", ""},
		{"finds a symbol that is said to be since no release", func(t *testing.T, m *abi.Model, r truths) {
			m.Structs[0].Fields[1].Since = ""
		}, "uffdio_a.end is not said to be since any release", ""},
		{"finds a value that has changed", func(t *testing.T, m *abi.Model, r truths) {
			find(t, r.old, "UFFD_FEATURE_A").Value = abi.Unsigned(4)
		}, "value of UFFD_FEATURE_A: claimed 0x1, really 0x4 (Linux 6.1)", ""},
		{"finds an offset that has changed", func(t *testing.T, m *abi.Model, r truths) {
			r.old.Structs[0].Fields[1].Offset = 16
		}, "offset of uffdio_a.end: claimed 8, really 16 (Linux 6.1)", ""},
		{"finds a symbol that is not claimed", func(t *testing.T, m *abi.Model, r truths) {
			r.edition.Constants = append(r.edition.Constants, constant("UFFD_C", 0, ""))
		}, "value of UFFD_C is 0x0 (Linux 6.12), and is not claimed", ""},
		{"finds an old symbol that is not claimed", func(t *testing.T, m *abi.Model, r truths) {
			r.old.Constants = append(r.old.Constants, constant("UFFD_C", 0, ""))
		}, "value of UFFD_C is 0x0 (Linux 6.1), and is not claimed", ""},
		{"takes a symbol of a newer release for news", func(t *testing.T, m *abi.Model, r truths) {
			r.newer.Constants = append(r.newer.Constants, constant("UFFD_FEATURE_C", 4, ""))
			find(t, r.newer, "UFFD_API_FEATURES").Value = abi.Unsigned(7)
			r.newer.Structs = append(r.newer.Structs, abi.Struct{Name: "uffdio_c"})
		}, "", "added constant UFFD_FEATURE_C: 0x4|added struct uffdio_c: struct of 0 bytes, aligned to 0"},
		{"finds a symbol that a newer release has not", func(t *testing.T, m *abi.Model, r truths) {
			r.newer.Constants = slices.Delete(r.newer.Constants, 0, 1)
		}, "Linux 7.0 has no value of UFFD_FEATURE_A, said to be since 4.3", ""},
		{"finds a value that a newer release has changed", func(t *testing.T, m *abi.Model, r truths) {
			find(t, r.newer, "UFFD_FEATURE_A").Value = abi.Unsigned(8)
		}, "value of UFFD_FEATURE_A: claimed 0x1, really 0x8 (Linux 7.0)", ""},
		{"finds a set that lost a bit", func(t *testing.T, m *abi.Model, r truths) {
			find(t, r.newer, "UFFD_API_FEATURES").Value = abi.Unsigned(2)
		}, "Linux 7.0 has no value of bit 0 of UFFD_API_FEATURES, said to be since 4.3", ""},
		{"finds a set that is not that of its release", func(t *testing.T, m *abi.Model, r truths) {
			find(t, m, "UFFD_API_FEATURES").Value = abi.Unsigned(1)
		}, "value of UFFD_API_FEATURES: claimed 0x1, really 0x3 (Linux 6.12)", ""},
		{"finds a set with a bit of no symbol", func(t *testing.T, m *abi.Model, r truths) {
			find(t, m, "UFFD_API_FEATURES").Value = abi.Unsigned(7)
			find(t, r.edition, "UFFD_API_FEATURES").Value = abi.Unsigned(7)
		}, "bit 2 of UFFD_API_FEATURES is not said to be since any release", ""},
		{"finds a set that had the bit of a later symbol", func(t *testing.T, m *abi.Model, r truths) {
			find(t, r.old, "UFFD_API_FEATURES").Value = abi.Unsigned(3)
		}, "Linux 6.1 has bit 1 of UFFD_API_FEATURES, said to be since 6.5", ""},
		{"finds a set with a bit that is not claimed", func(t *testing.T, m *abi.Model, r truths) {
			find(t, r.old, "UFFD_API_FEATURES").Value = abi.Unsigned(5)
		}, "value of bit 2 of UFFD_API_FEATURES is 0x1 (Linux 6.1), and is not claimed", ""},
		{"finds a bit-field of another place", func(t *testing.T, m *abi.Model, r truths) {
			for _, m := range []*abi.Model{m, r.old, r.edition, r.newer} {
				m.Structs[0].Fields[1].BitSize = 3
			}
			r.edition.Structs[0].Fields[1].BitOffset = 5
		}, "bits of uffdio_a.end: claimed 3 from bit 64, really 3 from bit 69 (Linux 6.12)", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			make := func(features uint64, more ...abi.Constant) *abi.Model {
				return model(append([]abi.Constant{constant("UFFD_FEATURE_A", 1, "4.3"), constant("UFFD_API_FEATURES", features, "4.3")}, more...), "start", "end")
			}
			b := constant("UFFD_FEATURE_B", 2, "6.5")
			c := &claim.Claim{Edition: abi.Release{Major: 6, Minor: 12}, Model: make(3, b)}
			r := truths{make(1), make(3, b), make(3, b)}
			tt.tamper(t, c.Model, r)
			var v claim.Verdict
			v.Add(c.Hold(claim.Truth{Linux: abi.Release{Major: 6, Minor: 1}, Model: r.old}), "")
			v.Add(c.Hold(claim.Truth{Linux: c.Edition, Model: r.edition}), "")
			v.Add(c.Hold(claim.Truth{Linux: abi.Release{Major: 7}, Model: r.newer}), "")
			if v.Compared < 30 {
				t.Errorf("only %d facts compared", v.Compared)
			}
			if got := strings.Join(v.Wrong, "\n"); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := strings.Join(v.News, "|"); got != tt.news {
				t.Errorf("the news are %q, want %q", got, tt.news)
			}
		})
	}
}

// TestHoldFiles holds the real files against newer headers that have more.
func TestHoldFiles(t *testing.T) {
	all, _ := load(t)
	for _, c := range all["arm64"] {
		m := *c.Model
		m.Structs = slices.Clone(m.Structs)
		for i, s := range m.Structs {
			if s.Name == "uffd_msg.arg" {
				m.Structs[i].Fields = append(slices.Clone(s.Fields), abi.Field{Name: "news", Size: 8, Kind: "uint64"})
			}
		}
		newer := claim.Truth{Linux: abi.Release{Major: 99}, Model: &m}
		if v := c.Hold(newer); len(v.Wrong) > 0 || (len(v.News) == 1) != (c.Source == claim.Sources[0]) {
			t.Errorf("%s: wrong %q, news %q", c.Source.Header, v.Wrong, v.News)
		}
		whole := claim.Truth{Linux: c.Edition, Model: c.Model}
		c.File, _ = bindings.Load("../../zuffd_linux_386.go", "386")
		if v := c.Hold(whole); len(v.Wrong) == 0 {
			t.Errorf("%s: another file is not wrong", c.Source.Header)
		}
		c.File = nil
		if v := c.Hold(whole); len(v.Wrong) > 0 {
			t.Errorf("%s: %q", c.Source.Header, v.Wrong)
		}
	}
}

// TestEveryFileHasItsArchitecture: nothing is committed that nobody judges.
func TestEveryFileHasItsArchitecture(t *testing.T) {
	var want []string
	for _, a := range arch.All {
		want = append(want, a.Go)
	}
	slices.Sort(want)
	for _, source := range claim.Sources {
		prefix := "../../" + source.Stem + "_linux_"
		files, err := filepath.Glob(prefix + "*.go")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(f, prefix), ".go"))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: files for %v, architectures %v", source.Header, got, want)
		}
	}
}
