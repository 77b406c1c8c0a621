// Package console is what a guest's init says to the host over a serial
// console.
//
// A console is no clean channel: firmware writes escape codes, the kernel
// writes in the middle of other people's lines, and the terminal adds carriage
// returns. So every event is one line of printable ASCII with a mark, a
// number and a checksum: what was damaged is seen to be, and what is lost is
// missed.
package console

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// mark begins an event, anywhere in a line.
const mark = "@uffd:"

// An Event is what test2json prints of a package's tests (go doc test2json), or
// one of init's own actions: Boot is the first, Done the last.
type Event struct {
	Action   string
	Package  string  `json:",omitempty"` // when its tests start
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
	Boot   = "boot"
	Exit   = "exit"   // of test2json: Output is why it was not 0
	Kernel = "kernel" // Output is a line of the kernel's log
	Done   = "done"   // the guest powers off
)

// A Job is what a guest is to do. The host writes it to /job.json.
type Job struct {
	Packages []string      // whose tests are to be run, the nth in directory /n
	Args     []string      // for every test binary
	Timeout  time.Duration // for each of them
}

// Line returns the line of an event, without its end. Events count from 0.
func (e Event) Line(number int) string {
	content, _ := json.Marshal(e) // which has nothing that could not be
	body := fmt.Sprintf("%d %s", number, strconv.QuoteToASCII(string(content)))
	return fmt.Sprintf("%s%08x %s", mark, crc32.ChecksumIEEE([]byte(body)), body)
}

// Parse looks for an event in a line.
func Parse(line string) (number int, e Event, ok bool) {
	// An event that was cut short can be followed by a whole one.
	i := strings.LastIndex(line, mark)
	if i < 0 {
		return 0, Event{}, false
	}
	sum, body, _ := strings.Cut(strings.TrimRight(line[i+len(mark):], "\r\n"), " ")
	if sum != fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) {
		return 0, Event{}, false
	}
	var content string
	_, err := fmt.Sscanf(body, "%d %q", &number, &content)
	ok = err == nil && json.Unmarshal([]byte(content), &e) == nil
	return number, e, ok
}
