package cc_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/cc"
)

const described = `#include <linux/ioctl.h>
#define NEGATIVE (-5)
#define LARGEST 0xffffffffffffffffULL
#define GONE 1
#undef GONE
#define AGAIN 1
#undef AGAIN
#define AGAIN 2
#define TEXT "text"
struct nest { struct { struct { short c; } b; } a[2][3]; };
struct argument { int a, b; };
#define NONE _IO('x', 1)
#define READ _IOR('x', 2, struct argument)
#define WRITE _IOW('x', 3, int)
#define BOTH _IOWR('x', \
	4, struct argument)
#define ALIAS BOTH
#define WRAP(nr, type) _IOR('w', nr, type)
#define WRAPPED (WRAP(5, unsigned int [2]))
#define BARE _IOC(_IOC_WRITE, 'x', 6, 7)
#define PART (NONE & 0xff)
#define SUM (NONE + _IO('x', 2))
`

func TestDescribe(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "described.h"), []byte(described), 0o644); err != nil {
		t.Fatal(err)
	}
	headers := absolute(t, "headers")
	t.Chdir(filepath.Dir(dir)) // of what is below it, clang tells the path from there
	eachCompiler(t, func(t *testing.T, c arch.Arch) {
		m, err := cc.Header{Arch: c, Include: []string{dir, headers}, Name: "described.h"}.Describe()
		if err != nil {
			t.Fatal(err)
		}
		if s := m.Structs[len(m.Structs)-1]; s.Name != "argument" || s.File != "" || s.Align != 4 {
			t.Errorf("the struct is %+v", s)
		}
		if s := m.Structs[0]; s.Name != "nest.a.b" || s.Align != 2 {
			t.Errorf("the innermost struct is %+v", s)
		}
		want := []abi.Constant{{Name: "NEGATIVE", Value: abi.Signed(-5)}, {Name: "LARGEST", Value: abi.Unsigned(1<<64 - 1)}, {Name: "AGAIN", Value: abi.Unsigned(2)}}
		if got := m.Constants[:3]; !slices.Equal(got, want) {
			t.Errorf("constants %v, want %v", got, want)
		}
		ioctls := []abi.Ioctl{
			{Name: "NONE", Dir: "none", Type: 'x', Nr: 1},
			{Name: "READ", Dir: "r", Type: 'x', Nr: 2, Size: 8, Struct: "argument"},
			{Name: "WRITE", Dir: "w", Type: 'x', Nr: 3, Size: 4, Struct: "int"},
			{Name: "BOTH", Dir: "rw", Type: 'x', Nr: 4, Size: 8, Struct: "argument"},
			{Name: "ALIAS", Dir: "rw", Type: 'x', Nr: 4, Size: 8, Struct: "argument"},
			{Name: "WRAPPED", Dir: "r", Type: 'w', Nr: 5, Size: 8, Struct: "unsigned int [2]"},
			{Name: "BARE", Dir: "w", Type: 'x', Nr: 6, Size: 7},
		}
		if !slices.Equal(m.Ioctls, ioctls) {
			t.Errorf("ioctls %+v, want %+v", m.Ioctls, ioctls)
		}
	})
}
