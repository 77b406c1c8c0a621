package userfaultfd

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestClaimsWPInVain(t *testing.T) {
	for _, test := range []struct {
		machine, release string
		want             bool
	}{
		{"aarch64", "5.10.0-32-cloud-arm64", true}, // measured: writes pass
		{"aarch64", "6.1.0-50-cloud-arm64", false}, // says that it has none
		{"x86_64", "5.10.0-32-cloud-amd64", false}, // for programs of 32 bits, too
	} {
		if got := claimsWPInVain(test.machine, test.release); got != test.want {
			t.Errorf("%s, Linux %s: %v, want %v", test.machine, test.release, got, test.want)
		}
	}
}

func TestHugeFlag(t *testing.T) {
	for size, want := range map[int]int{
		64 << 10: unix.MAP_HUGE_64KB,
		2 << 20:  unix.MAP_HUGE_2MB,
		32 << 20: unix.MAP_HUGE_32MB,
		1 << 30:  unix.MAP_HUGE_1GB,
	} {
		if got := hugeFlag(size); got != want {
			t.Errorf("%d: %#x, want %#x", size, got, want)
		}
	}
}

// TestStaleInterrupt ends a read for a context whose reader has gone already,
// which happens when the two meet: the next reader must not notice.
func TestStaleInterrupt(t *testing.T) {
	f, err := Open(Config{UserModeOnly: true})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("UFFD_USER_MODE_ONLY (Linux 5.11)")
	}
	if err != nil {
		t.Fatal(err)
	}
	f.interruptReader()
	done := make(chan error)
	go func() {
		_, err := f.Read(make([]Msg, 1))
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("Read: %v, want it to wait", err)
		f.Close()
		return
	case <-time.After(20 * time.Millisecond):
	}
	f.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Read: %v, want ErrClosed", err)
	}
}
