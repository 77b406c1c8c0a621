package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/zuffd/uffd/verify/vm/internal/console"
)

// A transcript is what a guest wrote on its console.
type transcript struct {
	guest    *console.Guest // nil until init has spoken
	binaries []*testBinary  // in the order in which they were run
	kernel   []string       // of the kernel's log
	done     bool
	lost     int // messages that were damaged or never came
	next     int // the number of the next message
	tail     []string
}

// A testBinary is the run of one package's tests.
type testBinary struct {
	pkg    string
	output strings.Builder
	exit   *console.Exited // nil if it did not end
}

// tailLines is how much of a console is kept for failures.
const tailLines = 40

// escapes are the terminal codes that firmware writes.
var escapes = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Za-z0-9]|.)`)

// whole returns an error if something is missing of what a guest said that
// came to its end: of this many packages, or on the way.
func (t *transcript) whole(packages int) error {
	if t.lost > 0 {
		return fmt.Errorf("%d messages of init were damaged or lost on the console", t.lost)
	}
	if len(t.binaries) != packages {
		return fmt.Errorf("%d of %d packages were tested", len(t.binaries), packages)
	}
	return nil
}

// line reads one line of the console.
func (t *transcript) line(s string) {
	m, found, err := console.Parse(s)
	shown := s
	if found && err == nil {
		shown = m.Payload
	}
	if shown = strings.TrimSpace(escapes.ReplaceAllString(shown, "")); shown != "" {
		t.tail = append(t.tail, shown)
		if len(t.tail) > tailLines {
			t.tail = t.tail[1:]
		}
	}
	if err != nil || !found || m.Number < t.next {
		return // a damaged message is missed when the next one comes
	}
	t.lost += m.Number - t.next
	t.next = m.Number + 1
	if err := t.message(m); err != nil {
		t.lost++
	}
}

func (t *transcript) message(m console.Message) error {
	var last *testBinary
	if n := len(t.binaries); n > 0 {
		last = t.binaries[n-1]
	}
	switch m.Kind {
	case console.Boot:
		t.guest = new(console.Guest)
		return json.Unmarshal([]byte(m.Payload), t.guest)
	case console.Start:
		t.binaries = append(t.binaries, &testBinary{pkg: m.Payload})
	case console.Output:
		if last == nil {
			return fmt.Errorf("output of no tests")
		}
		last.output.WriteString(m.Payload)
	case console.Exit:
		if last == nil {
			return fmt.Errorf("an end without a beginning")
		}
		last.exit = new(console.Exited)
		return json.Unmarshal([]byte(m.Payload), last.exit)
	case console.Kernel:
		t.kernel = append(t.kernel, m.Payload)
	case console.Done:
		t.done = true
	}
	return nil
}
