// Package edition_test brings editions of older releases up to newer kernels,
// with the command behind make kernel and the headers that Debian has.
package edition_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
)

// root is the main module's directory.
const root = "../.."

var names = []string{"linux/userfaultfd.h", "linux/fs.h"}

var arches = []string{"386", "amd64", "arm", "arm64", "loong64", "mips64le", "ppc64le", "riscv64", "s390x"}

// TestAnEditionIsBroughtUp takes out of today's headers what came after a
// release, and has the command bring the rest up to today's release again.
func TestAnEditionIsBroughtUp(t *testing.T) {
	today := release(t, filepath.Join(root, "headers"))
	newest := sysroot(t, "trixie-backports", today)
	want := facts(t, filepath.Join(root, "headers"))
	for _, old := range []struct{ release, suite string }{{"7.2", "trixie-backports"}, {"6.12", "trixie"}} {
		t.Run("from "+old.release, func(t *testing.T) {
			dir := without(t, old.release)
			// What was taken out is what the kernel of that release did not
			// have, or this test tests less than it says.
			theirs, ours := facts(t, sysroot(t, old.suite, old.release)), facts(t, dir)
			for name, value := range ours {
				if theirs[name] != value {
					t.Errorf("the edition of %s has %s: %s, and its kernel %q", old.release, name, value, theirs[name])
				}
			}
			gone := 0
			for name := range want {
				if _, ok := ours[name]; !ok {
					gone++
				}
			}
			if gone < 9*8 {
				t.Errorf("only %d facts are missing from the edition of %s", gone, old.release)
			}
			out, err := goRun(t, "./gen/edition", "-headers", dir, "-sysroot", newest)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			compare(t, "the generator", facts(t, dir), want)
			if got := release(t, dir); got != today {
				t.Errorf("the edition is of %s, want %s", got, today)
			}
			for _, goarch := range arches {
				c, ok := arch.For(goarch)
				if !ok || c.Missing() != nil {
					t.Logf("no compiler for %s", goarch)
					continue
				}
				compare(t, c.CC[0], compiled(t, c, dir), compiled(t, c, filepath.Join(root, "headers")))
			}
			text := ""
			for _, name := range names {
				text += read(t, filepath.Join(dir, name))
			}
			if n := strings.Count(text, "TODO: describe."); n < 8 || n != strings.Count(out, " is to be described\n") {
				t.Errorf("%d symbols are to be described, and these are named:\n%s", n, out)
			}
		})
	}
}

// compare holds facts against those of today's headers.
func compare(t *testing.T, judge string, got, want map[string]string) {
	t.Helper()
	if len(want) < 50 {
		t.Errorf("%s: only %d facts", judge, len(want))
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s: %s is %q, want %q", judge, name, got[name], want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is %q, and not in today's headers", judge, name, got[name])
		}
	}
}

// without returns a copy of today's headers without what came after a release:
// the paragraphs that say so, and the flags that they define out of every set.
func without(t *testing.T, last string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(root, "headers"))); err != nil {
		t.Fatal(err)
	}
	since := regexp.MustCompile(`Since[\s*]+Linux[\s*]+(\d+\.\d+)\.\s*\*/\n(?:#define|struct) (\w+)`)
	for _, name := range names {
		path := filepath.Join(dir, name)
		var kept, flags []string
		for paragraph := range strings.SplitSeq(read(t, path), "\n\n") {
			if m := since.FindStringSubmatch(paragraph); m != nil && code(t, m[1]) > code(t, last) {
				flags = append(flags, m[2])
				continue
			}
			kept = append(kept, paragraph)
		}
		text := strings.Join(kept, "\n\n")
		for _, flag := range flags {
			text = regexp.MustCompile(`\s*\|[\s\\]*(?:\(__u64\)1 << )?`+flag+`\b`).ReplaceAllString(text, "")
		}
		write(t, path, text)
	}
	write(t, filepath.Join(dir, "linux/version.h"), fmt.Sprintf("#define LINUX_VERSION_CODE %d\n", code(t, last)))
	return dir
}

