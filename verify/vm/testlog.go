package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// A testCase is the outcome of one test of a package.
type testCase struct {
	Package string  `json:"package"`
	Name    string  `json:"name"`
	Result  string  `json:"result"` // pass, fail, skip
	Seconds float64 `json:"seconds"`
	Reason  string  `json:"reason,omitempty"` // why it was skipped
	Output  string  `json:"output,omitempty"` // of a failed one
}

// An attr is what a test said of itself with testing.T.Attr.
type attr struct {
	Test  string `json:"test"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// A testPackage is what was told of one package's tests.
type testPackage struct {
	Name   string
	Result string // pass, fail, skip; empty if its end was not told
	Output string // what no test wrote; of a package that could not be built, why
	Attrs  []attr

	// Tests are the leaves, in the order in which they began: a test that ran
	// subtests is left out, unless it failed where none of them did. A test
	// that began and did not end has failed.
	Tests []testCase

	output map[string]string // of each test
}

// Count returns how many tests have one of the results.
func (p *testPackage) Count(results ...string) (n int) {
	for _, t := range p.Tests {
		if slices.Contains(results, t.Result) {
			n++
		}
	}
	return n
}

// Fail adds the failure of the package as a whole, under the name "(package)".
func (p *testPackage) Fail(why string) {
	p.Tests = append(p.Tests, testCase{Package: p.Name, Name: "(package)", Result: "fail", Output: why})
}

// event is what is printed; go doc test2json and go help test document it.
type event struct {
	Action, Package, Test, Output, Key, Value string
	Elapsed                                   float64
	ImportPath, FailedBuild                   string // of a build's output, and of a package that could not be built
}

// readEvents reads events to the end, and returns the packages in the order in which
// they began.
func readEvents(r io.Reader) ([]*testPackage, error) {
	var all []*testPackage
	builds := map[string]string{}
	for d := json.NewDecoder(r); ; {
		var e event
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("events of tests: %w", err)
		}
		if e.ImportPath != "" {
			builds[e.ImportPath] += e.Output
			continue
		}
		at := slices.IndexFunc(all, func(p *testPackage) bool { return p.Name == e.Package })
		if at < 0 {
			at = len(all)
			all = append(all, &testPackage{Name: e.Package, output: map[string]string{}})
		}
		all[at].event(e, builds)
	}
	for _, p := range all {
		p.leaves()
	}
	return all, nil
}

func (p *testPackage) event(e event, builds map[string]string) {
	ended := e.Action == "pass" || e.Action == "fail" || e.Action == "skip"
	if e.Test == "" {
		p.Output += e.Output
		if ended {
			p.Result = e.Action
			p.Output = builds[e.FailedBuild] + p.Output
		}
		return
	}
	if e.Action == "attr" {
		p.Attrs = append(p.Attrs, attr{e.Test, e.Key, e.Value})
	}
	p.output[e.Test] += e.Output
	at := slices.IndexFunc(p.Tests, func(t testCase) bool { return t.Name == e.Test })
	if at < 0 {
		at = len(p.Tests)
		p.Tests = append(p.Tests, testCase{Package: e.Package, Name: e.Test})
	}
	if ended {
		p.Tests[at].Result, p.Tests[at].Seconds = e.Action, e.Elapsed
	}
}

// leaves leaves the leaves in p.Tests.
func (p *testPackage) leaves() {
	parent, failedBelow := map[string]bool{}, map[string]bool{}
	for i := range p.Tests {
		t := &p.Tests[i]
		if t.Result == "" {
			t.Result = "fail"
			p.output[t.Name] += "(the test did not end)\n"
		}
		for at, c := range t.Name {
			if c == '/' {
				parent[t.Name[:at]] = true
				failedBelow[t.Name[:at]] = failedBelow[t.Name[:at]] || t.Result == "fail"
			}
		}
	}
	p.Tests = slices.DeleteFunc(p.Tests, func(t testCase) bool {
		return parent[t.Name] && (t.Result != "fail" || failedBelow[t.Name])
	})
	for i := range p.Tests {
		switch t := &p.Tests[i]; t.Result {
		case "skip":
			t.Reason = reason(p.output[t.Name])
		case "fail":
			t.Output = p.output[t.Name]
		}
	}
}

// logged matches the first line of what a test logs.
var logged = regexp.MustCompile(`^ *\S+\.go:\d+: (.*)`)

// reason returns the last thing that a skipped test logged.
func reason(output string) string {
	why := ""
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if m := logged.FindStringSubmatch(line); m != nil {
			why = m[1]
		} else if why != "" && strings.HasPrefix(line, "        ") {
			why += " " + strings.TrimSpace(line)
		}
	}
	if why == "" {
		return "no reason given"
	}
	return why
}
