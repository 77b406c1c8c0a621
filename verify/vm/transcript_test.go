package main

import (
	"strings"
	"testing"

	"github.com/zuffd/uffd/verify/vm/internal/console"
)

// session is what a guest says in whose tests one passes, one is skipped and
// one fails.
func session() []string {
	var lines []string
	for i, e := range []console.Event{
		{Action: console.Boot, Release: "7.3.4", PageSize: 16384},
		{Action: "start", Package: "./runtime"},
		{Action: "output", Test: "TestA", Output: "=== RUN   TestA\n"},
		{Action: "pass", Test: "TestA", Elapsed: 0.1},
		{Action: "output", Test: "TestB", Output: "=== RUN   TestB\n"},
		{Action: "output", Test: "TestB", Output: "    b_test.go:3: UFFD_FEATURE_MOVE (Linux 6.8)\n"},
		{Action: "skip", Test: "TestB"},
		{Action: "output", Test: "TestC", Output: "=== RUN   TestC\n"},
		{Action: "output", Test: "TestC", Output: "    c_test.go:5: got 1, want 2\n"},
		{Action: "fail", Test: "TestC"},
		{Action: "output", Output: "FAIL\n"},
		{Action: "fail", Elapsed: 0.2},
		{Action: console.Exit, Output: "exit status 1"},
		{Action: console.Done},
	} {
		e.Number = i
		lines = append(lines, e.String()+"\r")
	}
	return lines
}

// read has a transcript read lines, and returns the tests as "TestA pass".
func read(lines []string) (*transcript, string) {
	tr := new(transcript)
	for _, l := range lines {
		tr.line(l)
	}
	var all []string
	for _, p := range tr.packages {
		for _, o := range p.outcomes(false) {
			all = append(all, o.Name+" "+o.Result)
		}
	}
	return tr, strings.Join(all, ", ")
}

func TestTranscript(t *testing.T) {
	const whole = "TestA pass, TestB skip, TestC fail"
	insert := func(at int, lines ...string) []string {
		s := session()
		return append(append(append([]string{}, s[:at]...), lines...), s[at:]...)
	}
	breakLine := func(at int) []string {
		s := session()
		l := s[at]
		return append(append(append([]string{}, s[:at]...), l[:30]+"[   3.1] oops\r", l[30:]), s[at+1:]...)
	}
	for name, c := range map[string]struct {
		lines []string
		tests string
		done  bool
		lost  int
	}{
		"a whole session":                   {session(), whole, true, 0},
		"with firmware and kernel around":   {insert(0, "\x1b[2J\x1b[1;1HSLOF\r", "", "Linux version"), whole, true, 0},
		"with the kernel between the lines": {insert(5, "[    3.1] Oops: 0002\r"), whole, true, 0},
		"with a line of the console twice":  {insert(3, session()[2]), whole, true, 0},
		"with the kernel within a line":     {breakLine(3), "TestA fail, TestB skip, TestC fail", true, 1},
		"with a line missing":               {append(session()[:9], session()[10:]...), "TestA pass, TestB skip, TestC fail", true, 1},
		"that ends in the tests":            {session()[:8], "TestA pass, TestB skip, TestC fail, (package) fail", false, 0},
		"that ends in a line": {append(session()[:7], session()[7][:20]),
			"TestA pass, TestB skip, (package) fail", false, 0},
		"of a kernel that did not boot": {[]string{"Kernel panic - not syncing"}, "", false, 0},
		"of nothing":                    {nil, "", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tr, tests := read(c.lines)
			if tests != c.tests || tr.done != c.done || tr.lost != c.lost {
				t.Errorf("got %q, done %v, lost %d; want %q, %v, %d", tests, tr.done, tr.lost, c.tests, c.done, c.lost)
			}
		})
	}
	tr, _ := read(session())
	if tr.guest == nil || tr.guest.PageSize != 16384 || tr.guest.Release != "7.3.4" {
		t.Errorf("guest %+v", tr.guest)
	}
}

func TestTranscriptIsWhole(t *testing.T) {
	lossy, _ := read(append(session()[:9], session()[10:]...))
	good, _ := read(session())
	for name, c := range map[string]struct {
		tr       *transcript
		packages int
		want     string // in the error
	}{
		"as it should be":                 {good, 1, ""},
		"refused if an event is lost":     {lossy, 1, "1 events"},
		"refused if a package is missing": {good, 2, "1 of 2 packages"},
		"refused without any package":     {new(transcript), 1, "0 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.tr.whole(c.packages)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTranscriptKeepsTheTail(t *testing.T) {
	tr := new(transcript)
	for range 3 * tailLines {
		tr.line("\x1b[31mearlier\x1b[0m\r")
	}
	tr.line("\x1b[1mKernel panic\x1b[0m\r")
	if len(tr.tail) != tailLines || tr.tail[tailLines-1] != "Kernel panic" || tr.tail[0] != "earlier" {
		t.Errorf("%d lines, %q to %q", len(tr.tail), tr.tail[0], tr.tail[len(tr.tail)-1])
	}
}

func FuzzTranscript(f *testing.F) {
	f.Add(strings.Join(session(), "\n"))
	f.Fuzz(func(t *testing.T, all string) {
		tr := new(transcript)
		for line := range strings.Lines(all) {
			tr.line(line)
		}
	})
}
