package userfaultfd

import "testing"

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
