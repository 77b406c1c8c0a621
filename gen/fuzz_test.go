package main

import (
	"errors"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/gen/internal/ctoken"
)

// FuzzMutations changes real headers here and there. The generator must refuse
// what comes of it or agree with the compiler: never panic, never hang, never
// make Go that does not compile. The compiler judges a sample, of what it takes
// itself.
func FuzzMutations(f *testing.F) {
	var corpus []string
	for _, pattern := range []string{"testdata/spec/*.h", "../headers/linux/*.h", "/usr/include/linux/[a-d]*.h"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			corpus = append(corpus, string(b))
		}
	}
	for i := range corpus {
		f.Add(uint16(i), []byte{1, 2, 3, 4, 5, byte(i), 7, 8})
	}
	_, err := exec.LookPath("x86_64-linux-gnu-gcc")
	compiler := err == nil
	f.Fuzz(func(t *testing.T, which uint16, changes []byte) {
		text := mutate(corpus[int(which)%len(corpus)], changes)
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../headers")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "mutated.h"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, err := gen(t, "-sysroot", dir, "-arch", "amd64,s390x", "-pkg", "mutated", "-o", dir, "mutated.h")
		if err != nil {
			for _, defect := range []string{"the C parser failed", "not parsed after", "does not compile"} {
				if strings.Contains(err.Error(), defect) {
					t.Errorf("%v\n%s", err, text)
				}
			}
			return
		}
		h := fnv.New32()
		h.Write([]byte(text))
		if !compiler || h.Sum32()%16 != 0 {
			return
		}
		wrong, err := judge(dir, "amd64", "x86_64-linux-gnu-gcc", "mutated.h")
		if err != nil && !errors.Is(err, exec.ErrNotFound) && !strings.Contains(err.Error(), "does not take the header") {
			t.Fatal(err)
		}
		for _, d := range wrong {
			t.Errorf("%v\n%s", d, text)
		}
	})
}

// mutate changes a text as bytes say, three for each change: tokens are left
// out, doubled, or put in the place of others.
func mutate(text string, changes []byte) string {
	type piece struct{ space, token string }
	var pieces []piece
	for rest := text; rest != ""; {
		trimmed := strings.TrimLeft(rest, " \t\n")
		space := rest[:len(rest)-len(trimmed)]
		if trimmed == "" {
			break
		}
		_, _, n := ctoken.Next(trimmed)
		pieces = append(pieces, piece{space, trimmed[:n]})
		rest = trimmed[n:]
	}
	for len(changes) >= 3 && len(pieces) > 0 {
		at := (int(changes[0])<<8 | int(changes[1])) * 7 % len(pieces)
		other := pieces[(at*31+int(changes[2])*17)%len(pieces)]
		switch changes[2] % 4 {
		case 0:
			pieces = append(pieces[:at:at], pieces[at+1:]...)
		case 1:
			pieces[at].token = other.token
		case 2:
			pieces = append(pieces[:at:at], append([]piece{other}, pieces[at:]...)...)
		case 3:
			pieces[at].token = interesting[int(changes[2]/4)%len(interesting)]
		}
		changes = changes[3:]
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.space)
		b.WriteString(p.token)
	}
	return b.String()
}

// interesting are tokens that change what others mean.
var interesting = []string{
	"__attribute__((packed))", "__attribute__((aligned(2)))", "__attribute__((aligned))", "struct", "union", "enum", "typedef", "const", "*", "[0]", "[]", "[3]", ": 3", ": 0", ";", ",", "(", ")", "{", "}",
	"int", "char", "long long", "unsigned", "_Bool", "sizeof", "0", "-1", "0xffffffffffffffff", "1 << 31", "#define", "#undef", "\n#if 0\n", "\n#endif\n", "\n#pragma pack(1)\n", "\n#pragma pack()\n", "##", "#", "\\\n", "/*", "*/", "//", "_Alignas(8)", "__typeof__(0)",
}
