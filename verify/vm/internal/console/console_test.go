package console

import (
	"strings"
	"testing"
)

var message = Message{Number: 41, Kind: Output, Payload: "\x16=== RUN   TestX\x1b[1m é\x00\n"}

func TestMessageIsOneLineOfASCII(t *testing.T) {
	for _, r := range message.String() {
		if r < ' ' || r > '~' {
			t.Errorf("%q has %q", message.String(), r)
		}
	}
}

func TestParse(t *testing.T) {
	line := message.String()
	for name, c := range map[string]struct {
		line  string
		found bool
		ok    bool
	}{
		"a message":                          {line, true, true},
		"with a terminal's end of line":      {line + "\r", true, true},
		"after firmware's escape codes":      {"\x1b[2J\x1b[?7lBooting\x1b[0m" + line, true, true},
		"after another that was cut short":   {line[:20] + line, true, true},
		"nothing of ours":                    {"[    1.234567] Linux version 6.12", false, false},
		"an empty line":                      {"", false, false},
		"refuses one that is cut short":      {line[:len(line)-3], true, false},
		"refuses one without its beginning":  {mark + line[len(mark)+4:], true, false},
		"refuses one with the kernel in it":  {line[:25] + "[    2.0] oops" + line[25:], true, false},
		"refuses one with a character wrong": {strings.Replace(line, "TestX", "TestY", 1), true, false},
		"refuses a mark alone":               {mark, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			m, found, err := Parse(c.line)
			if found != c.found || (found && err == nil) != c.ok {
				t.Fatalf("found %v, error %v", found, err)
			}
			if c.ok && m != message {
				t.Errorf("got %+v, want %+v", m, message)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("x"+message.String(), "payload")
	f.Fuzz(func(t *testing.T, line, payload string) {
		Parse(line)
		want := Message{Number: 7, Kind: Kernel, Payload: payload}
		got, found, err := Parse(line + want.String() + "\r")
		if !found || err != nil || got != want {
			t.Errorf("after %q: got %+v, %v, want %+v", line, got, err, want)
		}
	})
}
