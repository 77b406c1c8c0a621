package cheader

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// preprocessed returns the tokens that a header comes to.
func preprocessed(t *testing.T, files map[string]string, header string) (string, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	a, err := lookup("amd64")
	if err != nil {
		t.Fatal(err)
	}
	u, err := NewSysroot("root", fsys).forArch(a).preprocess(header)
	if err != nil {
		return "", err
	}
	return ctoken.Join(u.tokens), nil
}

// TestPreprocessorAgreesWithGCC compares what text comes to with gcc's -E.
func TestPreprocessorAgreesWithGCC(t *testing.T) {
	gcc, err := exec.LookPath("x86_64-linux-gnu-gcc")
	if err != nil {
		t.Skip(err)
	}
	for _, tt := range []struct{ name, text string }{
		{"a macro of a macro", "#define A B\n#define B C 1\nA B C\n"},
		{"macros that name themselves and each other", "#define f f + g\n#define g f - g\nf g\n"},
		{"arguments are expanded first", "#define x 3\n#define f(a) f(x * (a))\n#undef x\n#define x 2\n#define g f\n#define z z[0]\n#define h g(~\n#define m(a) a(w)\n#define w 0,1\n#define t(a) a\nf(y+1) + f(f(z)) % t(t(g)(0) + t)(1);\ng(x+(3,4)-w) | h 5) & m\n(f)^m(m);\n"},
		{"pasting", "#define t(x,y,z) x ## y ## z\nint j[] = { t(1,2,3), t(,4,5), t(6,,7), t(8,9,), t(10,,), t(,11,), t(,,12), t(,,) };\n"},
		{"a macro that makes a name of another", "#define HASH_A 7\n#define cat(a, b) a ## b\n#define xcat(a, b) cat(a, b)\n#define A B\n#define HASH_B 8\ncat(HASH_, A) xcat(HASH_, A)\n"},
		{"an operand of pasting that is an argument elsewhere", "#define one 1\n#define f(x) x ## 2 x\nf(one)\n"},
		{"a function without brackets", "#define f(x) [x]\n#define g f\nf g f (1) g\n(2) f\n"},
		{"a function of which the brackets stand on another line", "#define f(x, y) [x y]\nf\n\n(1\n,\n2) f\n"},
		{"what a macro leaves open", "#define open f(\n#define f(x) [x]\nopen 1)\n"},
		{"rescanning with what follows", "#define f(a) a*g\n#define g(a) f(a)\nf(2)(9)\n"},
		{"no arguments", "#define f() 1\n#define g(x) [x]\nf() f( ) g() g( )\n"},
		{"commas in brackets", "#define f(x, y) x y\nf((1, 2), [3) f({a, b)\n"},
		{"variable arguments", "#define f(x, ...) g(x, __VA_ARGS__)\nf(1, 2, 3) f(1, ) f(1, (2, 3))\n"},
		{"GNU's comma", "#define f(x, ...) g(x, ## __VA_ARGS__)\nf(1) f(1, ) f(1, 2, 3)\n"},
		{"GNU's names for variable arguments", "#define f(x, rest...) g(x, ## rest)\n#define h(all...) { all }\nf(1) f(1, 2, 3) h() h(1, 2)\n"},
		{"directives among arguments", "#define f(x) [x]\nf(1\n#ifdef f\n+ 2\n#else\n+ 3\n#endif\n#define g 4\n+ g)\n"},
		{"a directive before the brackets", "#define f(x) [x]\nf\n#define g 1\n(g)\n"},
		{"conditions", "#if 1 + 1 == 2 && !(0 || 0) && (3 > 2 ? 1 : 0)\na\n#elif 1\nb\n#else\nc\n#endif\n#if 0\nd\n#elif 0\ne\n#else\nf\n#endif\n"},
		{"conditions in what is skipped", "#if 0\n#if 1\na\n#elif garbage (\n#else\nb\n#endif\n#elif 1\nc\n#elif 1 / 0\nd\n#endif\n"},
		{"conditions in 64 bits", "#if -1 > 0u\na\n#endif\n#if (1 << 40) > 0 && 0xffffffff + 1 != 0 && ~0 == -1\nb\n#endif\n#if 'a' == 97 && '\\377' < 0\nc\n#endif\n"},
		{"names in conditions", "#define one 1\n#if one && !unknown && !int && true == 0\na\n#endif\n"},
		{"defined", "#define X\n#if defined X && defined(X) && !defined Y\na\n#endif\n#define has defined(X)\n#if has\nb\n#endif\n#ifdef __LINE__\nc\n#endif\n#ifndef X\nd\n#elif defined __FILE__ && defined __has_include\ne\n#endif\n"},
		{"#elifdef", "#ifdef NO\na\n#elifdef __x86_64__\nb\n#endif\n#ifdef NO\n#elifndef NO\nc\n#endif\n"},
		{"questions about headers", "#if __has_include(<other.h>) && __has_include(\"other.h\") && !__has_include(<absent/file.h>)\na\n#endif\n#define NAME <other.h>\n#if __has_include(NAME)\nb\n#endif\n"},
		{"includes", "#include <other.h>\n#define NAME <other.h>\n#include NAME\n#define QUOTED \"other.h\"\n#include QUOTED\n#include /* here */ \"dir/a.h\"\n"},
		{"#pragma once", "#include <once.h>\n#include <once.h>\n"},
		{"#import", "#import <other.h>\n#import <other.h>\n"},
		{"redefinition", "#define A 1\nA\n#undef A\nA\n#define A 2\nA\n"},
		{"a name that is no parameter", "#define f (x) 1\nf\n"},
		{"comments and splices", "#define A 1 /* ) */ + /*\n*/ 2 // 3 \\\n4\nA A\\\nB \"/*\" '/*'\n#/**/define\\\n B(x) x \\\n x\nB(1)\n"},
		{"splices with white space before the end of the line", "#define A 1 + \\  \n 2 \\\t\r\n + 3\nA\n__LINE__ \"\\n\\\"\" x\\ \ny\n"},
		{"the line", "__LINE__\n\n__LINE__ __COUNTER__ __COUNTER__ __INCLUDE_LEVEL__\n"},
		{"a directive that says nothing", "#\n# /* nothing */\n# 5\n#line 7\na\n"},
		{"a macro at the end of a file", "#define f(x) [x]\n#include <end.h>\n(1)\n"},
		{"digraphs", "%:define A <:1:>\nA <% %>\n"},
		{"numbers are one token", "#define x 1\n0x.x 1.x x.1 .x\n"},
		{"strings are not looked into", "#define x 1\n\"x\" 'x' L\"x\" L x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{
				"test.h": tt.text, "other.h": "other\n", "dir/a.h": "#include \"b.h\"\n", "dir/b.h": "b\n", "b.h": "wrong\n",
				"once.h": "#pragma once\nonce\n", "end.h": "f",
			}
			dir := t.TempDir()
			for name, text := range files {
				writeFile(t, dir, name, text)
			}
			cmd := exec.Command(gcc, "-E", "-P", "-xc", "-w", "-nostdinc", "-isystem", dir, "-")
			cmd.Stdin = strings.NewReader("#include <test.h>\n")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			src, err := readSource("gcc", out, false)
			if err != nil {
				t.Fatal(err)
			}
			var want []ctoken.Token
			for _, line := range src.lines {
				want = append(want, src.tokens(line)...)
			}
			got, err := preprocessed(t, files, "test.h")
			if err != nil {
				t.Fatal(err)
			}
			if got != ctoken.Join(want) {
				t.Errorf("got  %s\nwant %s", got, ctoken.Join(want))
			}
		})
	}
}

