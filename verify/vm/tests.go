package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// A test is the outcome of one test of a package.
type test struct {
	Package string  `json:"package"`
	Name    string  `json:"name"`
	Result  string  `json:"result"` // pass, fail, skip
	Seconds float64 `json:"seconds"`
	Reason  string  `json:"reason,omitempty"` // why it was skipped
	Output  string  `json:"output,omitempty"` // of a failed one
}

// event is what go tool test2json prints; the go command documents it.
type event struct {
	Action  string
	Test    string
	Elapsed float64
	Output  string
}

// tests returns the outcomes that a binary's output tells, in the order in
// which the tests began. Only leaves are told: a test that ran subtests is
// left out, unless it failed where none of them did. A test that began and did
// not end has failed. A binary that crashed, hung, or failed without a failed
// test is a failure of its own, under the name "(package)", and so is one that
// ran no test, unless only some were to run.
func (b *testBinary) tests(ctx context.Context, some bool) ([]test, error) {
	input := b.output.String()
	if b.exit == nil || b.exit.Code != 0 {
		// The last test's outcome is told when something follows it.
		input = strings.TrimSuffix(input, "\n") + "\n\x16FAIL\n"
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-t") // -t adds how long tests took
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go tool test2json: %w\n%s", err, stderr.Bytes())
	}
	events, err := parseEvents(out)
	if err != nil {
		return nil, err
	}
	return b.outcomes(events, some), nil
}

func parseEvents(out []byte) ([]event, error) {
	var all []event
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var e event
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the output of go tool test2json: %w", err)
		}
		all = append(all, e)
	}
}

func (b *testBinary) outcomes(events []event, some bool) []test {
	var order []string
	all := make(map[string]*test)
	output := make(map[string]string)
	for _, e := range events {
		output[e.Test] += e.Output
		if e.Test == "" {
			continue
		}
		t := all[e.Test]
		if t == nil {
			t = &test{Package: b.pkg, Name: e.Test}
			all[e.Test] = t
			order = append(order, e.Test)
		}
		switch e.Action {
		case "pass", "fail", "skip":
			t.Result, t.Seconds = e.Action, e.Elapsed
		}
	}
	var leaves []test
	failed := false
	for _, name := range order {
		t := all[name]
		if t.Result == "" {
			t.Result = "fail"
			output[name] += "(the test did not end)\n"
		}
		below := func(other string) bool { return strings.HasPrefix(other, name+"/") }
		failedBelow := func(other string) bool {
			return below(other) && (all[other].Result == "fail" || all[other].Result == "")
		}
		if slices.ContainsFunc(order, below) && (t.Result != "fail" || slices.ContainsFunc(order, failedBelow)) {
			continue
		}
		switch t.Result {
		case "skip":
			t.Reason = reason(output[name])
		case "fail":
			failed = true
			t.Output = output[name]
		}
		leaves = append(leaves, *t)
	}
	why := ""
	switch {
	case b.exit == nil:
		why = "the test binary did not end"
	case b.exit.Code != 0 && (!failed || b.exit.Code != 1): // 1 is what a failed test makes it
		why = "the test binary failed: " + b.exit.Error
	case len(leaves) == 0 && !some:
		why = "no test ran"
	}
	if why != "" {
		leaves = append(leaves, test{Package: b.pkg, Name: "(package)", Result: "fail", Output: why + "\n" + lastLines(b.output.String(), 200)})
	}
	return leaves
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

// lastLines returns the last n lines of s, without the marks of test2json.
func lastLines(s string, n int) string {
	lines := slices.Collect(strings.Lines(strings.ReplaceAll(s, "\x16", "")))
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
