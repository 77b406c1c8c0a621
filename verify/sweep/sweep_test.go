package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/cc"
)

const swept = `
#define ANSWER 42
#define TEXT "text"
#define SEND _IOW('x', 1, struct s)
enum color { RED = -1, GREEN, BLUE = 7 };
struct s {
	char a;
	int b : 3, c : 9;
	union { long long d; float e; } u;
	struct { short f; } nameless[2];
	enum color color;
	struct { int g; };
} __attribute__((packed));
`

// headerAndModel returns a header, and the generator's model of it.
func headerAndModel(t *testing.T, goarch string) (cc.Header, *abi.Model) {
	t.Helper()
	c, _ := arch.For(goarch)
	if err := c.Missing(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../headers")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "swept.h"), []byte(swept), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", "./gen", "-json", "-sysroot", dir, "-arch", goarch, "swept.h")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var m abi.Model
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return cc.Header{Arch: c, Include: []string{dir}, Name: "swept.h"}, &m
}

func TestTheJudgeAgrees(t *testing.T) {
	for _, goarch := range []string{"amd64", "386", "s390x"} {
		t.Run(goarch, func(t *testing.T) {
			h, m := headerAndModel(t, goarch)
			compared, wrong, err := compare(h, m)
			if err != nil {
				t.Fatal(err)
			}
			if len(wrong) > 0 || compared != 41 {
				t.Errorf("of %d facts wrong: %s", compared, strings.Join(wrong, "\n"))
			}
		})
	}
}

// TestTheJudgeFindsLies plants one of each kind in a model.
func TestTheJudgeFindsLies(t *testing.T) {
	of := func(m *abi.Model, name string) *abi.Struct {
		for i := range m.Structs {
			if m.Structs[i].Name == name {
				return &m.Structs[i]
			}
		}
		t.Fatalf("no struct %s", name)
		return nil
	}
	for name, lie := range map[string]struct {
		plant func(m *abi.Model)
		want  string
	}{
		"a value":              {func(m *abi.Model) { m.Constants[0].Value = abi.Unsigned(43) }, "value of ANSWER: claimed 0x2b, really 0x2a"},
		"a constant too few":   {func(m *abi.Model) { m.Constants = m.Constants[1:] }, "value of ANSWER: not claimed (without a reason), really 0x2a"},
		"a constant too many":  {func(m *abi.Model) { m.Constants = append(m.Constants, abi.Constant{Name: "NONE"}) }, "value of NONE: claimed 0x0, which the compiler does not know"},
		"an enumerator":        {func(m *abi.Model) { m.Constants[len(m.Constants)-1].Value = abi.Unsigned(8) }, "value of BLUE: claimed 0x8, really 0x7"},
		"a sign of an enum":    {func(m *abi.Model) { m.Enums[0].Signed = false }, "sign of enum color"},
		"a size":               {func(m *abi.Model) { of(m, "s").Size++ }, "size of s"},
		"an alignment":         {func(m *abi.Model) { of(m, "s").Align = 4 }, "alignment of s: claimed 4, really 1"},
		"an offset":            {func(m *abi.Model) { of(m, "s").Fields[3].Offset++ }, "offset of s.u"},
		"a bit":                {func(m *abi.Model) { of(m, "s").Fields[2].BitOffset++ }, "bits of s.c"},
		"a width":              {func(m *abi.Model) { of(m, "s").Fields[1].BitSize = 4 }, "bits of s.b"},
		"a sign":               {func(m *abi.Model) { of(m, "s").Fields[0].Kind = "int8" }, "type of s.a"},
		"a member of a union":  {func(m *abi.Model) { of(m, "s.u").Fields[1].Kind = "int32" }, "type of s.u.e"},
		"a union's member":     {func(m *abi.Model) { of(m, "s.u").Fields = of(m, "s.u").Fields[:1] }, "offset of s.u.e: not claimed"},
		"a nameless element":   {func(m *abi.Model) { of(m, "s.nameless").Fields[0].Offset = 1 }, "offset of s.nameless.f"},
		"a member too few":     {func(m *abi.Model) { of(m, "s").Fields = of(m, "s").Fields[:6] }, "offset of s.6: not claimed"},
		"a struct too few":     {func(m *abi.Model) { m.Structs = nil }, "s: not claimed"},
		"an ioctl too few":     {func(m *abi.Model) { m.Ioctls = nil }, "ioctl of SEND: not claimed"},
		"an ioctl's argument":  {func(m *abi.Model) { m.Ioctls[0].Struct = "t" }, "ioctl of SEND"},
		"an ioctl's direction": {func(m *abi.Model) { m.Ioctls[0].Dir = "r" }, "ioctl of SEND"},
		"an ioctl's size":      {func(m *abi.Model) { m.Ioctls[0].Size++ }, "ioctl of SEND"},
	} {
		t.Run(name, func(t *testing.T) {
			h, m := headerAndModel(t, "s390x")
			lie.plant(m)
			_, wrong, err := compare(h, m)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(wrong, "\n"); !strings.Contains(got, lie.want) {
				t.Errorf("found %q, want %q", got, lie.want)
			}
		})
	}
}

// TestTypesAreLeftOutWithAReason has neither the struct nor the enum of a header
// in its model, but why.
func TestTypesAreLeftOutWithAReason(t *testing.T) {
	h, m := headerAndModel(t, "amd64")
	m.Structs, m.Enums = nil, nil
	m.Omitted = append(m.Omitted, abi.Omission{Name: "s", Reason: "why"}, abi.Omission{Name: "color", Reason: "why"})
	if _, wrong, err := compare(h, m); len(wrong) > 0 || err != nil {
		t.Errorf("wrong (%v): %s", err, strings.Join(wrong, "\n"))
	}
}

func TestResultsReplaceOlderOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "SWEEP.md")
	for _, o := range []*outcome{
		{release: "6.1", arch: "amd64", source: "a 1"},
		{release: "7.3", arch: "386", source: "b 2", found: map[finding][]*verdict{refused: {{header: "x.h", why: "why\nelse"}}}},
		{release: "6.12", arch: "arm64", source: "d 4", found: map[finding][]*verdict{refused: {{header: "y.h", why: "old"}}}},
		{release: "6.1", arch: "amd64", source: "c 3"},
		{release: "6.12", arch: "arm64", source: "e 5"},
	} {
		if err := record(path, o); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const want = "| --- |\n" +
		"| 7.3 | 386 | b 2 |  | 0 | 0 | 0 | 0 | 1 | 0 | 0 | 0 |\n" +
		"| 6.12 | arm64 | e 5 |  | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |\n" +
		"| 6.1 | amd64 | c 3 |  | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |\n" +
		"\nRefused, with the reason:\n\n- 7.3 386, x.h: why; else\n"
	if !strings.HasSuffix(string(got), want) {
		t.Errorf("got\n%s\nwant it to end with\n%s", got, want)
	}
}
