package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestStrict(t *testing.T) {
	root := sysroot(t, "a.h", "#ifndef A_H\n#define A_H\n#define FINE 1\n#endif\n", "b.h", "#define FINE 1\n#define MACRO(x) x\n")
	dir := t.TempDir()
	if _, _, err := gen(t, "-strict", "-sysroot", root, "-arch", "amd64", "-o", dir, "a.h"); err != nil {
		t.Errorf("an include guard is no symbol: %v", err)
	}
	out, _, err := gen(t, "-strict", "-sysroot", root, "-arch", "amd64", "-o", dir, "-name", "b", "b.h")
	if err != errLeftOut || !strings.Contains(out, "amd64: b.h:2: MACRO is left out: function-like") {
		t.Errorf("got %v and %q", err, out)
	}
	if files := generated(t, dir); len(files) != 1 {
		t.Errorf("%d files", len(files))
	}
}

func TestWhatIsLeftOutOrRenamedIsTold(t *testing.T) {
	root := sysroot(t, "a.h", "#define foo 1\n#define Foo 2\n\n#define F(x) x\n")
	out, _, err := gen(t, "-sysroot", root, "-arch", "amd64,s390x", "-o", t.TempDir(), "a.h")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a.h:4: F is left out: function-like\n", "a.h:1: foo is Foo_ in Go: Foo is Foo\n"} {
		if strings.Count(out, want) != 1 {
			t.Errorf("not once %q:\n%s", want, out)
		}
	}
}

func TestSeveralHeaders(t *testing.T) {
	root := sysroot(t,
		"types.h", "#ifndef T\n#define T\nstruct shared { int a; };\n#endif\n",
		"a.h", "#include <types.h>\n#define SAME 1\n#define OTHER 1\nstruct a { struct shared s; };\n",
		"b.h", "#include <types.h>\n#define SAME 1\n#define OTHER 2\nstruct b { struct shared s; };\n",
		"c.h", "struct a { long l; };\n")
	dir := t.TempDir()
	out, _, err := gen(t, "-sysroot", root, "-arch", "amd64", "-pkg", "several", "-o", dir, "a.h", "b.h")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "a.h:3: OTHER is left out: not the same in a.h and b.h") {
		t.Errorf("nothing is said of OTHER:\n%s", out)
	}
	src := generated(t, dir)["zseveral_linux_amd64.go"]
	for _, want := range []string{"SAME = 0x1", "type Shared struct", "type A struct", "type B struct"} {
		if strings.Count(src, want) != 1 {
			t.Errorf("not once %q:\n%s", want, src)
		}
	}
	if _, _, err := gen(t, "-sysroot", root, "-arch", "amd64", "-pkg", "several", "-o", dir, "a.h", "c.h"); err == nil || !strings.Contains(err.Error(), "struct a is not the same in a.h and c.h") {
		t.Errorf("got %v", err)
	}
}

func TestComments(t *testing.T) {
	root := sysroot(t, "a.h", "/* Counts things. */\n#define COUNT 1\n/* A widget. */\nstruct thing {\n\t/* How many. */\n\tint n;\n};\n")
	dir := t.TempDir()
	args := []string{"-sysroot", root, "-arch", "amd64", "-pkg", "p", "-o", dir, "a.h"}
	for _, comments := range []bool{false, true} {
		if comments {
			args = append([]string{"-comments"}, args...)
		}
		if _, _, err := gen(t, args...); err != nil {
			t.Fatal(err)
		}
		src := generated(t, dir)["zp_linux_amd64.go"]
		for _, text := range []string{"Counts things.", "A widget.", "How many."} {
			if strings.Contains(src, text) != comments {
				t.Errorf("with -comments %v: %q in\n%s", comments, text, src)
			}
		}
	}
}

func TestCompilerOfOnesOwn(t *testing.T) {
	const compiler = "x86_64-linux-gnu-gcc"
	if _, err := exec.LookPath(compiler); err != nil {
		t.Skip(err)
	}
	header := "struct s { char a; int b : 3; int c : 30; long d; } __attribute__((packed));\nenum e { A, B };\n#define SIZE sizeof(struct s)\n"
	root := sysroot(t, "a.h", header, "linux/ioctl.h", "#define _IOC(d, t, n, s) 0\n")
	dir := t.TempDir()
	_, stderr, err := gen(t, "-cc", compiler, "-sysroot", root, "-arch", "amd64", "-o", dir, "a.h")
	if err != nil || !strings.Contains(stderr, "a.h for amd64: 15 claims, 0 of which") {
		t.Errorf("got %v and %q", err, stderr)
	}
	t.Run("of another architecture contradicts", func(t *testing.T) {
		out := t.TempDir()
		_, stderr, err := gen(t, "-cc", compiler, "-sysroot", root, "-arch", "386", "-o", out, "a.h")
		if err != errDisagrees || !strings.Contains(stderr, "size of s: 10 here, 14 to the compiler") || !strings.Contains(stderr, "value of SIZE: 10 here, 14 to the compiler") {
			t.Errorf("got %v and %q", err, stderr)
		}
		if left, _ := filepath.Glob(out + "/*"); len(left) != 0 {
			t.Errorf("it wrote %v", left)
		}
	})
	t.Run("that is not there is an error", func(t *testing.T) {
		if _, _, err := gen(t, "-cc", "no-such-compiler", "-sysroot", root, "-arch", "amd64", "-o", dir, "a.h"); err == nil || !strings.Contains(err.Error(), "no-such-compiler") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("takes one architecture", func(t *testing.T) {
		if _, stderr, err := gen(t, "-cc", compiler, "-sysroot", root, "a.h"); err == nil || !strings.Contains(stderr, "-cc takes one architecture") {
			t.Errorf("got %v and %q", err, stderr)
		}
	})
}
