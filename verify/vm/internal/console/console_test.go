package console

import (
	"strings"
	"testing"
)

var event = Event{Action: "output", Test: "TestX", Output: "=== RUN   TestX\x1b[1m é\x00\n"}

func TestEventIsOneLineOfASCII(t *testing.T) {
	for _, r := range event.Line(41) {
		if r < ' ' || r > '~' {
			t.Errorf("%q has %q", event.Line(41), r)
		}
	}
}

func TestParse(t *testing.T) {
	line := event.Line(41)
	for name, c := range map[string]struct {
		line string
		ok   bool
	}{
		"an event":                           {line, true},
		"with a terminal's end of line":      {line + "\r", true},
		"after firmware's escape codes":      {"\x1b[2J\x1b[?7lBooting\x1b[0m" + line, true},
		"after another that was cut short":   {line[:20] + line, true},
		"nothing of ours":                    {"[    1.234567] Linux version 6.12", false},
		"an empty line":                      {"", false},
		"refuses one that is cut short":      {line[:len(line)-3], false},
		"refuses one without its beginning":  {mark + line[len(mark)+4:], false},
		"refuses one with the kernel in it":  {line[:25] + "[    2.0] oops" + line[25:], false},
		"refuses one with a character wrong": {strings.Replace(line, "TestX", "TestY", 1), false},
		"refuses a mark alone":               {mark, false},
	} {
		t.Run(name, func(t *testing.T) {
			n, e, ok := Parse(c.line)
			if ok != c.ok || ok && (n != 41 || e != event) {
				t.Errorf("got %d, %+v, %v", n, e, ok)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("x"+event.Line(41), "payload")
	f.Fuzz(func(t *testing.T, line, output string) {
		Parse(line)
		want := Event{Action: Kernel, Output: strings.ToValidUTF8(output, "")}
		n, got, ok := Parse(line + want.Line(7) + "\r")
		if !ok || n != 7 || got != want {
			t.Errorf("after %q: got %d, %+v, %v, want %+v", line, n, got, ok, want)
		}
	})
}
