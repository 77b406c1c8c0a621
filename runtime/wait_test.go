package userfaultfd_test

import (
	"errors"
	"os"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

func TestWaitAndTryReadAreReadInTwoHalves(t *testing.T) {
	f := uffdtest.Open(t, 0)
	m := uffdtest.Map(t, memory.Anonymous, 1)
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	var msgs [2]userfaultfd.Msg
	if n, err := f.TryRead(msgs[:]); n != 0 || err != nil {
		t.Errorf("TryRead without a message: %d, %v", n, err)
	}
	if _, err := f.TryRead(nil); !errors.Is(err, unix.EINVAL) {
		t.Errorf("TryRead into nothing: %v", err)
	}
	populated := uffdtest.Touch(m.Range(), m.PageSize(), false)
	n := 0
	if err := f.Wait(func(uintptr) bool {
		var err error
		if n, err = f.TryRead(msgs[:]); err != nil {
			t.Error(err)
		}
		return n > 0
	}); err != nil {
		t.Fatal(err)
	}
	if n != 1 || msgs[0].Event() != userfaultfd.EventPagefault {
		t.Errorf("%d messages, the first is %v", n, &msgs[0])
	}
	if _, err := f.Zeropage(m.Range(), 0); err != nil {
		t.Error(err)
	}
	if err := uffdtest.Within(t, "the touch", populated); err != nil {
		t.Error(err)
	}
	f.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if err := f.Wait(func(uintptr) bool { return false }); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Wait until the deadline: %v", err)
	}
	f.SetReadDeadline(time.Time{})
	time.AfterFunc(10*time.Millisecond, func() { f.Close() })
	if err := f.Wait(func(uintptr) bool { return false }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait until it is closed: %v", err)
	}
	if _, err := f.TryRead(msgs[:]); !errors.Is(err, os.ErrClosed) {
		t.Errorf("TryRead after that: %v", err)
	}
}
