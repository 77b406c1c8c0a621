package main

import (
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/vm/internal/console"
)

// verbose is the output of a test binary, line by line: the testing package
// marks its own lines.
func verbose(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		if strings.HasPrefix(l, "=== ") || strings.HasPrefix(l, "--- ") || l == "PASS" || l == "FAIL" {
			b.WriteString("\x16")
		}
		b.WriteString(l + "\n")
	}
	return b.String()
}

func TestOutcomes(t *testing.T) {
	ok, failed := &console.Exited{}, &console.Exited{Code: 1, Error: "exit status 1"}
	for name, c := range map[string]struct {
		output string
		exit   *console.Exited
		some   bool
		want   string
	}{
		"counts leaves": {verbose(
			"=== RUN   TestA", "=== RUN   TestA/x", "--- PASS: TestA/x (0.00s)", "=== RUN   TestA/y", "--- SKIP: TestA/y (0.00s)", "--- PASS: TestA (0.00s)",
			"=== RUN   TestAB", "--- PASS: TestAB (0.00s)", "PASS"), ok, false,
			"TestA/x pass, TestA/y skip, TestAB pass"},
		"counts a parent that failed by itself": {verbose(
			"=== RUN   TestA", "=== RUN   TestA/x", "--- PASS: TestA/x (0.00s)", "--- FAIL: TestA (0.00s)", "FAIL"), failed, false,
			"TestA fail, TestA/x pass"},
		"does not count a parent whose leaf failed": {verbose(
			"=== RUN   TestA", "=== RUN   TestA/x", "--- FAIL: TestA/x (0.00s)", "--- FAIL: TestA (0.00s)", "FAIL"), failed, false,
			"TestA/x fail"},
		"fails a test that did not end": {verbose(
			"=== RUN   TestA", "=== RUN   TestA/x", "panic: test timed out after 2m0s"), &console.Exited{Code: 2, Error: "exit status 2"}, false,
			"TestA/x fail, (package) fail"},
		"fails a binary that failed after its tests": {verbose(
			"=== RUN   TestA", "--- PASS: TestA (0.00s)", "PASS", "descriptors leaked"), failed, false,
			"TestA pass, (package) fail"},
		"fails a binary that did not end": {verbose(
			"=== RUN   TestA", "--- PASS: TestA (0.00s)"), nil, false,
			"TestA pass, (package) fail"},
		"fails a binary without tests": {verbose("PASS"), ok, false, "(package) fail"},
		"fails a binary that skipped all its tests": {verbose(
			"=== RUN   TestA", "--- SKIP: TestA (0.00s)", "=== RUN   TestB", "--- SKIP: TestB (0.00s)", "PASS"), ok, false,
			"TestA skip, TestB skip, (package) fail"},
		"may skip all when only some are wanted": {verbose(
			"=== RUN   TestA", "--- SKIP: TestA (0.00s)", "PASS"), ok, true,
			"TestA skip"},
		"may run none of a package when only some are wanted": {verbose("PASS"), ok, true, ""},
		"fails a binary that was not run": {"", &console.Exited{Code: -1, Error: "exec format error"}, false,
			"(package) fail"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &testBinary{pkg: "p", exit: c.exit}
			b.output.WriteString(c.output)
			all, _, err := b.tests(t.Context(), c.some)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range all {
				got = append(got, o.Name+" "+o.Result)
				if o.Result == "fail" && o.Output == "" {
					t.Errorf("%s failed without output", o.Name)
				}
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}

func TestOutcomesTellTime(t *testing.T) {
	b := &testBinary{exit: &console.Exited{}}
	b.output.WriteString(verbose("=== RUN   TestA", "--- PASS: TestA (1.25s)", "PASS"))
	all, _, err := b.tests(t.Context(), false)
	if err != nil || len(all) != 1 || all[0].Seconds != 1.25 {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestOutcomesTellAttributesReasonsAndOutput(t *testing.T) {
	b := &testBinary{pkg: "p", exit: &console.Exited{Code: 1}}
	b.output.WriteString(verbose("=== RUN   TestA", "=== ATTR  TestA key the value", "    a_test.go:1: first", "    a_test.go:2: the reason", "        and more", "--- SKIP: TestA (0.00s)",
		"=== RUN   TestB", "    b_test.go:1: broken", "--- FAIL: TestB (0.00s)", "=== RUN   TestC", "--- SKIP: TestC (0.00s)", "FAIL"))
	all, attrs, err := b.tests(t.Context(), false)
	if err != nil || len(all) != 3 || len(attrs) != 1 {
		t.Fatalf("got %+v, %+v, %v", all, attrs, err)
	}
	if attrs[0] != (attr{"TestA", "key", "the value"}) {
		t.Errorf("got %+v", attrs[0])
	}
	if all[0].Reason != "the reason and more" || all[0].Output != "" || all[2].Reason != "no reason given" {
		t.Errorf("got %+v, %+v", all[0], all[2])
	}
	if !strings.Contains(all[1].Output, "broken") || all[1].Package != "p" {
		t.Errorf("got %+v", all[1])
	}
}
