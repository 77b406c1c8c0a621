package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const stream = `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestParent"}
{"Action":"run","Package":"a","Test":"TestParent/child"}
{"Action":"output","Package":"a","Test":"TestParent/child","Output":"    a_test.go:1: first\n    a_test.go:2: the reason\n"}
{"Action":"skip","Package":"a","Test":"TestParent/child"}
{"Action":"pass","Package":"a","Test":"TestParent"}
{"Action":"run","Package":"a","Test":"TestAlone"}
{"Action":"pass","Package":"a","Test":"TestAlone"}
{"Action":"pass","Package":"a"}
{"Action":"start","Package":"b"}
{"Action":"run","Package":"b","Test":"TestParent"}
{"Action":"run","Package":"b","Test":"TestParent/child"}
{"Action":"output","Package":"b","Test":"TestParent/child","Output":"    b_test.go:1: broken\n"}
{"Action":"fail","Package":"b","Test":"TestParent/child"}
{"Action":"fail","Package":"b","Test":"TestParent"}
{"Action":"fail","Package":"b"}
{"Action":"start","Package":"c"}
{"Action":"output","Package":"c","Output":"panic: no test ran\n"}
{"Action":"fail","Package":"c"}
{"Action":"start","Package":"d"}
{"Action":"skip","Package":"d"}
`

func TestCount(t *testing.T) {
	all, err := count(strings.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 {
		t.Fatalf("%d packages", len(all))
	}
	a, b, c := all[0], all[1], all[2]
	if a.pkg != "a" || a.passed != 1 || a.failed != 0 || a.skipped != 1 || !slices.Equal(a.reasons, []string{"the reason"}) {
		t.Errorf("a: %+v", a)
	}
	if b.passed != 0 || b.failed != 1 || b.skipped != 0 || !strings.Contains(b.failures[0], "broken") {
		t.Errorf("b: %+v", b)
	}
	if c.failed != 1 || !strings.Contains(c.failures[0], "panic: no test ran") {
		t.Errorf("c: %+v", c)
	}
	if _, err := count(strings.NewReader("panic")); err == nil {
		t.Error("what is no JSON is accepted")
	}
}

func TestReport(t *testing.T) {
	good := result{kind: "BTF", oracle: "a kernel", about: "structs", compared: 7}
	for _, tt := range []struct {
		name   string
		report report
		ok     bool
		want   string
	}{
		{"is good where all is well", report{results: []result{good}}, true, "7 comparisons with 1 oracles (BTF: 1): 0 disagree, 0 not asked, 0 not there; 0 live tests failed"},
		{"counts an oracle once, however often it is asked", report{results: []result{
			{kind: "C compilers", oracle: "gcc", compared: 3},
			{kind: "C compilers", oracle: "gcc", compared: 4},
			{kind: "kernel headers", oracle: "headers 7.3, gcc", sources: []string{"headers 7.3"}, compared: 2},
			{kind: "kernel headers", oracle: "headers 6.1 7.3", sources: []string{"headers 6.1", "headers 7.3"}, compared: 1},
		}}, true, "10 comparisons with 3 oracles (C compilers: 1, kernel headers: 2): 0 disagree"},
		{"counts no oracle that was not asked", report{results: []result{good, {kind: "BTF", oracle: "another", unasked: errors.New("no such file")}}}, false, "7 comparisons with 1 oracles (BTF: 1): 0 disagree, 1 not asked"},
		{"says what is not there, and is good", report{results: []result{good, {kind: "BTF", oracle: "the running kernel", about: "structs", absent: "BTF is off"}}}, true, "with 1 oracles (BTF: 1): 0 disagree, 0 not asked, 1 not there"},
		{"fails where a value differs", report{results: []result{{kind: "BTF", oracle: "a kernel", about: "structs", wrong: []string{"s.f is at 8"}}}}, false, "a kernel, structs: s.f is at 8"},
		{"fails where an oracle was not asked", report{results: []result{good, {kind: "BTF", oracle: "another", about: "structs", unasked: errors.New("no such file")}}}, false, "not asked: BTF: another: no such file"},
		{"fails where a live test failed", report{results: []result{good}, tests: []*outcomes{{pkg: "p", failed: 1, failures: []string{"p TestX"}}}}, false, "p TestX"},
		{"says why tests were skipped", report{results: []result{good}, tests: []*outcomes{{pkg: "p", passed: 3, skipped: 2, reasons: []string{"no kernel", "no kernel"}}}}, true, "skipped 2: no kernel"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			err := tt.report.write(&out)
			if (err == nil) != tt.ok || !strings.Contains(out.String(), tt.want) {
				t.Errorf("error %v, output:\n%s", err, out.String())
			}
		})
	}
}
