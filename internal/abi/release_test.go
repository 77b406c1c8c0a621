package abi

import "testing"

func TestReleasesAreOrderedByNumber(t *testing.T) {
	older, err1 := ParseRelease("5.9")
	newer, err2 := ParseRelease("5.10.223-1")
	if err1 != nil || err2 != nil || !older.Before(newer) || newer.Before(older) || newer.Before(newer) || newer.String() != "5.10" {
		t.Errorf("%v (%v), %v (%v)", older, err1, newer, err2)
	}
	for _, s := range []string{"sid", "", "7", "-1.2", "6.-1"} {
		if r, err := ParseRelease(s); err == nil {
			t.Errorf("%q is %v", s, r)
		}
	}
}
