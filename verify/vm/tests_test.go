package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/vm/internal/console"
)

// tested has test2json run a script as if it were a test binary, and returns
// what is made of its events.
func tested(t *testing.T, script string) *testedPackage {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test")
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	out, exit := exec.Command("go", "tool", "test2json", "-t", path).Output()
	p := &testedPackage{path: "p"}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var e console.Event
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if e.Action != "start" {
			p.event(e)
		}
	}
	e := console.Event{Action: console.Exit}
	if exit != nil {
		e.Output = exit.Error()
	}
	p.event(e)
	return p
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
			for _, o := range tested(t, c.script).outcomes(c.some) {
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
	p := tested(t, says("1", "=== RUN   TestA", "=== ATTR  TestA key the value", "    a_test.go:1: first", "    a_test.go:2: the reason", "        and more", "--- SKIP: TestA (0.00s)",
		"=== RUN   TestB", "    b_test.go:1: broken", "--- FAIL: TestB (0.00s)", "=== RUN   TestC", "--- SKIP: TestC (0.00s)", "FAIL"))
	all := p.outcomes(false)
	if len(all) != 3 || len(p.attrs) != 1 {
		t.Fatalf("got %+v, %+v", all, p.attrs)
	}
	if a := p.attrs[0]; a.Test != "TestA" || a.Key != "key" || a.Value != "the value" {
		t.Errorf("got %+v", a)
	}
	if all[0].Reason != "the reason and more" || all[2].Reason != "no reason given" {
		t.Errorf("got %+v, %+v", all[0], all[2])
	}
	if !strings.Contains(all[1].Output, "broken") || all[1].Package != "p" {
		t.Errorf("got %+v", all[1])
	}
}
