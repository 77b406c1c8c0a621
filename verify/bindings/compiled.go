package bindings

import (
	"reflect"

	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/verify/linux"
)

// Tagged are the structs of package uffd that have a tag in C, as they are in
// this program, and the releases that brought them.
var Tagged = []struct {
	Tag   string
	Since linux.Release
	value any
	inner []any // those without a tag that it holds
}{
	{"uffd_msg", linux.Release{Major: 4, Minor: 3}, uffd.UffdMsg{}, []any{
		uffd.UffdMsgPagefault{}, uffd.UffdMsgFork{}, uffd.UffdMsgRemap{}, uffd.UffdMsgRemove{}, uffd.UffdMsgReserved{}}},
	{"uffdio_api", linux.Release{Major: 4, Minor: 3}, uffd.UffdioApi{}, nil},
	{"uffdio_range", linux.Release{Major: 4, Minor: 3}, uffd.UffdioRange{}, nil},
	{"uffdio_register", linux.Release{Major: 4, Minor: 3}, uffd.UffdioRegister{}, nil},
	{"uffdio_copy", linux.Release{Major: 4, Minor: 3}, uffd.UffdioCopy{}, nil},
	{"uffdio_zeropage", linux.Release{Major: 4, Minor: 3}, uffd.UffdioZeropage{}, nil},
	{"uffdio_writeprotect", linux.Release{Major: 5, Minor: 7}, uffd.UffdioWriteprotect{}, nil},
	{"uffdio_continue", linux.Release{Major: 5, Minor: 13}, uffd.UffdioContinue{}, nil},
	{"uffdio_poison", linux.Release{Major: 6, Minor: 6}, uffd.UffdioPoison{}, nil},
	{"uffdio_move", linux.Release{Major: 6, Minor: 8}, uffd.UffdioMove{}, nil},
	{"uffdio_rwprotect", linux.Release{Major: 7, Minor: 3}, uffd.UffdioRwprotect{}, nil},
	{"uffdio_set_mode", linux.Release{Major: 7, Minor: 3}, uffd.UffdioSetMode{}, nil},
	{"page_region", linux.Release{Major: 6, Minor: 7}, uffd.PageRegion{}, nil},
	{"pm_scan_arg", linux.Release{Major: 6, Minor: 7}, uffd.PmScanArg{}, nil},
}

// Compiled returns the structs of package uffd as they are in this program. It
// has no constants: those leave no trace.
func Compiled() *Package {
	p := &Package{structs: map[string]layout{}}
	for _, s := range Tagged {
		for _, v := range append([]any{s.value}, s.inner...) {
			t := reflect.TypeOf(v)
			l := layout{size: int64(t.Size()), fields: map[string]field{}}
			for i := range t.NumField() {
				if f := t.Field(i); f.Name != "_" {
					l.fields[f.Name] = field{int64(f.Offset), int64(f.Type.Size()), f.Type.String()}
				}
			}
			p.structs[t.Name()] = l
		}
	}
	return p
}
