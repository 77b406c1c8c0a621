package lies

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/history"
)

// An edit replaces text in a declaration of a generated file, and leaves what
// belongs to others.
type edit struct{ declaration, old, new string }

// fileLies are lies in a generated file alone, which the generator's model
// does not tell. They stand in the assertions of the file, too, so that it
// compiles.
var fileLies = []struct {
	name    string
	edits   []edit
	caught  string // by which oracles, beside those that make the file anew
	running window // of BTF
}{
	{"fields of equal size that are swapped", []edit{
		{"type UffdioCopy struct", "Dst uint64", "Tmp uint64"},
		{"type UffdioCopy struct", "Src uint64", "Dst uint64"},
		{"type UffdioCopy struct", "Tmp uint64", "Src uint64"},
		{"func _(UffdioCopy", "[0]struct{}([unsafe.Offsetof(UffdioCopy.Dst)", "[8]struct{}([unsafe.Offsetof(UffdioCopy.Dst)"},
		{"func _(UffdioCopy", "[8]struct{}([unsafe.Offsetof(UffdioCopy.Src)", "[0]struct{}([unsafe.Offsetof(UffdioCopy.Src)"},
	}, "compiler headers history BTF", always},
	{"a wrong size", []edit{
		{"type UffdioPoison struct", "Updated int64", "Updated int32"},
		{"func _(UffdioPoison", "(*int64)", "(*int32)"},
	}, "compiler headers history BTF", hasPoison},
	{"a wrong signedness", []edit{
		{"type UffdioPoison struct", "Updated int64", "Updated uint64"},
		{"func _(UffdioPoison", "(*int64)", "(*uint64)"},
	}, "compiler headers history BTF", hasPoison},
	{"a field that is renamed", []edit{
		{"type UffdioPoison struct", "Updated int64", "Poisoned int64"},
		{"func _(UffdioPoison", "UffdioPoison.Updated", "UffdioPoison.Poisoned"},
	}, "compiler headers history BTF", hasPoison},
	{"a field that no header has", []edit{{"type UffdioApi struct", "Api uint64", "Bogus [0]uint64\n\tApi uint64"}}, "compiler headers", always},
	{"an accessor that is missing", []edit{{"// Reserved returns", "func (s *UffdMsg) Reserved()", "func _(s *UffdMsg)"}}, "compiler headers history BTF", always},
	{"an accessor of another place", []edit{{"// Remap returns", "&s.Arg)", "&s.Arg[1])"}}, "compiler headers history BTF", always},
	{"an accessor of another type", []edit{{"// Fork returns", "UffdMsgFork", "UffdMsgRemove"}}, "compiler headers history BTF", always},
	{"a method that no header has", []edit{{"func _(UffdioApi", "func _(UffdioApi", "func (s *UffdioApi) Reset() {}\n\nfunc _(UffdioApi"}}, "compiler headers", always},
	{"a function that no header has", []edit{{"func _(UffdioApi", "func _(UffdioApi", "func init() {}\n\nfunc _(UffdioApi"}}, "compiler headers", always},
	{"a type that no header has", []edit{{"func _(UffdioApi", "func _(UffdioApi", "type UffdioRaw uint64\n\nfunc _(UffdioApi"}}, "compiler headers", always},
	{"a wrong ioctl", []edit{{"const (", "UFFDIO_POISON = 0x", "UFFDIO_POISON = 1 + 0x"}}, "compiler headers history", always},
	{"a constant with a type", []edit{{"const (", "UFFDIO_POISON = 0x", "UFFDIO_POISON uint32 = 0x"}}, "compiler headers history", always},
	{"a constant that is missing", []edit{{"const (", "\tUFFDIO_COPY_MODE_WP = 0x2\n", ""}}, "compiler headers history", always},
	{"a constant that no header has", []edit{{"const (", "UFFD_API = 0xaa\n", "UFFD_API = 0xaa\n\tUFFD_ABI = 0xaa\n"}}, "compiler headers", always},
	{"a wrong release of a constant", []edit{{"const (", "UFFDIO_POISON works. Asking for it changes nothing.\n\t// Since Linux 6.6.", "UFFDIO_POISON works. Since Linux 6.1."}}, "", always},
	{"a wrong release of a struct", []edit{{"// UffdioMove is", "Since Linux 6.8.", "Since Linux 5.7."}}, "", always},
	{"a wrong release of a member", []edit{{"type UffdMsgPagefault struct", "Since Linux 4.14.", "Since Linux 6.1."}}, "", always},
	{"a wrong release of an accessor", []edit{{"// Remap returns", "Since Linux 4.11.", "Since Linux 6.1."}}, "", always},
	{"a release that is missing", []edit{{"// UffdioMove is", " Since Linux 6.8.", ""}}, "", always},
	{"two releases", []edit{{"// UffdioMove is", "Since Linux 6.8.", "Since Linux 6.8. Since Linux 6.9."}}, "", always},
	{"a constraint that keeps it from being built", []edit{{"// Code generated", "// Code generated", "//go:build ignore\n\n// Code generated"}}, "compiler headers history BTF", always},
}

