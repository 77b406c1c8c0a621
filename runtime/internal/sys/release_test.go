package sys_test

import (
	"testing"

	"github.com/zuffd/uffd/runtime/internal/sys"
)

func TestReleaseLess(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"5.7", "5.10", true},
		{"5.10", "5.7", false},
		{"6.12.107-cloud-amd64", "6.12", false},
		{"6.18.44-fc-v595", "7.3", true},
		{"7.3-rc1", "7.3", false}, // a candidate has what is coming
		{"", "4.3", true},
	} {
		if got := sys.ReleaseLess(test.a, test.b); got != test.want {
			t.Errorf("%q before %q: %v, want %v", test.a, test.b, got, test.want)
		}
	}
}
