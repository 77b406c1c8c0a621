package main

import (
	"fmt"
	"strings"
	"testing"
)

const eventStream = `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestParent"}
{"Action":"run","Package":"a","Test":"TestParent/child"}
{"Action":"output","Package":"a","Test":"TestParent/child","Output":"    a_test.go:1: first\n    a_test.go:2: the reason\n"}
{"Action":"skip","Package":"a","Test":"TestParent/child"}
{"Action":"pass","Package":"a","Test":"TestParent"}
{"Action":"start","Package":"b"}
{"Action":"run","Package":"b","Test":"TestParent"}
{"Action":"run","Package":"a","Test":"TestParents"}
{"Action":"pass","Package":"a","Test":"TestParents","Elapsed":1.25}
{"Action":"pass","Package":"a"}
{"Action":"run","Package":"b","Test":"TestParent/child"}
{"Action":"output","Package":"b","Test":"TestParent/child","Output":"    b_test.go:1: broken\n"}
{"Action":"fail","Package":"b","Test":"TestParent/child"}
{"Action":"fail","Package":"b","Test":"TestParent"}
{"Action":"run","Package":"b","Test":"TestCleanup"}
{"Action":"run","Package":"b","Test":"TestCleanup/child"}
{"Action":"pass","Package":"b","Test":"TestCleanup/child"}
{"Action":"output","Package":"b","Test":"TestCleanup","Output":"    b_test.go:9: left over\n"}
{"Action":"fail","Package":"b","Test":"TestCleanup"}
{"Action":"run","Package":"b","Test":"TestHangs"}
{"Action":"run","Package":"b","Test":"TestHangs/here"}
{"Action":"fail","Package":"b"}
{"ImportPath":"c [c.test]","Action":"build-output","Output":"undefined: x\n"}
{"ImportPath":"c [c.test]","Action":"build-fail"}
{"Action":"start","Package":"c"}
{"Action":"output","Package":"c","Output":"FAIL c\n"}
{"Action":"fail","Package":"c","FailedBuild":"c [c.test]"}
{"Action":"start","Package":"d"}
{"Action":"skip","Package":"d"}
{"Action":"start","Package":"e"}
`

func TestRead(t *testing.T) {
	all, err := readEvents(strings.NewReader(eventStream))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range all {
		s := fmt.Sprintf("%s %q ran=%v failed=%v:", p.Name, p.Result, p.Count("pass", "fail") > 0, p.Count("fail") > 0)
		for _, o := range p.Tests {
			s += fmt.Sprintf(" %s %s %v %q %q,", o.Name, o.Result, o.Seconds, o.Reason, o.Output)
		}
		got = append(got, s)
	}
	want := []string{
		`a "pass" ran=true failed=false: TestParent/child skip 0 "the reason" "", TestParents pass 1.25 "" "",`,
		`b "fail" ran=true failed=true: TestParent/child fail 0 "" "    b_test.go:1: broken\n",` +
			` TestCleanup fail 0 "" "    b_test.go:9: left over\n", TestCleanup/child pass 0 "" "",` +
			` TestHangs/here fail 0 "" "(the test did not end)\n",`,
		`c "fail" ran=false failed=false:`,
		`d "skip" ran=false failed=false:`,
		`e "" ran=false failed=false:`,
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
	if c := all[2]; c.Output != "undefined: x\nFAIL c\n" {
		t.Errorf("a package that cannot be built says %q", c.Output)
	}
	if _, err := readEvents(strings.NewReader("panic")); err == nil {
		t.Error("what is no JSON is accepted")
	}
}

func TestReason(t *testing.T) {
	for output, want := range map[string]string{
		"=== RUN   T\n    a_test.go:7: UFFD_FEATURE_POISON (Linux 6.6)\n--- SKIP: T (0.00s)\n": "UFFD_FEATURE_POISON (Linux 6.6)",
		"    a_test.go:7: tried\n    a_test.go:9: gave up\n":                                   "gave up",
		"    a_test.go:7: two\n        lines\n":                                                "two lines",
		"--- SKIP: T (0.00s)\n":                                                                "no reason given",
	} {
		if got := reason(output); got != want {
			t.Errorf("%q: got %q, want %q", output, got, want)
		}
	}
}
