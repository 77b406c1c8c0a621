package userfaultfd_test

import (
	"errors"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// FuzzMsg reads any bytes as a message, of any kind.
func FuzzMsg(f *testing.F) {
	f.Add(make([]byte, userfaultfd.MsgSize))
	f.Add([]byte{0x12})
	for _, event := range []byte{0x12, 0x13, 0x14, 0x15, 0x16, 0xff} {
		b := make([]byte, userfaultfd.MsgSize)
		b[0], b[8], b[16] = event, 0xff, 0x80
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m userfaultfd.Msg
		err := m.UnmarshalBinary(b)
		if len(b) != userfaultfd.MsgSize {
			if !errors.Is(err, unix.EINVAL) {
				t.Errorf("%d bytes: %v, want EINVAL", len(b), err)
			}
			return
		}
		if err != nil || m.Event() != userfaultfd.Event(b[0]) || m.String() == "" {
			t.Errorf("%v as %v (%v)", b, &m, err)
		}
	})
}
