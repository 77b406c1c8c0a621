package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tested has test2json run a script as if it were a test binary, and returns
// what is made of its events, each of which init says in a line.
func tested(t *testing.T, script string) transcript {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "tool", "test2json", "-t", "-p", "p", path).Output()
	result := "pass"
	if err != nil {
		result = "fail"
	}
	out = fmt.Appendf(out, `{"Action":%q,"Package":"p"}`, result)
	var tr transcript
	for line := range strings.Lines(string(out)) {
		if !tr.line(fmt.Sprintf("<uffd>%d %s", tr.next, line)) {
			t.Errorf("%q is no event", line)
		}
	}
	if len(tr.packages) != 1 || tr.lost > 0 {
		t.Fatalf("got %+v", tr)
	}
	return tr
}

// says is a script that prints lines, of which the testing package marks its
// own, and ends with an exit code.
func says(code string, lines ...string) string {
	b := "#!/bin/sh\ncat <<'EOF'\n"
	for _, l := range lines {
		if strings.HasPrefix(l, "=== ") || strings.HasPrefix(l, "--- ") || l == "PASS" || l == "FAIL" {
			b += "\x16"
		}
		b += l + "\n"
	}
	return b + "EOF\nexit " + code + "\n"
}

func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		some   bool
		want   string
	}{
		"counts leaves": {says("0",
			"=== RUN   TestA", "=== RUN   TestA/x", "--- PASS: TestA/x (0.00s)", "=== RUN   TestA/y", "--- SKIP: TestA/y (0.00s)", "--- PASS: TestA (0.00s)",
			"=== RUN   TestAB", "--- PASS: TestAB (0.00s)", "PASS"), false,
			"TestA/x pass, TestA/y skip, TestAB pass"},
		"counts a parent that failed by itself": {says("1",
			"=== RUN   TestA", "=== RUN   TestA/x", "--- PASS: TestA/x (0.00s)", "--- FAIL: TestA (0.00s)", "FAIL"), false,
			"TestA fail, TestA/x pass"},
		"does not count a parent whose leaf failed": {says("1",
			"=== RUN   TestA", "=== RUN   TestA/x", "--- FAIL: TestA/x (0.00s)", "--- FAIL: TestA (0.00s)", "FAIL"), false,
			"TestA/x fail"},
		"fails a test that did not end": {says("2",
			"=== RUN   TestA", "=== RUN   TestA/x", "panic: test timed out after 2m0s"), false,
			"TestA/x fail"},
		"fails a binary that failed after its tests": {says("1",
			"=== RUN   TestA", "--- PASS: TestA (0.00s)", "PASS", "descriptors leaked"), false,
			"TestA pass, (package) fail"},
		"fails a binary that was killed": {"#!/bin/sh\nkill -9 $$\n", false, "(package) fail"},
		"fails a binary without tests":   {says("0", "PASS"), false, "(package) fail"},
		"fails a binary that skipped all its tests": {says("0",
			"=== RUN   TestA", "--- SKIP: TestA (0.00s)", "=== RUN   TestB", "--- SKIP: TestB (0.00s)", "PASS"), false,
			"TestA skip, TestB skip, (package) fail"},
		"may skip all when only some are wanted": {says("0",
			"=== RUN   TestA", "--- SKIP: TestA (0.00s)", "PASS"), true,
			"TestA skip"},
		"may run none of a package when only some are wanted": {says("0", "PASS"), true, ""},
		"fails a binary that cannot be run":                   {"\x7fELF", false, "(package) fail"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, o := range tested(t, c.script).packages[0].outcomes(c.some) {
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

func TestOutcomesTellAttributesReasonsAndOutput(t *testing.T) {
	tr := tested(t, says("1", "=== RUN   TestA", "=== ATTR  TestA key the value", "    a_test.go:1: first", "    a_test.go:2: the reason", "        and more", "--- SKIP: TestA (0.00s)",
		"=== RUN   TestB", "    b_test.go:1: broken", "--- FAIL: TestB (0.00s)", "=== RUN   TestC", "--- SKIP: TestC (0.00s)", "FAIL"))
	all := tr.packages[0].outcomes(false)
	if len(all) != 3 || len(tr.Attrs) != 1 {
		t.Fatalf("got %+v, %+v", all, tr.Attrs)
	}
	if a := tr.Attrs[0]; a.Test != "TestA" || a.Key != "key" || a.Value != "the value" {
		t.Errorf("got %+v", a)
	}
	if all[0].Reason != "the reason and more" || all[2].Reason != "no reason given" {
		t.Errorf("got %+v, %+v", all[0], all[2])
	}
	if !strings.Contains(all[1].Output, "broken") || all[1].Package != "p" {
		t.Errorf("got %+v", all[1])
	}
}
