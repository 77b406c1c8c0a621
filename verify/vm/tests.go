package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
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

// count returns how many tests have one of the results.
func count(tests []testCase, results ...string) (n int) {
	for _, t := range tests {
		if slices.Contains(results, t.Result) {
			n++
		}
	}
	return n
}

// tests returns the outcomes that a binary's output tells. A binary that
// crashed, hung, or failed without a failed test is a failure of its own, and
// so is one none of whose tests passed or failed, unless only some were to
// run.
func (b *testBinary) tests(ctx context.Context, some bool) (tests []testCase, attrs []attr, err error) {
	input := b.output.String()
	if b.exit == nil || b.exit.Code != 0 {
		// The last test's outcome is told when something follows it.
		input = strings.TrimSuffix(input, "\n") + "\n\x16FAIL\n"
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", "-p", b.pkg) // -t adds how long tests took
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("go tool test2json: %w\n%s", err, stderr.Bytes())
	}
	if tests, attrs, err = readEvents(out); err != nil {
		return nil, nil, err
	}
	why := ""
	switch {
	case b.exit == nil:
		why = "the test binary did not end"
	case b.exit.Code != 0 && (count(tests, "fail") == 0 || b.exit.Code != 1): // 1 is what a failed test makes it
		why = "the test binary failed: " + b.exit.Error
	case count(tests, "pass", "fail") == 0 && !some:
		why = fmt.Sprintf("no test ran: %d were skipped", len(tests))
	}
	if why != "" {
		lines := slices.Collect(strings.Lines(strings.ReplaceAll(b.output.String(), "\x16", "")))
		why += "\n" + strings.Join(lines[max(0, len(lines)-200):], "")
		tests = append(tests, testCase{Package: b.pkg, Name: "(package)", Result: "fail", Output: why})
	}
	return tests, attrs, nil
}

// readEvents reads what test2json prints of one package. The tests are the
// leaves, in the order in which they began: a test that ran subtests is left
// out, unless it failed where none of them did. A test that began and did not
// end has failed.
func readEvents(events []byte) (tests []testCase, attrs []attr, err error) {
	for d := json.NewDecoder(bytes.NewReader(events)); d.More(); {
		var e struct { // go doc test2json documents it
			Action, Package, Test, Output, Key, Value string
			Elapsed                                   float64
		}
		if err := d.Decode(&e); err != nil {
			return nil, nil, fmt.Errorf("events of tests: %w", err)
		}
		if e.Test == "" {
			continue
		}
		at := slices.IndexFunc(tests, func(t testCase) bool { return t.Name == e.Test })
		if at < 0 {
			at = len(tests)
			tests = append(tests, testCase{Package: e.Package, Name: e.Test, Result: "fail"})
		}
		t := &tests[at]
		switch t.Output += e.Output; e.Action {
		case "attr":
			attrs = append(attrs, attr{e.Test, e.Key, e.Value})
		case "pass", "fail", "skip":
			t.Result, t.Seconds = e.Action, e.Elapsed
		}
	}
	failedBelow := map[string]bool{} // by the names of tests that have subtests
	for _, t := range tests {
		for at, c := range t.Name {
			if c == '/' {
				failedBelow[t.Name[:at]] = failedBelow[t.Name[:at]] || t.Result == "fail"
			}
		}
	}
	tests = slices.DeleteFunc(tests, func(t testCase) bool {
		failed, parent := failedBelow[t.Name]
		return parent && (t.Result != "fail" || failed)
	})
	for i := range tests {
		t := &tests[i]
		if t.Result == "skip" {
			t.Reason = reason(t.Output)
		}
		if t.Result != "fail" {
			t.Output = ""
		}
	}
	return tests, attrs, nil
}

// logged matches the first line of what a test logs.
var logged = regexp.MustCompile(`^ *\S+\.go:\d+: (.*)`)

// reason returns the last thing that a skipped test logged.
func reason(output string) string {
	why := "no reason given"
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\n")
		if m := logged.FindStringSubmatch(line); m != nil {
			why = m[1]
		} else if strings.HasPrefix(line, "        ") {
			why += " " + strings.TrimSpace(line)
		}
	}
	return why
}
