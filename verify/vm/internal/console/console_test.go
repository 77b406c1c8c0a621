package console

import (
	"strings"
	"testing"
)

var event = Event{Number: 41, Action: "output", Test: "TestX", Output: "=== RUN   TestX\x1b[1m é\x00\n" + mark + "\n"}

func TestEventIsOneLine(t *testing.T) {
	for _, r := range event.String() {
		if r < ' ' {
			t.Errorf("%q has %q", event.String(), r)
		}
	}
}

func TestParse(t *testing.T) {
	line := event.String()
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
		"refuses one without its beginning": {mark + line[len(mark)+4:], false},
		"refuses a mark alone":              {mark, false},
	} {
		t.Run(name, func(t *testing.T) {
			if e, ok := Parse(c.line); ok != c.ok || ok && e != event {
				t.Errorf("got %+v, %v", e, ok)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("x"+event.String(), "payload")
	f.Fuzz(func(t *testing.T, line, output string) {
		Parse(line)
		want := Event{Number: 7, Action: "output", Output: strings.ToValidUTF8(output, "")}
		if got, ok := Parse(line + want.String() + "\r"); !ok || got != want {
			t.Errorf("after %q: got %+v, %v, want %+v", line, got, ok, want)
		}
	})
}
