package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// said is the line that init makes of an event.
func said(number int, e event) string {
	b, _ := json.Marshal(e)
	return fmt.Sprintf("<uffd>%d %s", number, b)
}

// session is what a guest says in whose tests one passes, one is skipped and
// one fails.
func session() []string {
	var lines []string
	for i, e := range []event{
		{Action: "boot", Release: "7.3.4", PageSize: 16384, Packages: 1},
		{Action: "start"},
		{Action: "output", Test: "TestA", Output: "=== RUN   TestA\n"},
		{Action: "pass", Test: "TestA"},
		{Action: "output", Test: "TestB", Output: "=== RUN   TestB\n"},
		{Action: "output", Test: "TestB", Output: "    b_test.go:3: UFFD_FEATURE_MOVE (Linux 6.8)\n"},
		{Action: "skip", Test: "TestB"},
		{Action: "output", Test: "TestC", Output: "=== RUN   TestC\n"},
		{Action: "output", Test: "TestC", Output: "    c_test.go:5: got 1, want 2\n"},
		{Action: "fail", Test: "TestC"},
		{Action: "output", Output: "FAIL\n"},
		{Action: "fail"},
		{Action: "done"},
	} {
		if i > 0 && e.Action != "done" {
			e.Package = "./runtime"
		}
		lines = append(lines, said(i, e)+"\r")
	}
	return lines
}

// read has a transcript read lines, and returns the tests as "TestA pass".
func read(lines []string) (tr transcript, tests string) {
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
	if tr.Guest == nil || tr.Guest.PageSize != 16384 || tr.Guest.Release != "7.3.4" {
		t.Errorf("guest %+v", tr.Guest)
	}
}

func TestTranscriptIsWhole(t *testing.T) {
	good, _ := read(session())
	lossy, _ := read(append(session()[:9], session()[10:]...))
	short, _ := read(session())
	short.Guest.Packages = 2
	for name, c := range map[string]struct {
		tr   transcript
		want string // in the error
	}{
		"as it should be":                 {good, ""},
		"refused if an event is lost":     {lossy, "1 events"},
		"refused if a package is missing": {short, "1 of 2 packages"},
		"refused without any package":     {transcript{Guest: &event{Packages: 1}}, "0 of 1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.tr.whole()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTranscriptKeepsTheTail(t *testing.T) {
	var tr transcript
	for range 3 * tailLines {
		tr.line("\x1b[31mearlier\x1b[0m\r")
	}
	tr.line("\x1b[1mKernel panic\x1b[0m\r")
	if len(tr.Console) != tailLines || tr.Console[tailLines-1] != "Kernel panic" || tr.Console[0] != "earlier" {
		t.Errorf("%d lines, %q to %q", len(tr.Console), tr.Console[0], tr.Console[len(tr.Console)-1])
	}
}

func FuzzTranscript(f *testing.F) {
	f.Add(strings.Join(session(), "\n"))
	f.Fuzz(func(t *testing.T, all string) {
		var tr transcript
		for line := range strings.Lines(all) {
			tr.line(line)
		}
	})
}

func TestParse(t *testing.T) {
	event := event{Number: 41, Action: "output", Test: "TestX", Output: "=== RUN   TestX\x1b[1m é\x00\n<uffd>\n"}
	line := said(event.Number, event)
	for name, c := range map[string]struct {
		line string
		ok   bool
	}{
		"an event":                          {line, true},
		"with a terminal's end of line":     {line + "\r", true},
		"after firmware's escape codes":     {"\x1b[2J\x1b[?7lBooting\x1b[0m" + line, true},
		"after another that was cut short":  {line[:20] + line, true},
		"nothing of ours":                   {"[    1.234567] Linux version 6.12", false},
		"an empty line":                     {"", false},
		"refuses one that is cut short":     {line[:len(line)-3], false},
		"refuses one without its beginning": {"<uffd>" + line[len("<uffd>")+4:], false},
		"refuses a mark alone":              {"<uffd>", false},
	} {
		t.Run(name, func(t *testing.T) {
			if e, ok := parse(c.line); ok != c.ok || ok && e != event {
				t.Errorf("got %+v, %v", e, ok)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("x"+said(41, event{Action: "output", Output: "x"}), "payload")
	f.Fuzz(func(t *testing.T, line, output string) {
		parse(line)
		want := event{Number: 7, Action: "output", Output: strings.ToValidUTF8(output, "")}
		if got, ok := parse(line + said(7, want) + "\r"); !ok || got != want {
			t.Errorf("after %q: got %+v, %v, want %+v", line, got, ok, want)
		}
	})
}
