package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
)

const userfaultfd = "linux/userfaultfd.h"

// gen runs the command in this process.
func gen(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	err = run(args, &out, &errs)
	return out.String(), errs.String(), err
}

// model returns what the project's own header is on an architecture.
func model(t *testing.T, arch string) *abi.Model {
	t.Helper()
	out, _, err := gen(t, "-json", "-arch", arch, userfaultfd)
	m := new(abi.Model)
	if err == nil {
		err = json.Unmarshal([]byte(out), m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// edition returns the release of this project's own headers.
func edition(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../headers/linux/version.h")
	if err != nil {
		t.Fatal(err)
	}
	release := regexp.MustCompile(`/\* (\d+\.\d+)\.0:`).FindSubmatch(text)
	if release == nil {
		t.Fatalf("no release in\n%s", text)
	}
	return string(release[1])
}

// TestPagesTellTheRelease looks into what is written by hand.
func TestPagesTellTheRelease(t *testing.T) {
	for _, page := range []string{"../doc.go", "../README.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if want := "Linux " + edition(t); !regexp.MustCompile(`of\s+(//\s*)?` + regexp.QuoteMeta(want) + `\b`).Match(text) {
			t.Errorf("%s does not say that the interface is of %s", page, want)
		}
	}
}

// generated returns the files of a directory by name.
func generated(t *testing.T, dir string) map[string]string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range all {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(b)
	}
	return files
}

func TestGeneratingTwiceGivesTheCommittedFiles(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if _, _, err := gen(t, "-sysroot", "../headers", "-o", dir, userfaultfd); err != nil {
			t.Fatal(err)
		}
		for name, content := range generated(t, dir) {
			committed, err := os.ReadFile("../" + name)
			if err != nil {
				t.Fatal(err)
			}
			if content != string(committed) {
				t.Errorf("%s is not what is committed", name)
			}
		}
	}
}

func TestWithoutASysrootTheHeadersAreThoseOfTheCommand(t *testing.T) {
	committed, err := os.ReadFile("../zuffd_linux_arm64.go")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if _, _, err := gen(t, userfaultfd); err != nil {
		t.Fatal(err)
	}
	if got := generated(t, ".")["zuffd_linux_arm64.go"]; got != string(committed) {
		t.Error("the file is not what is committed")
	}
}

func TestWhatIsNotDescribedYetIsNamed(t *testing.T) {
	root := sysroot(t, "linux/userfaultfd.h", "#define UFFDIO_POISON 1\n#define UFFD_NEW 2\nstruct uffdio_range { unsigned long long start, fresh; };\n")
	out, _, err := gen(t, "-undescribed", "-sysroot", root, userfaultfd)
	for _, want := range []string{"linux/userfaultfd.h:2: UFFD_NEW is not described yet\n", "linux/userfaultfd.h:3: uffdio_range.fresh is not described yet\n"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, out)
		}
	}
	if err == nil || strings.Count(out, "\n") != 2 {
		t.Errorf("got %v and\n%s", err, out)
	}
	if out, _, err := gen(t, "-undescribed", userfaultfd, "linux/fs.h"); err != nil || out != "" {
		t.Errorf("of this project's own headers: got %v and\n%s", err, out)
	}
}

