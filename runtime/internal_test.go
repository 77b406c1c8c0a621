package userfaultfd

import (
	"testing"

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

func TestAPatientFileTellsTheSchedulerOfShortOperations(t *testing.T) {
	f := new(File)
	for _, patient := range []bool{false, true, false} {
		f.SetPatient(patient)
		if got := f.isShort(4096); got == patient {
			t.Errorf("patient is %v, and an operation on a page is short: %v", patient, got)
		}
		if f.isShort(shortIoctl + 1) {
			t.Error("a long operation is short")
		}
	}
}

// TestPreadvRefused tells what speaks against preadv2(2) from what is wrong with
// the read itself: one FORK message without a descriptor to be had for it must not
// make every later read a slow one.
func TestPreadvRefused(t *testing.T) {
	for errno, want := range map[unix.Errno]bool{
		unix.EOPNOTSUPP: true, // before Linux 6.10
		unix.ENOSYS:     true,
		unix.EPERM:      true,
		unix.EACCES:     true,
		unix.EAGAIN:     false,
		unix.EINTR:      false,
		unix.EMFILE:     false,
		unix.ENFILE:     false,
		unix.ENOMEM:     false,
	} {
		if got := preadvRefused(errno); got != want {
			t.Errorf("%s: %v, want %v", unix.ErrnoName(errno), got, want)
		}
	}
}
