package userfaultfd_test

import (
	"encoding/json"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

func TestFeatureNames(t *testing.T) {
	for _, test := range []struct {
		name  string
		bits  userfaultfd.Features
		text  string
		since string
	}{
		{"nothing is 0", 0, "0", ""},
		{"one", userfaultfd.FeaturePoison, "POISON", "6.6"},
		{"several, in the order of their bits", userfaultfd.FeatureMove | userfaultfd.FeatureEventFork, "EVENT_FORK|MOVE", "6.8"},
		{"a bit that nobody knows is a number, and of no release", 1<<63 | userfaultfd.FeatureRWPAsync, "RWP_ASYNC|0x8000000000000000", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.bits.String(); got != test.text {
				t.Errorf("String: %q, want %q", got, test.text)
			}
			if got, err := userfaultfd.ParseFeatures(test.text); got != test.bits || err != nil {
				t.Errorf("ParseFeatures: %v, %v", got, err)
			}
			if got := test.bits.Since(); got != test.since {
				t.Errorf("Since: %q, want %q", got, test.since)
			}
			b, err := json.Marshal(test.bits)
			if err != nil {
				t.Fatal(err)
			}
			var back userfaultfd.Features
			if err := json.Unmarshal(b, &back); back != test.bits || err != nil {
				t.Errorf("through JSON %s: %v, %v", b, back, err)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]userfaultfd.Features{
		"":                           0,
		"UFFD_FEATURE_POISON":        userfaultfd.FeaturePoison,
		"poison, move":               userfaultfd.FeaturePoison | userfaultfd.FeatureMove,
		"0x4000|2":                   userfaultfd.FeaturePoison | userfaultfd.FeatureEventFork,
		"uffd_feature_sigbus|SIGBUS": userfaultfd.FeatureSigbus,
	} {
		if got, err := userfaultfd.ParseFeatures(text); got != want || err != nil {
			t.Errorf("ParseFeatures(%q): %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"POISONED", "UFFDIO_POISON", "0x1ffffffffffffffff", "POISON|nothing"} {
		if got, err := userfaultfd.ParseFeatures(text); err == nil {
			t.Errorf("ParseFeatures(%q): %v, want an error", text, got)
		}
	}
	const ioctls = userfaultfd.IoctlRegister | userfaultfd.IoctlPoison | userfaultfd.IoctlAPI | 1<<40
	if text := "REGISTER|POISON|API|0x10000000000"; ioctls.String() != text {
		t.Errorf("Ioctls: %v, want %s", ioctls, text)
	}
}

// FuzzParseFeatures reads any text; what it understands has to survive being
// printed.
func FuzzParseFeatures(f *testing.F) {
	f.Add("POISON|0x8000000000000000")
	f.Add("uffd_feature_move,1 2")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := userfaultfd.ParseFeatures(s)
		if err != nil {
			return
		}
		if again, err := userfaultfd.ParseFeatures(v.String()); again != v || err != nil {
			t.Errorf("%q is %v, and that is %v, %v", s, v, again, err)
		}
	})
}

func TestParseFdinfo(t *testing.T) {
	for _, test := range []struct {
		name, text string
		features   userfaultfd.Features
		ioctls     userfaultfd.Ioctls
	}{
		{
			"what Linux prints, without operations on ranges", "pos:\t0\nflags:\t02004002\nmnt_id:\t16\npending:\t0\ntotal:\t0\nAPI:\taa:80000108:80000000000001ff\n",
			0x108, userfaultfd.IoctlAPI | userfaultfd.IoctlRegister | userfaultfd.IoctlUnregister,
		},
		{"nothing", "", 0, 0},
		{"a line that breaks off", "API:\taa:108", 0, 0},
		{"no numbers", "API:\taa:x:y\n", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if features, ioctls := userfaultfd.ParseFdinfo(test.text); features != test.features || ioctls != test.ioctls {
				t.Errorf("got %#x and %#x, want %#x and %#x", uint64(features), uint64(ioctls), uint64(test.features), uint64(test.ioctls))
			}
		})
	}
}