func TestATreeThatIsOlderIsRefusedUnlessAskedFor(t *testing.T) {
	const version = "linux/version.h"
	for _, tt := range []struct {
		name    string
		tree    string
		args    []string
		refused bool
	}{
		{"an older release", sysroot(t, userfaultfd, "#define OLD 1\n", version, "#define LINUX_VERSION_CODE 393473\n"), nil, true},
		{"an older release that is asked for", sysroot(t, userfaultfd, "#define OLD 1\n", version, "#define LINUX_VERSION_CODE 393473\n"), []string{"-older"}, false},
		{"a newer release", sysroot(t, userfaultfd, "#define NEW 1\n", version, "#define LINUX_VERSION_CODE 655360\n"), nil, false},
		{"no release", sysroot(t, userfaultfd, "#define ANY 1\n"), nil, false},
		{"an older release of a header that the project does not have", sysroot(t, "linux/other.h", "#define OTHER 1\n", version, "#define LINUX_VERSION_CODE 393473\n"), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			header := userfaultfd
			if _, err := os.Stat(filepath.Join(tt.tree, header)); err != nil {
				header = "linux/other.h"
			}
			_, _, err := gen(t, append(tt.args, "-sysroot", tt.tree, "-arch", "amd64", "-o", dir, header)...)
			files := len(generated(t, dir))
			if tt.refused && (err == nil || files > 0 || !strings.Contains(err.Error(), "of Linux 6.1") || !strings.Contains(err.Error(), "-older")) {
				t.Errorf("got %v and %d files", err, files)
			}
			if !tt.refused && (err != nil || files != 1) {
				t.Errorf("got %v and %d files", err, files)
			}
		})
	}
}

