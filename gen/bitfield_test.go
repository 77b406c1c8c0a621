package main

import (
	"bytes"
	"debug/elf"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/gen/internal/cheader"
	"github.com/zuffd/uffd/gen/internal/golang"
	"github.com/zuffd/uffd/internal/abi"
)

// TestBitFieldMethods sets every bit-field of testdata/spec/bitfields.h by the
// generated methods and compares the bytes with those of a C compiler's
// initializer, then reads each back. The methods of every architecture run on
// any, since they work on bytes.
func TestBitFieldMethods(t *testing.T) {
	sysroot := specSysroot(t)
	for _, a := range specArches {
		t.Run(a.arch, func(t *testing.T) {
			if _, err := exec.LookPath(a.compiler); err != nil {
				t.Skip(err)
			}
			m, err := cheader.Parse(sysroot, nil, a.arch, "bitfields.h")
			if err != nil {
				t.Fatal(err)
			}
			src, _, err := golang.Render(m, "main")
			if err != nil {
				t.Fatal(err)
			}
			header, err := os.ReadFile("testdata/spec/bitfields.h")
			if err != nil {
				t.Fatal(err)
			}
			c, program := bitFieldPrograms(m)
			want := initialized(t, a.compiler, string(header)+c)
			got := goRun(t, map[string]string{"bits.go": string(src), "main.go": program})
			if got != want {
				t.Errorf("Go has\n%s\nC has\n%s", got, want)
			}
			if n := strings.Count(want, "\n"); n < 16 {
				t.Errorf("only %d structs were compared", n)
			}
		})
	}
}

// bitFieldPrograms returns C and Go that set the bit-fields of each struct to
// the same values. The Go prints the memory, and what does not read back.
func bitFieldPrograms(m *abi.Model) (c, program string) {
	r := rand.New(rand.NewPCG(3, 4))
	var inC, inGo strings.Builder
	inGo.WriteString("package main\n\nimport (\n\t\"fmt\"\n\t\"unsafe\"\n)\n\nfunc main() {\n")
	n := 0
	for _, s := range m.Structs {
		if s.Union || strings.Contains(s.Name, ".") {
			continue
		}
		for range 2 {
			name := strings.ToUpper(s.Name[:1]) + s.Name[1:]
			if before, after, ok := strings.Cut(name, "_"); ok {
				name = before + strings.ToUpper(after[:1]) + after[1:]
			}
			fmt.Fprintf(&inC, "struct %s v%02d = {", s.Name, n)
			fmt.Fprintf(&inGo, "\tvar v%d %s\n", n, name)
			for _, f := range s.Fields {
				if f.BitSize == 0 {
					continue
				}
				v := int64(r.Uint64() >> (64 - f.BitSize))
				if strings.HasPrefix(f.Kind, "int") { // by the sign
					v = v << (64 - f.BitSize) >> (64 - f.BitSize)
				}
				method := strings.ToUpper(f.Name[:1]) + f.Name[1:]
				fmt.Fprintf(&inC, " .%s = %d,", f.Name, v)
				fmt.Fprintf(&inGo, "\tv%d.Set%s(%d)\n\tdefer func() { if v%d.%s() != %d { fmt.Println(\"%s.%s is\", v%d.%s(), \"and not\", %d) } }()\n",
					n, method, v, n, method, v, s.Name, f.Name, n, method, v)
			}
			inC.WriteString(" };\n")
			fmt.Fprintf(&inGo, "\tfmt.Printf(\"v%02d %%x\\n\", unsafe.Slice((*byte)(unsafe.Pointer(&v%d)), unsafe.Sizeof(v%d)))\n", n, n, n)
			n++
		}
	}
	inGo.WriteString("}\n")
	return inC.String(), inGo.String()
}

// initialized returns the memory of the variables v00, v01, ... of a C source.
func initialized(t *testing.T, compiler, src string) string {
	t.Helper()
	object := filepath.Join(t.TempDir(), "v.o")
	cmd := exec.Command(compiler, "-xc", "-w", "-fno-zero-initialized-in-bss", "-c", "-o", object, "-")
	cmd.Stdin = strings.NewReader(src)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(object)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for n := 0; ; n++ {
		name := fmt.Sprintf("v%02d", n)
		found := false
		for _, s := range symbols {
			if s.Name == name {
				data := make([]byte, s.Size)
				if _, err := f.Sections[s.Section].ReadAt(data, int64(s.Value)); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&b, "%s %x\n", name, data)
				found = true
			}
		}
		if !found {
			return b.String()
		}
	}
}

// goRun runs a Go program and returns what it prints.
func goRun(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module program\n\ngo 1.26.0\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
