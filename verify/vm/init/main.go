//go:build linux

// Init is the first program of a guest: it runs the test binaries that lie
// beside it under test2json, and says all that this prints on the console.
//
// A console is no clean channel: firmware writes escape codes, the kernel
// writes lines in the middle of other people's, and the terminal adds carriage
// returns. So every event is one line of JSON behind a mark and a number: what
// was damaged is no JSON, and what is lost is missed. The mark is in no event,
// since JSON escapes it.
//
// Init needs the standard library alone, so that it can be built from this file
// wherever verify/vm is run.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

func main() {
	prepare()
	var job struct {
		Packages []string      // whose tests are to be run, the nth in directory /n
		Args     []string      // of every test binary
		Timeout  time.Duration // of each of them
	}
	b, err := os.ReadFile("/job.json")
	if err = errors.Join(err, json.Unmarshal(b, &job)); err != nil {
		fmt.Println("init:", err)
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	say(`{"Action":"boot","Release":%q,"PageSize":%d,"Packages":%d}`,
		bytes.TrimSpace(release), os.Getpagesize(), len(job.Packages))
	for i, p := range job.Packages {
		if err := run(fmt.Sprintf("/%d", i), p, job.Timeout, job.Args); err != nil {
			fmt.Println("init:", p, err)
		}
	}
	log := make([]byte, 4<<10)      // of the kernel's, the end
	n, _ := syscall.Klogctl(3, log) // SYSLOG_ACTION_READ_ALL
	fmt.Printf("%s\n", log[:max(n, 0)])
	say(`{"Action":"done"}`)
	select {} // until the host ends the guest: an init that returns is a kernel panic
}

// said counts the events.
var said int

// say writes an event to the console, which is fd 1.
func say(format string, a ...any) {
	fmt.Printf("<uffd>%d %s\n", said, fmt.Sprintf(format, a...))
	said++
}

// prepare mounts what tests expect, and reserves more huge pages than they
// want. What a kernel does not have, they will say.
func prepare() {
	for _, m := range []struct{ target, kind string }{
		{"/dev", "devtmpfs"}, {"/proc", "proc"}, {"/sys", "sysfs"}, {"/tmp", "tmpfs"}, {"/dev/shm", "tmpfs"},
	} {
		os.MkdirAll(m.target, 0o755)
		syscall.Mount(m.kind, m.target, m.kind, 0, "")
	}
	// arm64's of 512 MiB, with pages of 64 KiB, are too large.
	if runtime.GOARCH != "arm64" || os.Getpagesize() < 64<<10 {
		os.WriteFile("/proc/sys/vm/nr_hugepages", []byte("16"), 0)
	}
}

// run runs the test binary of a directory.
func run(dir, pkg string, timeout time.Duration, args []string) error {
	cmd := exec.Command("/test2json", append([]string{"-p", pkg, "./test"}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/", "HOME=/tmp", "TMPDIR=/tmp", "TEST_PROGRAMS=" + dir + "/programs"}
	events, err := cmd.StdoutPipe()
	if err = errors.Join(err, cmd.Start()); err != nil {
		return err
	}
	// The binary ends itself at its timeout; where it cannot, it is asked where
	// its goroutines are (test2json does not heed that), and all is ended.
	quit := time.AfterFunc(timeout+5*time.Second, func() { syscall.Kill(-1, syscall.SIGQUIT) })
	kill := time.AfterFunc(timeout+10*time.Second, func() { syscall.Kill(-1, syscall.SIGKILL) })
	defer quit.Stop()
	defer kill.Stop()
	for s := bufio.NewScanner(events); s.Scan(); {
		say("%s", s.Text())
	}
	// Of the binary as a whole, test2json says nothing if it ended in a test.
	result := "pass"
	if err = cmd.Wait(); err != nil {
		result = "fail"
	}
	say(`{"Action":%q,"Package":%q}`, result, pkg)
	return err
}
