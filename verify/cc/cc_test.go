package cc_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/facts"
	"github.com/zuffd/uffd/verify/generator"
)

const root = "../.."

// generate returns the generator's model of a header.
func generate(t *testing.T, sysroot, arch, header string) *abi.Model {
	t.Helper()
	models, err := generator.Models(t.Context(), root, sysroot, header, arch)
	if err != nil {
		t.Fatal(err)
	}
	return models[arch]
}

// absolute is the path of a directory in the module.
func absolute(t *testing.T, dir string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, dir))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func eachCompiler(t *testing.T, test func(t *testing.T, c cc.Compiler)) {
	for _, c := range cc.Compilers {
		t.Run(c.Arch, func(t *testing.T) {
			if !c.Installed() {
				t.Skipf("%s is not installed (Debian's %s)", c.Command[0], c.Package)
			}
			test(t, c)
		})
	}
}

// TestCompilersAgreeWithTheGenerator asks about each symbol of the generator's
// model by name; and, without names, for every symbol that the compiler sees,
// so that one that the generator left out is found, too.
func TestCompilersAgreeWithTheGenerator(t *testing.T) {
	headers := absolute(t, "headers")
	for _, source := range bindings.Sources {
		t.Run("on "+source.Header, func(t *testing.T) {
			eachCompiler(t, func(t *testing.T, c cc.Compiler) {
				m := generate(t, headers, c.Arch, source.Header)
				compared, wrong, err := c.Compare(m, []string{headers})
				if err != nil {
					t.Fatal(err)
				}
				if compared < 50 {
					t.Errorf("only %d values compared", compared)
				}
				for _, d := range wrong {
					t.Error(d)
				}
				truth, err := c.Describe([]string{headers}, source.Header, nil)
				if err != nil {
					t.Fatal(err)
				}
				compared, differ := facts.Compare(facts.Of(m), facts.Of(truth))
				if compared < 50 {
					t.Errorf("only %d facts compared", compared)
				}
				for _, d := range differ {
					t.Error(d)
				}
			})
		})
	}
}

// TestCompilersAgreeOnHardHeaders compares what C has beyond userfaultfd.h:
// the generator's test headers, each a construct of its own.
func TestCompilersAgreeOnHardHeaders(t *testing.T) {
	sysroot := absolute(t, "gen/internal/cheader/testdata")
	all, err := filepath.Glob(sysroot + "/*.h")
	if err != nil || len(all) == 0 {
		t.Fatalf("no test headers in %s (%v)", sysroot, err)
	}
	for _, path := range all {
		header := filepath.Base(path)
		t.Run("on "+header, func(t *testing.T) {
			eachCompiler(t, func(t *testing.T, c cc.Compiler) {
				m := generate(t, sysroot, c.Arch, header)
				_, wrong, err := c.Compare(m, []string{sysroot})
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range wrong {
					t.Error(d)
				}
			})
		})
	}
}

// TestCompilerFindsLies plants a lie of each kind in a model.
func TestCompilerFindsLies(t *testing.T) {
	headers := absolute(t, "headers")
	field := func(m *abi.Model, tag, name string) *abi.Field {
		for i, s := range m.Structs {
			for j, f := range s.Fields {
				if s.Name == tag && f.Name == name {
					return &m.Structs[i].Fields[j]
				}
			}
		}
		t.Fatalf("no %s.%s", tag, name)
		return nil
	}
	ioctl := func(m *abi.Model, name string) *abi.Ioctl {
		for i := range m.Ioctls {
			if m.Ioctls[i].Name == name {
				return &m.Ioctls[i]
			}
		}
		t.Fatalf("no ioctl %s", name)
		return nil
	}
	lies := []struct {
		name  string
		plant func(*abi.Model)
		want  string
	}{
		{"a wrong constant", func(m *abi.Model) {
			for i := range m.Constants {
				if m.Constants[i].Name == "UFFDIO_POISON" {
					m.Constants[i].Value = abi.Unsigned(0xc020aa09)
				}
			}
		}, "value of UFFDIO_POISON"},
		{"a wrong offset", func(m *abi.Model) { field(m, "uffdio_poison", "mode").Offset = 24 }, "offset of uffdio_poison.mode"},
		{"a wrong offset in a union", func(m *abi.Model) { field(m, "uffd_msg.arg.pagefault", "address").Offset = 16 }, "offset of uffd_msg.arg.pagefault.address"},
		{"a wrong signedness", func(m *abi.Model) { field(m, "uffdio_poison", "updated").Type.Spelling = "__u64" }, "signedness of uffdio_poison.updated"},
		{"a wrong direction of an ioctl", func(m *abi.Model) { ioctl(m, "UFFDIO_POISON").Dir = "w" }, "encoding of UFFDIO_POISON as _IOW(170, 8, char[32])"},
		{"a wrong size in an ioctl", func(m *abi.Model) { ioctl(m, "UFFDIO_POISON").Size = 24 }, "encoding of UFFDIO_POISON as _IOWR(170, 8, char[24])"},
		{"the size of an unpacked struct", func(m *abi.Model) {
			for i := range m.Structs {
				if m.Structs[i].Name == "uffd_msg" {
					m.Structs[i].Align = 8
				}
			}
		}, "alignment of uffd_msg"},
	}
	c, _ := cc.For("arm64")
	if !c.Installed() {
		c, _ = cc.For("amd64")
	}
	if !c.Installed() {
		t.Skipf("%s is not installed (Debian's %s)", c.Command[0], c.Package)
	}
	for _, lie := range lies {
		t.Run("finds "+lie.name, func(t *testing.T) {
			m := generate(t, headers, c.Arch, "linux/userfaultfd.h")
			lie.plant(m)
			_, wrong, err := c.Compare(m, []string{headers})
			if err != nil {
				t.Fatal(err)
			}
			if len(wrong) != 1 || wrong[0].What != lie.want {
				t.Errorf("found %v, want %s", wrong, lie.want)
			}
		})
	}
	t.Run("finds a symbol that the header does not have", func(t *testing.T) {
		m := generate(t, headers, c.Arch, "linux/userfaultfd.h")
		m.Constants = append(m.Constants, abi.Constant{Name: "UFFDIO_TELEPORT"})
		if _, _, err := c.Compare(m, []string{headers}); err == nil || !strings.Contains(err.Error(), "UFFDIO_TELEPORT") {
			t.Errorf("got %v, want an error that names UFFDIO_TELEPORT", err)
		}
	})
}