func TestATreeOfSomeArchitecturesSaysWhich(t *testing.T) {
	const header = "#include <asm/ioctl.h>\n#define X _IOC_SIZEBITS\n"
	for _, tt := range []struct {
		name, tree, arch string
		want             string
	}{
		{"Debian's directories of two", sysroot(t, "a.h", header, "x86_64-linux-gnu/asm/ioctl.h", "#define _IOC_SIZEBITS 14\n", "s390x-linux-gnu/asm/ioctl.h", "#define _IOC_SIZEBITS 14\n"), "arm64", "use -arch amd64,s390x"},
		{"a directory of another one", sysroot(t, "a.h", header, "asm/ioctl.h", "#define _IOC_SIZEBITS 14\n"), "ppc64le", "asm is of another architecture; use -arch 386,amd64,arm,arm64,loong64,riscv64,s390x"},
		{"a directory of that one", sysroot(t, "a.h", header, "asm/ioctl.h", "#define _IOC_SIZEBITS 13\n"), "ppc64le", ""},
		{"none at all", sysroot(t, "a.h", header), "arm64", "looked for"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := gen(t, "-sysroot", tt.tree, "-arch", tt.arch, "-o", t.TempDir(), "a.h")
			if tt.want == "" && err == nil {
				return
			}
			if tt.want == "" || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-sysroot", "../headers", "-arch", "amd64", "-o", dir, userfaultfd}
	out, _, err := gen(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	m := model(t, "amd64")
	for _, want := range []string{"linux/userfaultfd.h of Linux " + edition(t), fmt.Sprintf("amd64  %d constants  %d structs  %d ioctls  ", len(m.Constants), len(m.Structs), len(m.Ioctls)), "new", "_LINUX_USERFAULTFD_H is left out: include guard"} {
		if !strings.Contains(out, want) {
			t.Errorf("the summary of new files lacks %q:\n%s", want, out)
		}
	}
	if out, _, _ = gen(t, args...); !strings.Contains(out, "unchanged") {
		t.Errorf("the summary of the same files lacks %q:\n%s", "unchanged", out)
	}
	path := filepath.Join(dir, "zuffd_linux_amd64.go")
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Replace(string(src), "UFFDIO_POISON = 0xc020aa08", "UFFDIO_POISON = 0xc020aa99", 1)
	old = strings.Replace(old, "\tUFFDIO_SET_MODE = ", "\tUFFDIO_GONE = ", 1)
	if err := os.WriteFile(path, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	out, _, err = gen(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"changed UFFDIO_POISON: was 0xc020aa99, is 0xc020aa08", "added UFFDIO_SET_MODE", "removed UFFDIO_GONE"} {
		if !strings.Contains(out, want) {
			t.Errorf("the summary of changes lacks %q:\n%s", want, out)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-sysroot", "../headers", "-o", dir, userfaultfd}
	check := append([]string{"-check"}, args...)
	t.Run("fails where a file is missing, and writes none", func(t *testing.T) {
		if _, _, err := gen(t, check...); err != errDiffers {
			t.Errorf("got %v", err)
		}
		if files := generated(t, dir); len(files) != 0 {
			t.Errorf("it wrote %d files", len(files))
		}
	})
	if _, _, err := gen(t, args...); err != nil {
		t.Fatal(err)
	}
	t.Run("is silent where nothing differs", func(t *testing.T) {
		if out, _, err := gen(t, check...); err != nil || out != "" {
			t.Errorf("got %v and %q", err, out)
		}
	})
	t.Run("shows the difference of one byte, and leaves it", func(t *testing.T) {
		path := filepath.Join(dir, "zuffd_linux_arm64.go")
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Replace(src, []byte("0xc020aa08"), []byte("0xc020aa09"), 1)
		if err := os.WriteFile(path, changed, 0o644); err != nil {
			t.Fatal(err)
		}
		out, _, err := gen(t, check...)
		if err != errDiffers || !strings.Contains(out, "-\tUFFDIO_POISON = 0xc020aa09\n+\tUFFDIO_POISON = 0xc020aa08\n") {
			t.Errorf("got %v and\n%s", err, out)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, changed) {
			t.Error("it changed the file")
		}
	})
}

func TestCheckShowsAChangeOnce(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := gen(t, "-sysroot", "../headers", "-arch", "all", "-o", dir, userfaultfd); err != nil {
		t.Fatal(err)
	}
	for name := range generated(t, dir) {
		path := filepath.Join(dir, name)
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		src = bytes.Replace(src, []byte("\tUFFD_EVENT_FORK = 0x13"), []byte("\tUFFD_EVENT_FORK = 0x3"), 1)
		src = regexp.MustCompile(`(?m)^\tUFFDIO_SET_MODE = 0x.*$`).ReplaceAll(src, []byte("\tUFFDIO_SET_MODE = 0x1"))
		src = bytes.Replace(src, []byte("\t// Zero.\n"), []byte("\t// Nought.\n"), 6)
		if err := os.WriteFile(path, src, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	missing := filepath.Join(dir, "zuffd_linux_s390x.go")
	if err := os.Remove(missing); err != nil {
		t.Fatal(err)
	}
	out, _, err := gen(t, "-sysroot", "../headers", "-arch", "all", "-o", dir, "-check", userfaultfd)
	if err != errDiffers {
		t.Errorf("got %v", err)
	}
	for line, want := range map[string]int{
		"-\tUFFD_EVENT_FORK = 0x3\n":        1, // the same everywhere
		"+\tUFFD_EVENT_FORK = 0x13\n":       1,
		"+\tUFFDIO_SET_MODE = 0x4010aa0a\n": 1,
		"+\tUFFDIO_SET_MODE = 0x8010aa0a\n": 1, // mips64le and ppc64le
		"+\t// Zero.\n":                     6, // two places in each file, of the same three lines
		missing + " is missing\n":           1,
		"# the same in " + dir + "/zuffd_linux_mips64le.go, " + dir + "/zuffd_linux_ppc64le.go\n": 1,
	} {
		if n := strings.Count(out, line); n != want {
			t.Errorf("%q stands %d times, want %d:\n%s", line, n, want, out)
		}
	}
}

// TestDocumentationHasGoNames looks for C names in the documentation of the
// bindings: tags, and members that no English word is spelled like.
func TestDocumentationHasGoNames(t *testing.T) {
	for header, file := range map[string]string{userfaultfd: "../zuffd_linux_amd64.go", "linux/fs.h": "../zpagemap_linux_amd64.go"} {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		comments := regexp.MustCompile(`(?m)^\s*//.*$`).FindAllString(string(src), -1)
		text := strings.ReplaceAll(strings.Join(comments, " "), "//", "")
		text = regexp.MustCompile(`of the C struct +\w+|C union's +member +\w+`).ReplaceAllString(text, "")
		out, _, err := gen(t, "-json", "-sysroot", "../headers", "-arch", "amd64", header)
		if err != nil {
			t.Fatal(err)
		}
		var m abi.Model
		if err := json.Unmarshal([]byte(out), &m); err != nil {
			t.Fatal(err)
		}
		names := 0
		look := func(name string) {
			names++
			if at := regexp.MustCompile(`(?:.{20}|^)\b` + regexp.QuoteMeta(name) + `\b.{0,20}`).FindString(text); at != "" {
				t.Errorf("%s: %s is the C name: %q", file, name, at)
			}
		}
		for _, s := range m.Structs {
			if !strings.Contains(s.Name, ".") {
				look(s.Name)
			}
			for _, f := range s.Fields {
				if strings.Contains(f.Name, "_") || f.Name == "dst" || f.Name == "src" || f.Name == "len" {
					look(f.Name)
				}
			}
		}
		if names < 5 {
			t.Errorf("%s: only %d names were looked for", file, names)
		}
	}
}

func TestUnionsAreStoredInTheWidestTypeThatGoAlignsSo(t *testing.T) {
	root := sysroot(t, "u.h", `
struct wide { unsigned head[2]; union { unsigned long long a; unsigned b[6]; struct { char c; } d; } arg; };
struct narrow { union { unsigned a[2]; unsigned short b; } arg; };
struct bytes { union { char a[3]; unsigned char b; } arg; };
struct packed { char c; union { unsigned long long a; char b; } __attribute__((packed)) arg; } __attribute__((packed));
struct aligned { union { unsigned a; char b; } __attribute__((aligned(8))) arg; };
`)
	for arch, want := range map[string][]string{
		// All but the last: a Go type of which 386's alignment is 8 there is none.
		"amd64": {"[3]uint64", "[2]uint32", "[3]uint8", "[8]uint8", "[1]uint64"},
		"arm":   {"[3]uint64", "[2]uint32", "[3]uint8", "[8]uint8", "[1]uint64"},
		"386":   {"[3]uint64", "[2]uint32", "[3]uint8", "[8]uint8", "[1]uint64"},
	} {
		dir := t.TempDir()
		if _, _, err := gen(t, "-sysroot", root, "-arch", arch, "-o", dir, "u.h"); err != nil {
			t.Fatal(err)
		}
		src := generated(t, dir)["zuffd_linux_"+arch+".go"]
		var got []string
		for _, m := range regexp.MustCompile(`(?m)^\tArg +(\S+) `).FindAllStringSubmatch(src, -1) {
			got = append(got, m[1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", arch, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	out, _, err := gen(t, "-json", "-sysroot", "../headers", "-arch", "amd64,ppc64le", userfaultfd)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one for each architecture", len(lines))
	}
	// The numbers are those of the kernel's documentation of ioctls, not of
	// this generator: ppc64le encodes them otherwise.
	want := map[string]uint64{"amd64": 0x4010aa0a, "ppc64le": 0x8010aa0a}
	for _, line := range lines {
		var m abi.Model
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Constants {
			if c.Name == "UFFDIO_SET_MODE" && c.Value.Uint64() != want[m.Arch] {
				t.Errorf("%s: UFFDIO_SET_MODE is %#x, want %#x", m.Arch, c.Value.Uint64(), want[m.Arch])
			}
			if c.Name == "UFFD_API_IOCTLS" && c.Value.String() != "9223372036854776835" {
				t.Errorf("%s: UFFD_API_IOCTLS is %v: 64 bits are not exact", m.Arch, c.Value)
			}
		}
		for _, io := range m.Ioctls {
			if io.Name == "UFFDIO_WAKE" && (io.Dir != "r" || io.Struct != "uffdio_range" || io.Nr != 2 || io.Type != 0xaa || io.Size != 16) {
				t.Errorf("%s: UFFDIO_WAKE is %+v", m.Arch, io)
			}
		}
	}
}

func TestJSONTellsReleasesAndLines(t *testing.T) {
	root := sysroot(t, userfaultfd, strings.Join([]string{
		"#define UFFDIO_POISON 1",        // 1
		"#define UFFD_NEW 2",             // 2
		"struct uffd_msg {",              // 3
		"  union {",                      // 4
		"    struct { unsigned flags;",   // 5
		"      union {",                  // 6
		"        unsigned ptid;",         // 7
		"      } feat;",                  // 8
		"    } pagefault;",               // 9
		"  } arg;",                       // 10
		"  int fresh;",                   // 11
		"};",                             // 12
		"struct fresh { int a,",          // 13
		"  b; };",                        // 14
		"enum { UFFD_EVENT_FORK = 0x13,", // 15
		" UFFD_EVENT_NEW };",             // 16
	}, "\n"), "linux/version.h", "#define LINUX_VERSION_CODE 459776\n")
	out, _, err := gen(t, "-json", "-sysroot", root, "-arch", "riscv64", userfaultfd)
	if err != nil {
		t.Fatal(err)
	}
	var m abi.Model
	if err := json.Unmarshal([]byte(out), &m); err != nil {
		t.Fatal(err)
	}
	if m.Release != "7.4" {
		t.Errorf("the tree is of %q", m.Release)
	}
	got := map[string]string{}
	say := func(name, since string, line int) { got[name] = fmt.Sprintf("%s:%d", since, line) }
	for _, c := range m.Constants {
		say(c.Name, c.Since, c.Line)
	}
	for _, s := range m.Structs {
		say(s.Name, s.Since, s.Line)
		for _, f := range s.Fields {
			say(s.Name+"."+f.Name+" ", f.Since, f.Line)
		}
	}
	want := map[string]string{
		"UFFDIO_POISON": "6.6:1", "UFFD_NEW": ":2", "UFFD_EVENT_FORK": "4.11:15", "UFFD_EVENT_NEW": ":16",
		"uffd_msg": "4.3:3", "uffd_msg.arg ": "4.3:10", "uffd_msg.fresh ": ":11", "uffd_msg.arg": "4.3:4",
		"uffd_msg.arg.pagefault ": "4.3:9", "uffd_msg.arg.pagefault": "4.3:5", "uffd_msg.arg.pagefault.flags ": "4.3:5",
		"uffd_msg.arg.pagefault.feat ": "4.14:8", "uffd_msg.arg.pagefault.feat": "4.14:6", "uffd_msg.arg.pagefault.feat.ptid ": "4.14:7",
		"fresh": ":13", "fresh.a ": ":13", "fresh.b ": ":14",
	}
	if !maps.Equal(got, want) {
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s: got %q, want %q", name, got[name], want[name])
			}
		}
		t.Errorf("%d symbols, want %d", len(got), len(want))
	}
}

// sysroot makes a directory of headers: name and content by turns.
func sysroot(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		path := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDiff(t *testing.T) {
	old := sysroot(t, "a.h", "#define SAME 1\n#define CHANGED 2\n#define REMOVED 3\nstruct s { int a; long b; };\n")
	new := sysroot(t, "a.h", "#define SAME 1\n#define CHANGED 20\n#define ADDED 4\nstruct s { int a; int c; long b; long d; };\n")
	out, _, err := gen(t, "-sysroot", new, "-arch", "amd64,386", "-diff", old, "a.h")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"changed constant CHANGED: 0x2 -> 0x14\n",
		"removed constant REMOVED: 0x3\n",
		"added constant ADDED: 0x4\n",
		"amd64: changed struct s: struct of 16 bytes, aligned to 8 -> struct of 24 bytes, aligned to 8\n",
		"386: changed struct s: struct of 8 bytes, aligned to 4 -> struct of 16 bytes, aligned to 4\n",
		"386: changed field s.b: long at offset 4, 4 bytes -> long at offset 8, 4 bytes\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "SAME") {
		t.Errorf("tells of what has not changed:\n%s", out)
	}
}

func TestBadInput(t *testing.T) {
	deep := "#define D " + strings.Repeat("(", 100000) + "1\n"
	bomb := "#define A0 1+1\n"
	for i := 1; i < 60; i++ {
		bomb += strings.NewReplacer("N", string(rune('0'+i/10))+string(rune('0'+i%10)), "P", string(rune('0'+(i-1)/10))+string(rune('0'+(i-1)%10))).Replace("#define ANxx APxx+APxx\n")
	}
	bomb = strings.ReplaceAll(bomb, "A00xx", "A0")
	good := sysroot(t, "good.h", "#define GOOD 1\n",
		"syntax.h", "#define FINE 1\n\nstruct s { int a; };\nstruct { int ;;; ) b;\n",
		"include.h", "#define FINE 1\n#include <absent/other.h>\n",
		"bomb.h", bomb,
		"deep.h", deep,
		"typedef.h", "typedef int odd __attribute__((mode(QI)));\nstruct s { int a; odd b; };\n",
		"vector.h", "struct s { int a __attribute__((vector_size(16))); };\n",
		"inside.h", "struct s {\n#pragma pack(1)\nint a; };\n",
		"order.h", "#pragma scalar_storage_order big-endian\nstruct s { int a; };\n",
		"assert.h", "_Static_assert(sizeof(int) == 8, \"no\");\n",
		"itself.h", "struct s { struct s s; };\n",
		"double.h", "struct s { int a; };\nstruct s { int a; };\n",
		"enum.h", "enum e { A = -1, B = 0xffffffffffffffff };\n",
		"self.h", "#define X 1\n#include <self.h>\n",
		"mark.h", "#define __gen_1 1\n",
		"end.h", "struct s { int a; }\n",
		"quote.h", "*'s struct s { int a; };\n",
		"stray.h", "struct s { # int a; };\n",
		"mode.h", "struct s { int a __attribute__((mode(QI))); };\n",
		"escape.h", "#include \"../../../../../../etc/passwd\"\n",
		"binary.h", "\x00\xff\xfe\x01#define\n",
	)
	tests := []struct {
		name string
		args []string
		want string // in the message
	}{
		{"no such header", []string{"absent.h"}, "absent.h"},
		{"a syntax error", []string{"syntax.h"}, "syntax.h:4"},
		{"a missing include", []string{"include.h"}, "include.h:2"},
		{"an unknown architecture", []string{"-arch", "amd64,vax", "good.h"}, `unknown architecture "vax"; known are 386, amd64`},
		{"a macro that expands without end", []string{"bomb.h"}, "bomb.h:"},
		{"brackets without end", []string{"deep.h"}, "deep.h:1"},
		{"an attribute of a typedef, where it is used", []string{"typedef.h"}, "typedef.h:2: struct s: the type of the member b is odd, which has no layout here: "},
		{"a vector", []string{"vector.h"}, "vector.h:1: the attribute vector_size"},
		{"#pragma pack in a struct", []string{"inside.h"}, "inside.h:2: #pragma pack inside a struct"},
		{"#pragma scalar_storage_order", []string{"order.h"}, "order.h:1: #pragma scalar_storage_order"},
		{"an assertion that is wrong", []string{"assert.h"}, "assert.h:1: the assertion sizeof ( int ) == 8 is wrong here"},
		{"a struct that holds itself", []string{"itself.h"}, "itself.h:1: struct s: the size of the member s is not known"},
		{"a struct that is defined twice", []string{"double.h"}, "double.h:2: struct s is defined twice"},
		{"an enum of no integer", []string{"enum.h"}, "enum.h:1: no integer type holds all of the enumerators"},
		{"a header that includes itself", []string{"self.h"}, "self.h: the header is included more than 1000 times"},
		{"a name of this program's", []string{"mark.h"}, "mark.h:1: __gen_1: no header may use names"},
		{"a declaration without an end", []string{"end.h"}, "end.h:1: syntax error: the last declaration has no end"},
		{"a character without an end, behind a star", []string{"quote.h"}, "quote.h:1: 's struct s { int a; }; has no end"},
		{"a # where no line begins", []string{"stray.h"}, "stray.h:1: a stray #"},
		{"an attribute that changes a type", []string{"mode.h"}, "mode.h:1: the attribute mode"},
		{"an include outside the sysroot", []string{"escape.h"}, "escape.h:1"},
		{"bytes that are no text", []string{"binary.h"}, "binary.h"},
		{"a header name that leaves the sysroot", []string{"../gen/main.go"}, "no such header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			before := "package old // as it was\n"
			path := filepath.Join(dir, "zuffd_linux_amd64.go")
			if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
				t.Fatal(err)
			}
			args := append([]string{"-sysroot", good, "-o", dir, "-arch", "amd64"}, tt.args...)
			_, _, err := gen(t, args...)
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %q, which lacks %q", err, tt.want)
			}
			files := generated(t, dir)
			if len(files) != 1 || files["zuffd_linux_amd64.go"] != before {
				t.Errorf("files were changed: %q", files)
			}
		})
	}
	t.Run("a sysroot that cannot be opened", func(t *testing.T) {
		if _, _, err := gen(t, "-sysroot", "/nonexistent", "good.h"); err == nil || !strings.Contains(err.Error(), "/nonexistent") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("no header at all", func(t *testing.T) {
		if _, stderr, err := gen(t); err == nil || !strings.Contains(stderr, "usage") {
			t.Errorf("got %v and %q", err, stderr)
		}
	})
}

func TestWrongCommandLine(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string // on standard error
	}{
		"an architecture twice":                  {[]string{"-arch", "amd64,arm64,amd64"}, "-arch names amd64 twice"},
		"a package name with a hyphen":           {[]string{"-pkg", "a-b"}, `"a-b" is not a Go package name`},
		"a package name that is a keyword":       {[]string{"-pkg", "func"}, `"func" is not a Go package name`},
		"a package without a name":               {[]string{"-pkg", "_"}, `"_" is not a Go package name`},
		"the model, and a check":                 {[]string{"-json", "-check"}, "-json and -check exclude each other"},
		"the model, and changes":                 {[]string{"-json", "-diff", "../headers"}, "-json and -diff exclude each other"},
		"a check, and changes":                   {[]string{"-check", "-diff", "../headers"}, "-check and -diff exclude each other"},
		"an empty package name, not the default": {[]string{"-pkg", ""}, `"" is not a Go package name`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			out, stderr, err := gen(t, append(append([]string{"-sysroot", "../headers", "-o", dir}, c.args...), userfaultfd)...)
			if err != flag.ErrHelp { // with which the command exits with 2
				t.Errorf("got %v", err)
			}
			if !strings.Contains(stderr, c.want) || out != "" {
				t.Errorf("stderr lacks %q:\n%s\nstdout: %s", c.want, stderr, out)
			}
			if files := generated(t, dir); len(files) != 0 {
				t.Errorf("it wrote %d files", len(files))
			}
		})
	}
}

func TestFilesAreReplacedAllTogetherOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-sysroot", "../headers", "-o", dir, userfaultfd}
	// A directory in the place of the second file: the first must not change.
	if err := os.Mkdir(filepath.Join(dir, "zuffd_linux_arm64.go"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := gen(t, args...); err == nil {
		t.Error("no error")
	}
	if all, _ := os.ReadDir(dir); len(all) != 1 {
		t.Errorf("%d entries were left, want the directory alone", len(all))
	}
	t.Run("an unwritable directory is an error that names the file", func(t *testing.T) {
		_, _, err := gen(t, "-sysroot", "../headers", "-o", filepath.Join(dir, "absent"), userfaultfd)
		if err == nil || !strings.Contains(err.Error(), "absent/zuffd_linux_amd64.go cannot be written") {
			t.Errorf("got %v", err)
		}
	})
}

// TestKernelHeadersGiveTheSameFiles uses the headers of this machine, or those
// that UFFD_SYSROOT names, as far as their release is ours.
func TestKernelHeadersGiveTheSameFiles(t *testing.T) {
	root := os.Getenv("UFFD_SYSROOT")
	if root == "" {
		root = "/usr/include"
	}
	if _, err := os.Stat(filepath.Join(root, userfaultfd)); err != nil {
		t.Skipf("no kernel headers: %v", err)
	}
	dir := t.TempDir()
	out, _, err := gen(t, "-older", "-sysroot", root, "-arch", "amd64", "-o", dir, userfaultfd)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "of Linux "+edition(t)+",") {
		t.Skipf("%s is of another release: only parsed", root)
	}
	if _, _, err := gen(t, "-sysroot", root, "-arch", "amd64", "-check", "-o", "..", userfaultfd); err != nil {
		t.Error(err)
	}
}

// TestEveryFieldIsAsserted changes the type of each field of a copy of the
// bindings by hand, and expects the compiler to refuse it, for an architecture
// that this machine may not be.
func TestEveryFieldIsAsserted(t *testing.T) {
	src, err := os.ReadFile("../zuffd_linux_arm64.go")
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile(`(?m)^\t([A-Z]\w*) +(u?int\d+|\[3\]uint64|UffdioRange)( // offset .*)$`)
	fields := field.FindAllStringSubmatchIndex(string(src), -1)
	if len(fields) < 40 {
		t.Fatalf("found only %d fields", len(fields))
	}
	other := map[string]string{"uint8": "int8", "uint16": "int16", "uint32": "int32", "uint64": "uint32", "int64": "uint64", "[3]uint64": "[24]uint8", "UffdioRange": "[2]uint64"}
	for i, f := range fields {
		was := string(src[f[4]:f[5]])
		if i%7 != 0 && was != "UffdioRange" && was != "[3]uint64" && testing.Short() {
			continue
		}
		mutated := string(src[:f[4]]) + other[was] + string(src[f[5]:])
		if err := compiles(t, mutated); err == nil {
			t.Errorf("%s may be %s instead of %s", src[f[2]:f[3]], other[was], was)
		}
	}
	// A message names what is wrong.
	for wrong, want := range map[[2]string]string{
		{"Updated int64", "Updated uint64"}: "UffdioPoison.Updated",
		{"[8]struct{}([unsafe.Offsetof(UffdioRange.Len", "[9]struct{}([unsafe.Offsetof(UffdioRange.Len"}: "UffdioRange.Len",
		{"[40]struct{}([unsafe.Sizeof", "[41]struct{}([unsafe.Sizeof"}:                                   "unsafe.Sizeof(UffdioCopy)",
	} {
		if err := compiles(t, strings.Replace(string(src), wrong[0], wrong[1], 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q instead of %q: got %v, which lacks %s", wrong[1], wrong[0], err, want)
		}
	}
	if err := compiles(t, string(src)); err != nil {
		t.Errorf("the file itself does not compile: %v", err)
	}
}

func TestGoVetRefusesAHandEditedFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "doc.go", "zuffd_linux_arm64.go", "zpagemap_linux_arm64.go"} {
		b, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.mod" {
			b = []byte("module github.com/zuffd/uffd\n\ngo 1.26.0\n")
		}
		if name == "zuffd_linux_arm64.go" {
			b = regexp.MustCompile(`(?m)^(\tUpdated) int64 `).ReplaceAll(b, []byte("$1 uint64 "))
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, fs.FileMode(0o644)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "vet", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOARCH=arm64", "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "UffdioPoison.Updated") {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}
