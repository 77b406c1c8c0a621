// Package console is what a guest's init and the host say to each other over
// a serial console.
//
// A console is no clean channel: firmware writes escape codes, the kernel
// writes in the middle of other people's lines, and the terminal adds carriage
// returns. So every message is one line of printable ASCII with a mark, a
// number and a checksum: what was damaged is seen to be, and what is lost is
// missed.
package console

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// mark begins a message, anywhere in a line.
const mark = "@uffd:"

// A Kind says what a message's payload is.
type Kind string

// The messages of a guest, in their order: Boot, then Start, Output and Exit
// for each test binary, then Done.
const (
	Boot   Kind = "boot"   // a Guest, in JSON
	Start  Kind = "start"  // the import path of the package whose tests begin
	Output Kind = "output" // what the tests wrote, as it was written
	Exit   Kind = "exit"   // an Exited, in JSON
	Kernel Kind = "kernel" // a line of the kernel's log
	Done   Kind = "done"   // nothing; the guest powers off
)

// A Guest is what init found.
type Guest struct {
	Release  string `json:"release"`   // uname -r
	PageSize int    `json:"page_size"` // in bytes
}

// A Job is what a guest is to do. The host writes it to /job.json.
type Job struct {
	Tests   []Test
	Args    []string      // for every test binary
	Timeout time.Duration // for each of them
}

// A Test is a package's test binary.
type Test struct {
	Package string // import path
	Dir     string // in the guest, which has the binary "test"
}

// Exited is how a test binary ended.
type Exited struct {
	Code  int    `json:"code"`            // 0 if all is well
	Error string `json:"error,omitempty"` // why it was not 0
}

// A Message is one line of a console.
type Message struct {
	Number  int // counts from 0, so that a missing message is noticed
	Kind    Kind
	Payload string
}

// String returns the line, without its end.
func (m Message) String() string {
	body := fmt.Sprintf("%d %s %s", m.Number, m.Kind, strconv.QuoteToASCII(m.Payload))
	return fmt.Sprintf("%s%08x %s", mark, crc32.ChecksumIEEE([]byte(body)), body)
}

// Parse looks for a message in a line. found says that there is a mark, err
// that what follows it is damaged.
func Parse(line string) (m Message, found bool, err error) {
	// A message that was cut short can be followed by a whole one.
	i := strings.LastIndex(line, mark)
	if i < 0 {
		return Message{}, false, nil
	}
	sum, body, _ := strings.Cut(strings.TrimRight(line[i+len(mark):], "\r\n"), " ")
	if want := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))); sum != want {
		return Message{}, true, fmt.Errorf("checksum %q instead of %s", sum, want)
	}
	number, rest, _ := strings.Cut(body, " ")
	kind, quoted, _ := strings.Cut(rest, " ")
	m.Kind = Kind(kind)
	if m.Number, err = strconv.Atoi(number); err == nil {
		m.Payload, err = strconv.Unquote(quoted)
	}
	return m, true, err
}
