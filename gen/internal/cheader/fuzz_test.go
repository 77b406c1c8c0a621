package cheader_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/headers"
)

// FuzzParse holds the parser to an error or a model: never a panic, never a
// hang. The bytes are the header, and the documentation as well.
func FuzzParse(f *testing.F) {
	all, err := filepath.Glob("testdata/*.h")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range append(all, "../../../headers/linux/userfaultfd.h") {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		"#define A B\n#define B A\n", "#include \"a.h\"\n", "#include <a.h>\n", "struct s { struct s x; };", "struct s { int a:0; int :5; int b:33; };",
		"union u { struct { int a[0]; }; };", "#define F(x) F(x)\n#define G F(1)\n", "enum e { A = 1/0 };", "int a[-1];", "struct s { int a[1<<30][1<<30]; };",
		"/*", "\"", "#", "#define", "#define \\\n", "struct {", "'", "struct s { int a __attribute__((aligned(0))); };",
	} {
		f.Add([]byte(s))
	}
	ioctl, err := headers.FS.ReadFile("linux/ioctl.h")
	if err != nil {
		f.Fatal(err)
	}
	asm, err := headers.FS.ReadFile("asm/ioctl.h")
	if err != nil {
		f.Fatal(err)
	}
	types, err := headers.FS.ReadFile("linux/types.h")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := fstest.MapFS{
			"a.h":           {Data: b},
			"linux/ioctl.h": {Data: ioctl},
			"asm/ioctl.h":   {Data: asm},
			"linux/types.h": {Data: types},
		}
		s := cheader.NewSysroot("fuzz", fsys)
		m, err := cheader.Parse(s, s, "arm64", "a.h")
		if (m == nil) == (err == nil) {
			t.Errorf("Parse: %v and %v", m, err)
		}
		if err != nil && strings.Contains(err.Error(), "not parsed after") {
			t.Error(err) // bounded, but a defect to know of
		}
	})
}
