// Package console is what a guest's init says to the host over a serial
// console.
//
// A console is no clean channel: firmware writes escape codes, the kernel
// writes lines in the middle of other people's, and the terminal adds carriage
// returns. So every event is one line of JSON with a mark and a number: what
// was damaged is no JSON, and what is lost is missed.
package console

import (
	"encoding/json"
	"strings"
	"time"
)

// mark begins an event, anywhere in a line. It is not in any, since JSON
// escapes it.
const mark = "<uffd>"

// An Event is what test2json prints of a package's tests (go doc test2json), or
// one of init's own actions: Boot is the first, Done the last.
type Event struct {
	Number   int // counts from 0
	Action   string
	Package  string  `json:",omitempty"` // import path
	Test     string  `json:",omitempty"`
	Output   string  `json:",omitempty"`
	Key      string  `json:",omitempty"` // of testing.T.Attr
	Value    string  `json:",omitempty"`
	Elapsed  float64 `json:",omitempty"` // in seconds
	Release  string  `json:",omitempty"` // of Boot: uname -r
	PageSize int     `json:",omitempty"` // of Boot, in bytes
}

// Init's own actions.
const (
	Boot = "boot"
	Exit = "exit" // of test2json: Output is why it was not 0
	Done = "done" // the guest powers off
)

// A Job is what a guest is to do. The host writes it to /job.json.
type Job struct {
	Packages []string      // whose tests are to be run, the nth in directory /n
	Args     []string      // for every test binary
	Timeout  time.Duration // for each of them
}

// String returns the event's line, without its end.
func (e Event) String() string {
	content, _ := json.Marshal(e) // which has nothing that could not be
	return mark + string(content)
}

// Parse looks for an event in a line.
func Parse(line string) (e Event, ok bool) {
	// An event that was cut short can be followed by a whole one.
	i := strings.LastIndex(line, mark)
	ok = i >= 0 && json.Unmarshal([]byte(line[i+len(mark):]), &e) == nil
	return e, ok
}
