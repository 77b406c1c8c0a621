package bindings

import (
	"reflect"

	"github.com/zuffd/uffd"
)

// Compiled returns the structs of package uffd as they are in this program. It
// has no constants: those leave no trace.
func Compiled() *Package {
	p := &Package{structs: map[string]layout{}}
	for _, v := range []any{
		uffd.UffdMsg{}, uffd.UffdMsgPagefault{}, uffd.UffdMsgFork{},
		uffd.UffdMsgRemap{}, uffd.UffdMsgRemove{}, uffd.UffdMsgReserved{},
		uffd.UffdioApi{}, uffd.UffdioRange{}, uffd.UffdioRegister{},
		uffd.UffdioCopy{}, uffd.UffdioZeropage{}, uffd.UffdioWriteprotect{},
		uffd.UffdioContinue{}, uffd.UffdioPoison{}, uffd.UffdioMove{},
		uffd.UffdioRwprotect{}, uffd.UffdioSetMode{},
		uffd.PageRegion{}, uffd.PmScanArg{},
	} {
		t := reflect.TypeOf(v)
		l := layout{size: int64(t.Size()), fields: map[string]field{}}
		for i := range t.NumField() {
			if f := t.Field(i); f.Name != "_" {
				l.fields[f.Name] = field{int64(f.Offset), int64(f.Type.Size()), f.Type.String()}
			}
		}
		p.structs[t.Name()] = l
	}
	return p
}
