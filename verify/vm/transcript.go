package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/vm/internal/console"
)

// A transcript is what a guest wrote on its console.
type transcript struct {
	guest    *console.Event   // Boot; nil until init has spoken
	packages []*testedPackage // in the order in which they were tested
	done     bool
	lost     int // events that were damaged or never came
	next     int // the number of the next event
	tail     []string
}

// tailLines is how much of a console is kept for failures.
const tailLines = 40

// escapes are the terminal codes that firmware writes.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Za-z0-9]|.)`)

// whole returns an error if something is missing of what a guest said that
// came to its end: of this many packages, or on the way.
func (t *transcript) whole(packages int) error {
	if t.lost > 0 {
		return fmt.Errorf("%d events of init were damaged or lost on the console", t.lost)
	}
	if len(t.packages) != packages {
		return fmt.Errorf("%d of %d packages were tested", len(t.packages), packages)
	}
	return nil
}

// line reads one line of the console.
func (t *transcript) line(s string) {
	e, ok := console.Parse(s)
	if ok {
		s = e.Output
	}
	if s = strings.TrimSpace(escapes.ReplaceAllString(s, "")); s != "" {
		t.tail = append(t.tail, s)
		t.tail = t.tail[max(0, len(t.tail)-tailLines):]
	}
	if !ok || e.Number < t.next {
		return // a damaged event is missed when the next one comes
	}
	t.lost += e.Number - t.next
	t.next = e.Number + 1
	switch e.Action {
	case console.Boot:
		t.guest = &e
	case "start":
		t.packages = append(t.packages, &testedPackage{path: e.Package})
	case console.Done:
		t.done = true
	default:
		if len(t.packages) == 0 {
			t.lost++
			return
		}
		t.packages[len(t.packages)-1].event(e)
	}
}

// A testedPackage is what came of one package's tests.
type testedPackage struct {
	path   string
	output strings.Builder
	tests  []testCase // in the order in which they began
	attrs  []console.Event
	exit   *console.Event // nil if it did not end
}

// A testCase is the outcome of one test of a package.
type testCase struct {
	Package, Name string
	Result        string // pass, fail, skip
	Reason        string // why it was skipped
	Output        string
}

// event takes in what test2json says. A test that began and did not end has
// failed.
func (p *testedPackage) event(e console.Event) {
	if e.Action == console.Exit {
		p.exit = &e
		return
	}
	p.output.WriteString(e.Output)
	if e.Test == "" {
		return
	}
	at := slices.IndexFunc(p.tests, func(t testCase) bool { return t.Name == e.Test })
	if at < 0 {
		at = len(p.tests)
		p.tests = append(p.tests, testCase{Package: p.path, Name: e.Test, Result: "fail"})
	}
	t := &p.tests[at]
	switch t.Output += e.Output; e.Action {
	case "attr":
		p.attrs = append(p.attrs, e)
	case "pass", "fail", "skip":
		t.Result = e.Action
	}
}

// outcomes returns those of the leaves: a test that ran subtests is left out,
// unless it failed where none of them did. A binary that did not end, or
// failed without a failed test, is a failure of its own, and so is one none of
// whose tests passed or failed, unless only some were to run.
func (p *testedPackage) outcomes(some bool) []testCase {
	failedBelow := map[string]bool{} // by the names of tests that have subtests
	for _, t := range p.tests {
		for at, c := range t.Name {
			if c == '/' {
				failedBelow[t.Name[:at]] = failedBelow[t.Name[:at]] || t.Result == "fail"
			}
		}
	}
	leaves := slices.DeleteFunc(slices.Clone(p.tests), func(t testCase) bool {
		failed, parent := failedBelow[t.Name]
		return parent && (t.Result != "fail" || failed)
	})
	for i, t := range leaves {
		if t.Result == "skip" {
			leaves[i].Reason = reason(t.Output)
		}
	}
	why := ""
	switch {
	case p.exit == nil:
		why = "the test binary did not end"
	case p.exit.Output != "" && count(leaves, "fail") == 0:
		why = "the test binary failed: " + p.exit.Output
	case count(leaves, "pass", "fail") == 0 && !some:
		why = fmt.Sprintf("no test ran: %d were skipped", len(leaves))
	default:
		return leaves
	}
	lines := slices.Collect(strings.Lines(p.output.String()))
	why += "\n" + strings.Join(lines[max(0, len(lines)-200):], "")
	return append(leaves, testCase{Package: p.path, Name: "(package)", Result: "fail", Output: why})
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
