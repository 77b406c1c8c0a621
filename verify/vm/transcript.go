package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// An event is what test2json prints of a package's tests (go doc test2json), or
// one of init's own (init/main.go): boot is the first, done the last.
type event struct {
	Number   int    `json:"-"` // counts from 0
	Action   string `json:",omitempty"`
	Package  string `json:",omitempty"` // import path
	Test     string `json:",omitempty"`
	Output   string `json:",omitempty"`
	Key      string `json:",omitempty"` // of testing.T.Attr
	Value    string `json:",omitempty"`
	Release  string `json:",omitempty"` // of boot: uname -r
	PageSize int    `json:",omitempty"` // of boot, in bytes
	Packages int    `json:",omitempty"` // of boot: how many are to be tested
}

// parse looks for an event in a line: a mark, a number and JSON.
func parse(line string) (e event, ok bool) {
	const mark = "<uffd>"
	// An event that was cut short can be followed by a whole one.
	i := strings.LastIndex(line, mark)
	if i < 0 {
		return e, false
	}
	d := json.NewDecoder(strings.NewReader(line[i+len(mark):]))
	return e, errors.Join(d.Decode(&e.Number), d.Decode(&e)) == nil
}

// A transcript is what a guest wrote on its console.
type transcript struct {
	Guest   *event   // boot; nil until init has spoken
	Attrs   []event  // what tests said of the kernel
	Console []string // the end of all; of the kernel's log where a test failed

	packages []testedPackage // in the order in which they were tested
	done     bool
	lost     int // events that were damaged or never came
	next     int // the number of the next event
}

// tailLines is how much of a console is kept for failures.
const tailLines = 40

// escapes are the terminal codes that firmware writes.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Za-z0-9]|.)`)

// whole returns an error if something is missing of what a guest said that
// came to its end.
func (t *transcript) whole() error {
	if t.lost > 0 || len(t.packages) != t.Guest.Packages {
		return fmt.Errorf("%d of %d packages were tested; %d events were damaged or lost on the console",
			len(t.packages), t.Guest.Packages, t.lost)
	}
	return nil
}

// line reads one line of the console, and reports whether it is an event.
func (t *transcript) line(s string) bool {
	e, ok := parse(s)
	if ok {
		s = e.Output
	}
	if s = strings.TrimSpace(escapes.ReplaceAllString(s, "")); s != "" {
		t.Console = append(t.Console, s)
		t.Console = t.Console[max(0, len(t.Console)-tailLines):]
	}
	if !ok || e.Number < t.next {
		return false // a damaged event is missed when the next one comes
	}
	t.lost += e.Number - t.next
	t.next = e.Number + 1
	switch e.Action {
	case "boot":
		t.Guest = &e
	case "done":
		t.done = true
	default:
		t.tested(e)
	}
	return true
}

// A testCase is the outcome of a test, or of a package.
type testCase struct {
	Package, Name string
	Result        string // pass, fail, skip
	Reason        string // why it was skipped
	Output        string
}

// A testedPackage is what came of one package's tests.
type testedPackage struct {
	testCase            // of the test binary, which has no name; without a result if it did not end
	tests    []testCase // in the order in which they began
}

// logged matches what a test logs: a line, and more of it that is indented.
var logged = regexp.MustCompile(`(?m)^ *\S+\.go:\d+: (.*(?:\n {8}.*)*)`)

// tested takes in what test2json says. A test that began and did not end has
// failed.
func (t *transcript) tested(e event) {
	if n := len(t.packages); n == 0 || t.packages[n-1].Package != e.Package {
		t.packages = append(t.packages, testedPackage{testCase: testCase{Package: e.Package}})
	}
	p := &t.packages[len(t.packages)-1]
	c := &p.testCase
	if e.Test != "" {
		at := slices.IndexFunc(p.tests, func(c testCase) bool { return c.Name == e.Test })
		if at < 0 {
			at = len(p.tests)
			p.tests = append(p.tests, testCase{Package: e.Package, Name: e.Test, Result: "fail"})
		}
		c = &p.tests[at]
	}
	c.Output += e.Output
	switch e.Action {
	case "attr":
		t.Attrs = append(t.Attrs, e)
	case "pass", "fail":
		c.Result = e.Action
	case "skip":
		c.Result, c.Reason = e.Action, "no reason given"
		for _, log := range logged.FindAllStringSubmatch(c.Output, -1) {
			c.Reason = strings.Join(strings.Fields(log[1]), " ") // the last one
		}
	}
}

// outcomes returns those of the leaves: a test that ran subtests is left out,
// unless it failed where none of them did. A binary that did not end, or
// failed without a failed test, is a failure of its own, and so is one none of
// whose tests passed or failed, unless only some were to run.
func (p testedPackage) outcomes(some bool) []testCase {
	leaves := slices.DeleteFunc(slices.Clone(p.tests), func(c testCase) bool {
		return slices.ContainsFunc(p.tests, func(sub testCase) bool {
			return strings.HasPrefix(sub.Name, c.Name+"/") && (c.Result != "fail" || sub.Result == "fail")
		})
	})
	why := ""
	switch {
	case p.Result == "":
		why = "the test binary did not end"
	case p.Result == "fail" && count(leaves, "fail") == 0:
		why = "the test binary failed"
	case count(leaves, "pass", "fail") == 0 && !some:
		why = fmt.Sprintf("no test ran: %d were skipped", len(leaves))
	default:
		return leaves
	}
	return append(leaves, testCase{Package: p.Package, Name: "(package)", Result: "fail", Output: why + "\n" + p.Output})
}

// count returns how many tests have one of the results.
func count(tests []testCase, results ...string) (n int) {
	for _, t := range tests {
		if slices.Contains(results, t.Result) {
			n++
		}
	}
	return n
}
