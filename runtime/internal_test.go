package userfaultfd

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestClaimsWPInVain(t *testing.T) {
	for _, test := range []struct {
		goarch, release string
		want            bool
	}{
		{"arm64", "5.10.0-32-cloud-arm64", true}, // measured: writes pass
		{"arm64", "6.1.0-50-cloud-arm64", false}, // says that it has none
		{"amd64", "5.10.0-32-cloud-amd64", false},
	} {
		if got := claimsWPInVain(test.goarch, test.release); got != test.want {
			t.Errorf("%s, Linux %s: %v, want %v", test.goarch, test.release, got, test.want)
		}
	}
}

// TestStaleInterrupt ends a read for a context whose reader has gone already,
// which happens when the two meet: the next reader must not notice.
func TestStaleInterrupt(t *testing.T) {
	f, err := Open(Config{UserModeOnly: true})
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	if err := f.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	f.interruptReader()
	start := time.Now()
	if _, err := f.Read(make([]Msg, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read: %v, want ErrDeadlineExceeded", err)
	}
	if time.Since(start) < 10*time.Millisecond {
		t.Error("Read has ended before the deadline that was set for it")
	}
}