// TestPreprocessorRefuses gives text that gcc does not take either.
func TestPreprocessorRefuses(t *testing.T) {
	gcc, lookErr := exec.LookPath("x86_64-linux-gnu-gcc")
	for _, tt := range []struct{ text, want string }{
		{"#if 1\n", "test.h:1: an #if without an #endif"},
		{"\n#endif\n", "test.h:2: #endif without an #if"},
		{"#if 1\n#else\n#else\n#endif\n", "test.h:3: #else behind #else"},
		{"#if 1\n#else\n#elif 1\n#endif\n", "test.h:3: #elif behind #else"},
		{"#if\n#endif\n", "test.h:1: #if without a condition"},
		{"#if 1 +\n#endif\n", "test.h:1: #if 1 +: "},
		{"#if 1 / 0\n#endif\n", "a division by zero"},
		{"#if unknown(1)\n#endif\n", "test.h:1: #if 0 ( 1 ): "},
		{"#if defined\n#endif\n", "test.h:1: defined without a name"},
		{"#if defined(X\n#endif\n", "test.h:1: defined without a closing bracket"},
		{"#if __has_include\n#endif\n", "test.h:1: __has_include without brackets"},
		{"#ifdef\n#endif\n", "test.h:1: #ifdef without a name"},
		{"#define\n", "test.h:1: a #define without a name"},
		{"#define defined 1\n", "test.h:1: defined cannot be defined"},
		{"#define f(x\n", "test.h:1: the parameters of f have no end"},
		{"#define f(x,) x\n", "a parameter of f is missing"},
		{"#define f(x, x) x\n", "the parameters of f are not understood"},
		{"#define f(..., x) x\n", "f takes parameters behind its variable ones"},
		{"#undef\n", "test.h:1: an #undef without a name"},
		{"#define f(x) x\nf(1, 2)\n", "test.h:2: the macro f has 1 parameters, and 2 arguments here"},
		{"#define f(x, y) x\nf(1)\n", "test.h:2: the macro f has 2 parameters, and 1 arguments here"},
		{"#define f(x) x\n\nf(1\n", "test.h:3: the arguments of f have no end"},
		{"#define f(x) x ##\nf(1)\n", "## at the end of the macro f"},
		{"#define f(x) #y\nf(1)\n", "# before no parameter"},
		{"#define f(x, y) x ## y\nf(+, a)\n", "test.h:2: + ## a is no token"},
		{"#include\n", "is no name of a header"},
		{"#include <absent.h>\n", "test.h:1: include file not found: absent.h"},
		{"#error it is wrong\n", "test.h:1: #error it is wrong"},
		{"#nonsense\n", "test.h:1: there is no directive #nonsense"},
	} {
		_, err := preprocessed(t, map[string]string{"test.h": tt.text}, "test.h")
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.text, err, tt.want)
		}
		if lookErr != nil {
			continue
		}
		cmd := exec.Command(gcc, "-E", "-xc", "-w", "-nostdinc", "-")
		cmd.Stdin = strings.NewReader(tt.text)
		if err := cmd.Run(); err == nil {
			t.Errorf("%q: gcc takes it", tt.text)
		}
	}
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