var declarationEnd = regexp.MustCompile(`\n[)}]\n`)

// apply makes an edit. Its text must be there, or it would be no lie.
func (e edit) apply(t *testing.T, text string) string {
	t.Helper()
	for at := 0; ; {
		next := strings.Index(text[at:], e.declaration)
		if next < 0 {
			t.Fatalf("there is no %q with %q to lie about", e.declaration, e.old)
		}
		at += next
		end := at + declarationEnd.FindStringIndex(text[at:])[0]
		if strings.Contains(text[at:end], e.old) {
			return text[:at] + strings.ReplaceAll(text[at:end], e.old, e.new) + text[end:]
		}
		at++
	}
}

// TestLiesInFiles edits a copy of the generated file for this machine.
func TestLiesInFiles(t *testing.T) {
	said := honest(t)
	name := said.Source.File(runtime.GOARCH)
	honestText, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	asked := oracles(t)
	dir := t.TempDir()
	for _, sysroot := range sysroots(t) {
		asked = append(asked, oracle{sysroot.name, func(*claim.Claim) ([]string, error) {
			diff, err := claim.Regenerate(t.Context(), root, sysroot.dir, dir, said.Source.Header, runtime.GOARCH)
			return strings.Fields(diff), err
		}})
	}
	ask := func(t *testing.T, text string) map[string][]string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		c := honest(t)
		c.File, c.Err = bindings.Load(path, runtime.GOARCH)
		answers := map[string][]string{}
		for _, o := range asked {
			wrong, err := o.contradicts(c)
			if err != nil {
				t.Errorf("%s: %v", o.name, err)
			}
			if len(wrong) > 0 {
				answers[o.name] = wrong
			}
		}
		return answers
	}
	if answers := ask(t, string(honestText)); len(answers) > 0 {
		t.Fatalf("the truth is contradicted: %v", answers)
	}
	for _, lie := range fileLies {
		t.Run(lie.name, func(t *testing.T) {
			text := string(honestText)
			for _, e := range lie.edits {
				text = e.apply(t, text)
			}
			answers := ask(t, text)
			know := strings.Fields(lie.caught + " check regenerated")
			for _, o := range asked {
				wrong, noticed := answers[o.name]
				if o.name == "BTF" && !lie.running.has(running(t)) {
					continue
				}
				if knows := slices.Contains(know, o.name); knows && !noticed {
					t.Errorf("%s does not notice", o.name)
				} else if !knows && noticed {
					t.Errorf("%s notices, and is not listed as knowing: %v", o.name, wrong)
				}
			}
		})
	}
}

type sysroot struct{ name, dir string }

// sysroots returns the headers that the generator can make the file of: ours,
// and the kernel's own of the same release. What comes of both is the file,
// byte for byte.
func sysroots(t *testing.T) []sysroot {
	ours, err := filepath.Abs(filepath.Join(root, "headers"))
	if err != nil {
		t.Fatal(err)
	}
	all := []sysroot{{"check", ours}}
	cache, err := debian.Open()
	if err != nil {
		missing(t, "regenerated", err)
		return all
	}
	cache.Offline = os.Getenv("UFFD_VERIFY") == ""
	trees, _, err := history.Trees(t.Context(), cache)
	if err != nil {
		missing(t, "regenerated", err)
	}
	for _, tree := range trees {
		if tree.Linux == honest(t).Edition {
			all = append(all, sysroot{"regenerated", tree.Sysroot})
		}
	}
	return all
}
