package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/claim"
)

func TestReport(t *testing.T) {
	good := claim.Answer{Kind: "BTF", Oracle: "a kernel", About: "structs", Verdict: claim.Verdict{Compared: 7}}
	for _, tt := range []struct {
		name   string
		report report
		ok     bool
		want   string
	}{
		{"is good where all is well", report{good}, true, "7 comparisons with 1 oracles (BTF: 1): 0 disagree, 0 not asked, 0 not there"},
		{"counts an oracle once, however often it is asked", report{
			{Kind: "C compilers", Oracle: "gcc", Verdict: claim.Verdict{Compared: 3}},
			{Kind: "C compilers", Oracle: "gcc", Verdict: claim.Verdict{Compared: 4}},
			{Kind: "kernel headers", Oracle: "headers 7.3, gcc", Sources: []string{"headers 7.3"}, Verdict: claim.Verdict{Compared: 2}},
			{Kind: "kernel headers", Oracle: "headers 6.1 7.3", Sources: []string{"headers 6.1", "headers 7.3"}, Verdict: claim.Verdict{Compared: 1}},
		}, true, "10 comparisons with 3 oracles (C compilers: 1, kernel headers: 2): 0 disagree"},
		{"counts no oracle that was not asked", report{good, {Kind: "BTF", Oracle: "another", Unasked: errors.New("no such file")}}, false, "7 comparisons with 1 oracles (BTF: 1): 0 disagree, 1 not asked"},
		{"says what is not there, and is good", report{good, {Kind: "BTF", Oracle: "the running kernel", About: "structs", Absent: "BTF is off"}}, true, "with 1 oracles (BTF: 1): 0 disagree, 0 not asked, 1 not there"},
		{"fails where a value differs", report{{Kind: "BTF", Oracle: "a kernel", About: "structs", Verdict: claim.Verdict{Wrong: []string{"s.f is at 8"}}}}, false, "a kernel, structs: s.f is at 8"},
		{"fails where an oracle was not asked", report{good, {Kind: "BTF", Oracle: "another", About: "structs", Unasked: errors.New("no such file")}}, false, "not asked: BTF: another: no such file"},
		{"tells the news, and is good", report{{Kind: "kernel headers", Verdict: claim.Verdict{Compared: 7, News: []string{"added X"}}}}, true, "news: added X"},
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