// code returns a release as LINUX_VERSION_CODE counts it.
func code(t *testing.T, release string) int {
	t.Helper()
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("%q is no release", release)
	}
	return major<<16 | minor<<8
}

// release returns the release that a tree of headers is of.
func release(t *testing.T, dir string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^#define LINUX_VERSION_CODE (\d+)`).FindStringSubmatch(read(t, filepath.Join(dir, "linux/version.h")))
	if m == nil {
		t.Fatalf("%s does not say of which release it is", dir)
	}
	code, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d.%d", code>>16, code>>8&0xff)
}

// sysroot returns the include root of a release of Debian's kernel headers.
func sysroot(t *testing.T, suite, release string) string {
	t.Helper()
	cache, err := debian.Open()
	if err != nil {
		t.Skip(err)
	}
	cache.Log = os.Stderr
	cache.Offline = os.Getenv("UFFD_VERIFY") == "" // only make verify fetches
	e, err := cache.Extract(t.Context(), debian.Query{
		Index:   debian.Index{Suite: suite, Arch: "amd64"},
		Name:    regexp.MustCompile(`^linux-libc-dev$`),
		Version: release + ".",
	}, nil)
	if err != nil {
		t.Skipf("kernel headers of %s cannot be had (make verify fetches them): %v", release, err)
	}
	return filepath.Join(e.Dir, "usr", "include")
}

// part is what today's headers have of a header.
var part = map[string]*regexp.Regexp{
	"linux/userfaultfd.h": regexp.MustCompile(``),
	"linux/fs.h":          regexp.MustCompile(`^(PAGE_IS_|PM_SCAN_|PAGEMAP_SCAN$|PROCFS_IOCTL_MAGIC$|pm_scan_arg|page_region)`),
}

// facts returns what the generator says of headers in a sysroot, for each
// architecture.
func facts(t *testing.T, sysroot string) map[string]string {
	t.Helper()
	sysroot, err := filepath.Abs(sysroot)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	out, err := goRun(t, "./gen", "-json", "-arch", strings.Join(arches, ","), "-sysroot", sysroot)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		m := new(abi.Model)
		if err := d.Decode(m); err != nil {
			t.Fatal(err)
		}
		add(all, m)
	}
	return all
}

// compiled returns what a C compiler says of headers in a sysroot.
func compiled(t *testing.T, c arch.Arch, sysroot string) map[string]string {
	t.Helper()
	sysroot, err := filepath.Abs(sysroot)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, header := range names {
		truth, err := cc.Header{Arch: c, Include: []string{sysroot}, Name: header}.Truth(abi.Release{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		add(all, truth.Model)
	}
	return all
}

// add adds what a model says, by the name of what it says it of.
func add(all map[string]string, m *abi.Model) {
	in := part[m.Header].MatchString
	for _, c := range m.Constants {
		if in(c.Name) {
			all[m.Arch+": "+c.Name] = c.Value.String()
		}
	}
	for _, i := range m.Ioctls {
		if in(i.Name) {
			all[m.Arch+": ioctl "+i.Name] = fmt.Sprint(i.Dir, i.Type, i.Nr, i.Size, i.Struct)
		}
	}
	for _, s := range m.Structs {
		if !in(s.Name) {
			continue
		}
		all[m.Arch+": struct "+s.Name] = fmt.Sprint(s.Union, s.Size, s.Align, len(s.Fields))
		for i, f := range s.Fields {
			all[fmt.Sprintf("%s: member %d of %s", m.Arch, i, s.Name)] = fmt.Sprint(f.Name, f.Offset, f.Size, f.BitOffset, f.BitSize, f.Type.Spelling, f.Kind)
		}
	}
}

// goRun runs a command of the main module on the headers.
func goRun(t *testing.T, command string, args ...string) (stdout string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"run", command}, args, names)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go run %s: %w\n%s", command, err, stderr.Bytes())
	}
	return string(out), err
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
