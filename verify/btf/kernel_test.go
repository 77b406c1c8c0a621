package btf_test

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/linux"
)

// tagged are the structs of package uffd that have a tag in C, as they are in
// this program, and the releases that brought them.
var tagged = []struct {
	tag, since string
	value      any
	inner      []any // those without a tag that it holds
}{
	{"uffd_msg", "4.3", uffd.UffdMsg{}, []any{
		uffd.UffdMsgPagefault{}, uffd.UffdMsgFork{}, uffd.UffdMsgRemap{}, uffd.UffdMsgRemove{}, uffd.UffdMsgReserved{}}},
	{"uffdio_api", "4.3", uffd.UffdioApi{}, nil},
	{"uffdio_range", "4.3", uffd.UffdioRange{}, nil},
	{"uffdio_register", "4.3", uffd.UffdioRegister{}, nil},
	{"uffdio_copy", "4.3", uffd.UffdioCopy{}, nil},
	{"uffdio_zeropage", "4.3", uffd.UffdioZeropage{}, nil},
	{"uffdio_writeprotect", "5.7", uffd.UffdioWriteprotect{}, nil},
	{"uffdio_continue", "5.13", uffd.UffdioContinue{}, nil},
	{"uffdio_poison", "6.6", uffd.UffdioPoison{}, nil},
	{"uffdio_move", "6.8", uffd.UffdioMove{}, nil},
	{"uffdio_rwprotect", "7.3", uffd.UffdioRwprotect{}, nil},
	{"uffdio_set_mode", "7.3", uffd.UffdioSetMode{}, nil},
	{"page_region", "6.7", uffd.PageRegion{}, nil},
	{"pm_scan_arg", "6.7", uffd.PmScanArg{}, nil},
}

// compiled returns the facts of structs in this program, given a value of each.
func compiled(structs ...any) bindings.Facts {
	f := bindings.Facts{}
	for _, v := range structs {
		t := reflect.TypeOf(v)
		f["size of "+t.Name()] = fmt.Sprint(t.Size())
		for i := range t.NumField() {
			if field := t.Field(i); field.Name != "_" {
				name := t.Name() + "." + field.Name
				f["offset of "+name], f["size of "+name] = fmt.Sprint(field.Offset), fmt.Sprint(field.Type.Size())
				f["type of "+name] = field.Type.String()
			}
		}
	}
	return f
}

// TestTaggedIsWhole: what is held against kernels is all that there is.
func TestTaggedIsWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("asks the generator")
	}
	all, err := claim.Load(t.Context(), "../..")
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	structs := map[string]int{}
	for _, c := range all["amd64"] {
		for _, s := range c.Model.Structs {
			if !strings.Contains(s.Name, ".") {
				tags = append(tags, s.Name)
			}
		}
		for what := range c.File {
			if name, ok := strings.CutPrefix(what, "size of "); ok && !strings.Contains(name, ".") {
				structs[name]++
			}
		}
		for _, s := range tagged {
			if f, ok := claim.Facts(c.Model, true)["size of "+s.tag]; ok && f.Since != s.since {
				t.Errorf("%s is since %v, said to be since %s", s.tag, f.Since, s.since)
			}
		}
	}
	for _, s := range tagged {
		tags = slices.DeleteFunc(tags, func(tag string) bool { return tag == s.tag })
		for what := range compiled(append(s.inner, s.value)...) {
			delete(structs, strings.TrimPrefix(what, "size of "))
		}
	}
	if len(tags) > 0 || len(structs) > 0 {
		t.Errorf("not there: %v, %v", tags, structs)
	}
}

// TestRunningKernel holds package uffd, as it is compiled into this program,
// against the running kernel. It needs nothing but the kernel, so that the
// test binary can be the one program of a virtual machine.
func TestRunningKernel(t *testing.T) {
	kernel, err := btf.Open(btf.Running)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this kernel shows no BTF (CONFIG_DEBUG_INFO_BTF, and /sys mounted)")
	}
	if err != nil {
		t.Fatal(err)
	}
	running, _, err := linux.Running()
	if err != nil {
		t.Fatal(err)
	}
	// A program of other words than the kernel's has layouts of its own.
	if m, err := kernel.Model("list_head"); err != nil || len(m.Structs) != 1 {
		t.Fatalf("no struct list_head of two pointers: %v", err)
	} else if word := m.Structs[0].Size / 2; word != strconv.IntSize/8 {
		t.Skipf("a program of %d-byte words on a kernel of %d", strconv.IntSize/8, word)
	}
	for _, s := range tagged {
		t.Run("agrees on "+s.tag, func(t *testing.T) {
			m, err := kernel.Model(s.tag)
			if err != nil {
				t.Fatal(err)
			}
			since, err := abi.ParseRelease(s.since)
			if err != nil {
				t.Fatal(err)
			}
			older := running.Before(since)
			switch there := len(m.Structs) > 0; {
			case there == older:
				t.Fatalf("Linux %v and struct %s, said to be since %v: there is %t", running, s.tag, since, there)
			case older:
				t.Skipf("struct %s (Linux %v)", s.tag, since)
			}
			compared, wrong := compiled(append(s.inner, s.value)...).Compare(bindings.Of(m), false)
			if compared < 5 {
				t.Errorf("only %d values compared", compared)
			}
			for _, line := range wrong {
				if !strings.HasPrefix(line, "func ") { // of which no trace is left
					t.Error(line)
				}
			}
		})
	}
}
