package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/gen/internal/ccheck"
	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/gen/internal/golang"
)

// TestRandomStructs makes structs of every kind of member and attribute, and
// has compilers judge how they are laid out.
func TestRandomStructs(t *testing.T) {
	for _, a := range append(specArches, []struct{ arch, compiler string }{
		{"arm", "arm-linux-gnueabihf-gcc"}, {"riscv64", "riscv64-linux-gnu-gcc"},
		{"ppc64le", "powerpc64le-linux-gnu-gcc"}, {"mips64le", "mips64el-linux-gnuabi64-gcc"},
	}...) {
		t.Run(a.arch, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 11))
			for i := range 4 {
				text := randomHeader(r, 40)
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "random.h"), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.CopyFS(dir, os.DirFS("../headers")); err != nil {
					t.Fatal(err)
				}
				wrong, err := judge(dir, a.arch, a.compiler, "random.h")
				if errors.Is(err, exec.ErrNotFound) {
					t.Skip(err)
				}
				if err != nil && strings.Contains(err.Error(), "does not take the header") {
					continue // it is no C, which is more than a header need be here
				}
				if err != nil {
					t.Fatalf("header %d: %v", i, err)
				}
				for _, d := range wrong {
					t.Errorf("header %d: %v", i, d)
				}
				if t.Failed() {
					t.Fatalf("the header:\n%s", text)
				}
			}
		})
	}
}

// judge generates the bindings of a header, and returns what a compiler has
// against its model.
func judge(dir, arch, compiler, header string) ([]ccheck.Disagreement, error) {
	sysroot, err := cheader.OpenSysroot(dir)
	if err != nil {
		return nil, err
	}
	m, err := cheader.Parse(sysroot, nil, arch, header)
	if err != nil {
		return nil, err
	}
	if _, _, err := golang.Render(m, "random"); err != nil {
		return nil, err
	}
	include, libc, release, err := cheader.Include(sysroot, arch)
	if err != nil {
		return nil, err
	}
	defer release()
	_, wrong, err := ccheck.Compare([]string{compiler, "-nostdinc"}, include, libc, m)
	return wrong, err
}

// randomHeader declares n structs and unions.
func randomHeader(r *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString("typedef unsigned long long over __attribute__((aligned(16)));\ntypedef int under __attribute__((aligned(2)));\nenum color { RED, GREEN, BLUE };\nenum __attribute__((packed)) small { SMALL };\n")
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	types := []string{"char", "short", "int", "long", "long long", "unsigned char", "unsigned short", "unsigned int", "unsigned long long", "float", "double", "long double", "void *", "enum color", "enum small", "over", "under", "_Bool"}
	for i := range n {
		pack := pick("", "", "", "1", "2", "4", "8")
		if pack != "" {
			fmt.Fprintf(&b, "#pragma pack(push, %s)\n", pack)
		}
		keyword := pick("struct", "struct", "struct", "union")
		fmt.Fprintf(&b, "%s s%d {\n", keyword, i)
		members := 1 + r.IntN(7)
		for m := range members {
			attribute := pick("", "", "", "", " __attribute__((packed))", " __attribute__((aligned(2)))", " __attribute__((aligned(8)))", " __attribute__((packed, aligned(4)))")
			switch kind := r.IntN(10); {
			case kind < 4: // a bit-field
				width := map[string]int{"char": 8, "unsigned char": 8, "short": 16, "unsigned short": 16, "int": 32, "unsigned int": 32, "long long": 64, "unsigned long long": 64, "enum color": 32, "_Bool": 1}
				t := pick("char", "unsigned char", "short", "unsigned short", "int", "unsigned int", "long long", "unsigned long long", "enum color", "_Bool")
				switch bits := r.IntN(width[t] + 1); {
				case bits == 0 || r.IntN(6) == 0:
					fmt.Fprintf(&b, "\t%s : %d;\n", t, bits)
				default:
					fmt.Fprintf(&b, "\t%s m%d : %d%s;\n", t, m, bits, attribute)
				}
			case kind == 4 && i > 0:
				fmt.Fprintf(&b, "\t__typeof__(*(%s) 0) m%d%s;\n", b2(&b, r.IntN(i)), m, attribute)
			case kind == 5:
				fmt.Fprintf(&b, "\tstruct { %s a; %s b; int c : %d; }%s m%d;\n", pick(types...), pick(types...), 1+r.IntN(32), pick("", " __attribute__((packed))"), m)
			case kind == 6:
				fmt.Fprintf(&b, "\tunion { %s u%d; %s v%d; };\n", pick(types...), m, pick(types...), m)
			case kind == 7:
				fmt.Fprintf(&b, "\t%s m%d[%d]%s;\n", pick("char", "short", "int", "long long", "double", "void *"), m, r.IntN(4), attribute)
			default:
				fmt.Fprintf(&b, "\t%s m%d%s;\n", pick(types...), m, attribute)
			}
		}
		if keyword == "struct" && r.IntN(5) == 0 {
			fmt.Fprintf(&b, "\t%s tail[];\n", pick("char", "int", "long long"))
		}
		fmt.Fprintf(&b, "}%s;\n", pick("", "", "", " __attribute__((packed))", " __attribute__((aligned(16)))", " __attribute__((packed, aligned(2)))"))
		if pack != "" {
			b.WriteString("#pragma pack(pop)\n")
		}
	}
	return b.String()
}

// b2 is a pointer to struct or union number i of what was written so far.
func b2(b *strings.Builder, i int) string {
	if strings.Contains(b.String(), fmt.Sprintf("union s%d {", i)) {
		return fmt.Sprintf("union s%d *", i)
	}
	return fmt.Sprintf("struct s%d *", i)
}
