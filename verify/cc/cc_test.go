package cc_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/claim"
)

const root = "../.."

// generate returns the generator's model of a header.
func generate(t *testing.T, sysroot, arch, header string) *abi.Model {
	t.Helper()
	models, err := claim.Models(t.Context(), root, sysroot, header, arch)
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

func eachCompiler(t *testing.T, test func(t *testing.T, c arch.Arch)) {
	for _, c := range arch.All {
		t.Run(c.Go, func(t *testing.T) {
			if err := c.Missing(); err != nil {
				t.Skip(err)
			}
			test(t, c)
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
		t.Run("on "+filepath.Base(path), func(t *testing.T) {
			eachCompiler(t, func(t *testing.T, c arch.Arch) { agree(t, c, sysroot, filepath.Base(path)) })
		})
	}
}

// agree compares what the generator and a compiler make of a header.
func agree(t *testing.T, c arch.Arch, sysroot, header string) {
	t.Helper()
	m := generate(t, sysroot, c.Go, header)
	truth, err := cc.Header{Arch: c, Include: []string{sysroot}, Name: header}.Truth(abi.Release{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain(m)
	plain(truth.Model)
	v := (&claim.Claim{Model: m}).Hold(truth)
	if v.Compared < 5 {
		t.Errorf("only %d facts compared", v.Compared)
	}
	for _, line := range v.Wrong {
		t.Error(line)
	}
}

// plain makes a model say no more than compilers and the generator both can of
// any header. Every symbol is there for ever.
func plain(m *abi.Model) {
	for i := range m.Constants {
		m.Constants[i].Since = "0.0"
	}
	for i := range m.Structs {
		s := &m.Structs[i]
		s.Since = "0.0"
		for j := range s.Fields {
			s.Fields[j].Since = "0.0"
		}
	}
}

const bits = `#ifndef BITS_H
#define BITS_H
struct bits {
	unsigned char before;
	unsigned int a : 3, b : 9;
	unsigned int : 0;
	unsigned long long c : 40;
	signed short d : 5;
	unsigned int : 4;
	unsigned int e : 7;
	unsigned char after;
};
#endif
`

const simpleBits = `struct simple {
	unsigned int a : 3, b : 9, c : 20;
	unsigned int word;
	signed int d : 17, e : 2;
};
`

// TestCompilersTellBitFields: where they lie differs between architectures, in
// the order of bits as well.
func TestCompilersTellBitFields(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bits.h"), []byte(bits), 0o644); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "simple.h"), []byte(simpleBits), 0o644)
	os.Mkdir(filepath.Join(dir, "linux"), 0o755)
	os.WriteFile(filepath.Join(dir, "linux/ioctl.h"), nil, 0o644)
	eachCompiler(t, func(t *testing.T, c arch.Arch) {
		m, err := cc.Header{Arch: c, Include: []string{dir}, Name: "bits.h"}.Describe()
		if err != nil {
			t.Fatal(err)
		}
		b := m.Structs[0].Fields[2]
		if b.Name != "b" || 8*b.Offset+b.BitOffset != 11 || b.BitSize != 9 {
			t.Errorf("b is %+v", b)
		}
		agree(t, c, dir, "simple.h")
	})
}
