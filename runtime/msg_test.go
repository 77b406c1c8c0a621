package userfaultfd_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// TestMsg reads messages as the kernel writes them on a little-endian or a
// big-endian machine, whichever this is.
func TestMsg(t *testing.T) {
	message := func(event byte, words ...uint64) *userfaultfd.Msg {
		b := make([]byte, 8, userfaultfd.MsgSize)
		b[0] = event
		for _, w := range words {
			b = binary.NativeEndian.AppendUint64(b, w)
		}
		m := new(userfaultfd.Msg)
		if err := m.UnmarshalBinary(b[:userfaultfd.MsgSize]); err != nil {
			t.Fatal(err)
		}
		return m
	}
	// The thread's id is 32 bits at offset 24.
	thread := uint64(77)
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		thread <<= 32
	}
	for _, test := range []struct {
		text string
		got  *userfaultfd.Msg
		ok   func(m *userfaultfd.Msg) bool
	}{
		{"PAGEFAULT 0x7000 WRITE|WP thread 77", message(0x12, 3, 0x7000, thread), func(m *userfaultfd.Msg) bool {
			return m.Event() == userfaultfd.EventPagefault &&
				m.Pagefault() == userfaultfd.Pagefault{Address: 0x7000, Flags: userfaultfd.PagefaultWrite | userfaultfd.PagefaultWP, ThreadID: 77}
		}},
		{"PAGEFAULT 0x7000 RWP|0x100", message(0x12, 0x108, 0x7000), func(m *userfaultfd.Msg) bool {
			return m.Pagefault().Flags == userfaultfd.PagefaultRWP|0x100
		}},
		{"REMAP 1000-3000 to 0x9000", message(0x14, 0x1000, 0x9000, 0x2000), func(m *userfaultfd.Msg) bool {
			return m.Event() == userfaultfd.EventRemap && m.Remap() == userfaultfd.Remap{From: 0x1000, To: 0x9000, Len: 0x2000}
		}},
		{"REMOVE 1000-3000", message(0x15, 0x1000, 0x3000), func(m *userfaultfd.Msg) bool {
			return m.Event() == userfaultfd.EventRemove && m.Remove() == userfaultfd.Range{Start: 0x1000, Len: 0x2000}
		}},
		{"UNMAP 1000-3000", message(0x16, 0x1000, 0x3000), func(m *userfaultfd.Msg) bool {
			return m.Event() == userfaultfd.EventUnmap && m.Unmap() == userfaultfd.Range{Start: 0x1000, Len: 0x2000}
		}},
		{"event 0x42 " + strings.TrimSpace(strings.Repeat("00 ", 24)), message(0x42), func(m *userfaultfd.Msg) bool {
			return m.Event() == 0x42
		}},
	} {
		t.Run(test.text, func(t *testing.T) {
			if !test.ok(test.got) {
				t.Errorf("got %v", test.got)
			}
			if test.got.String() != test.text {
				t.Errorf("String: %q", test.got)
			}
		})
	}
	t.Run("a fault's page", func(t *testing.T) {
		p := userfaultfd.Pagefault{Address: 0x7f1234}
		if got, want := p.Page(0x1000), (userfaultfd.Range{Start: 0x7f1000, Len: 0x1000}); got != want {
			t.Errorf("Page: %v, want %v", got, want)
		}
	})
	t.Run("FORK", func(t *testing.T) {
		b := make([]byte, userfaultfd.MsgSize)
		b[0] = 0x13
		binary.NativeEndian.PutUint32(b[8:], 12)
		var m userfaultfd.Msg
		if err := m.UnmarshalBinary(b); err != nil || m.Event() != userfaultfd.EventFork || m.Fork().FD != 12 {
			t.Errorf("got %v, %v", &m, err)
		}
	})
}

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
