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
	"github.com/zuffd/uffd/verify/btf"
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
	caught  string // by which oracles
	running window // of BTF
}{
	{"fields of equal size that are swapped", []edit{
		{"type UffdioCopy struct", "Dst uint64", "Tmp uint64"},
		{"type UffdioCopy struct", "Src uint64", "Dst uint64"},
		{"type UffdioCopy struct", "Tmp uint64", "Src uint64"},
		{"func _(UffdioCopy", "[0]struct{}([unsafe.Offsetof(UffdioCopy.Dst)", "[8]struct{}([unsafe.Offsetof(UffdioCopy.Dst)"},
		{"func _(UffdioCopy", "[8]struct{}([unsafe.Offsetof(UffdioCopy.Src)", "[0]struct{}([unsafe.Offsetof(UffdioCopy.Src)"},
	}, "compiler headers BTF", always},
	{"a wrong size", []edit{
		{"type UffdioPoison struct", "Updated int64", "Updated int32"},
		{"func _(UffdioPoison", "(*int64)", "(*int32)"},
	}, "compiler headers BTF", hasPoison},
	{"a wrong signedness", []edit{
		{"type UffdioPoison struct", "Updated int64", "Updated uint64"},
		{"func _(UffdioPoison", "(*int64)", "(*uint64)"},
	}, "compiler headers BTF", hasPoison},
	{"a field that is renamed", []edit{
		{"type UffdioPoison struct", "Updated int64", "Poisoned int64"},
		{"func _(UffdioPoison", "UffdioPoison.Updated", "UffdioPoison.Poisoned"},
	}, "compiler headers BTF", hasPoison},
	{"a field that no header has", []edit{{"type UffdioApi struct", "Api uint64", "Bogus [0]uint64\n\tApi uint64"}}, "compiler headers", always},
	{"an accessor that is missing", []edit{{"// Reserved returns", "func (s *UffdMsg) Reserved()", "func _(s *UffdMsg)"}}, "compiler headers BTF", always},
	{"an accessor of another place", []edit{{"// Remap returns", "&s.Arg)", "&s.Arg[1])"}}, "compiler headers BTF", always},
	{"an accessor of another type", []edit{{"// Fork returns", "UffdMsgFork", "UffdMsgRemove"}}, "compiler headers BTF", always},
	{"a method that no header has", []edit{{"func _(UffdioApi", "func _(UffdioApi", "func (s *UffdioApi) Reset() {}\n\nfunc _(UffdioApi"}}, "compiler headers", always},
	{"a function that no header has", []edit{{"func _(UffdioApi", "func _(UffdioApi", "func init() {}\n\nfunc _(UffdioApi"}}, "compiler headers", always},
	{"a type that no header has", []edit{{"func _(UffdioApi", "func _(UffdioApi", "type UffdioRaw uint64\n\nfunc _(UffdioApi"}}, "compiler headers", always},
	{"a wrong ioctl", []edit{{"const (", "UFFDIO_POISON = 0x", "UFFDIO_POISON = 1 + 0x"}}, "compiler headers", always},
	{"a constant with a type", []edit{{"const (", "UFFDIO_POISON = 0x", "UFFDIO_POISON uint32 = 0x"}}, "compiler headers", always},
	{"a constant that is missing", []edit{{"const (", "\tUFFDIO_COPY_MODE_WP = 0x2\n", ""}}, "compiler headers docs history", always},
	{"a constant that no header has", []edit{{"const (", "UFFD_API = 0xaa\n", "UFFD_API = 0xaa\n\tUFFD_ABI = 0xaa\n"}}, "compiler headers", always},
	{"a wrong release of a constant", []edit{{"const (", "UFFDIO_POISON works. Asking for it changes nothing.\n\t// Since Linux 6.6.", "UFFDIO_POISON works. Since Linux 6.1."}}, "docs history", always},
	{"a wrong release of a struct", []edit{{"// UffdioMove is", "Since Linux 6.8.", "Since Linux 5.7."}}, "docs history", always},
	{"a wrong release of a member", []edit{{"type UffdMsgPagefault struct", "Since Linux 4.14.", "Since Linux 6.1."}}, "docs history", always},
	{"a wrong release of an accessor", []edit{{"// Remap returns", "Since Linux 4.11.", "Since Linux 6.1."}}, "docs history", always},
	{"a release that is missing", []edit{{"// UffdioMove is", " Since Linux 6.8.", ""}}, "docs history", always},
	{"two releases", []edit{{"// UffdioMove is", "Since Linux 6.8.", "Since Linux 6.8. Since Linux 6.9."}}, "docs history", always},
	{"a constraint that keeps it from being built", []edit{{"// Code generated", "// Code generated", "//go:build ignore\n\n// Code generated"}}, "loading", always},
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
	source := bindings.Sources[0]
	honestText, err := os.ReadFile(filepath.Join(root, source.File(runtime.GOARCH)))
	if err != nil {
		t.Fatal(err)
	}
	asked := fileOracles(t)
	ask := func(t *testing.T, text string) map[string][]string {
		path := filepath.Join(t.TempDir(), source.File(runtime.GOARCH))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := bindings.Load(path, runtime.GOARCH)
		if err != nil {
			return map[string][]string{"loading": {err.Error()}}
		}
		answers := map[string][]string{}
		for name, contradicts := range asked {
			if wrong := contradicts(p); len(wrong) > 0 {
				answers[name] = wrong
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
			for _, name := range strings.Fields(lie.caught) {
				if name == "BTF" && !lie.running.has(running(t)) {
					continue
				}
				if _, ok := asked[name]; (ok || name == "loading") && answers[name] == nil {
					t.Errorf("%s does not notice", name)
				}
			}
			for name, wrong := range answers {
				if !slices.Contains(strings.Fields(lie.caught), name) {
					t.Errorf("%s notices, and is not listed as knowing: %v", name, wrong)
				}
			}
		})
	}
}

// fileOracles returns those that can be asked about a file: the compiler on
// headers/ and on the kernel's own headers, the running kernel's BTF, the
// documentation in headers/, and the history of the kernel's headers.
func fileOracles(t *testing.T) map[string]func(*bindings.Package) []string {
	all := map[string]func(*bindings.Package) []string{}
	ours, _, err := describe()
	if err != nil {
		missing(t, "compiler", err)
		t.SkipNow()
	}
	all["compiler"] = func(p *bindings.Package) []string {
		_, wrong := p.CompareAll(ours)
		return wrong
	}
	symbols := honest(t).symbols
	all["docs"] = func(p *bindings.Package) []string {
		_, wrong := symbols.Compare(p.Symbols(ours))
		return wrong
	}
	if releases, err := kernelReleases(t); err != nil {
		missing(t, "headers", err)
	} else {
		all["headers"] = func(p *bindings.Package) []string {
			_, wrong := p.CompareAll(releases[len(releases)-1].Truth)
			return wrong
		}
		all["history"] = func(p *bindings.Package) []string {
			_, wrong := history.Check(ours, p.Symbols(ours), releases)
			return wrong
		}
	}
	if kernel, err := btf.Open(btf.Running); err != nil {
		missing(t, "BTF", err)
	} else {
		all["BTF"] = func(p *bindings.Package) (wrong []string) {
			for _, tag := range symbols.Tags() {
				_, _, lines, err := kernel.Check(p, tag, running(t), symbols[tag])
				if err != nil {
					t.Fatal(err)
				}
				wrong = append(wrong, lines...)
			}
			return wrong
		}
	}
	return all
}
