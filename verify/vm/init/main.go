//go:build linux

// Init is the first and only program of a guest: it runs the test binaries
// that lie beside it, and powers off. Everything that it says is a message of
// package console. It needs the standard library alone, so that it can be built
// from its source wherever verify/vm is run.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/zuffd/uffd/verify/vm/internal/console"
)

func main() {
	var out messages
	mount()
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	out.send(console.Boot, encode(console.Guest{Release: strings.TrimSpace(string(release)), PageSize: os.Getpagesize()}))
	var j console.Job
	b, err := os.ReadFile("/job.json")
	if err == nil {
		err = json.Unmarshal(b, &j)
	}
	if err != nil {
		out.send(console.Kernel, "init: "+err.Error())
	}
	failed := false
	for _, t := range j.Tests {
		out.send(console.Start, t.Package)
		e := run(&out, t.Dir, j.Args, j.Timeout)
		out.send(console.Exit, encode(e))
		failed = failed || e.Code != 0
	}
	if failed {
		kernelLog(&out)
	}
	out.send(console.Done, "")
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {} // an init that returns is a kernel panic
}

// messages is the console: fd 1.
type messages struct {
	mu   sync.Mutex
	next int
}

func (m *messages) send(kind console.Kind, payload string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Printf("%s\n", console.Message{Number: m.next, Kind: kind, Payload: payload})
	m.next++
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// mount mounts what tests expect. What a kernel does not have, they will say.
func mount() {
	for _, m := range []struct{ source, target, kind, data string }{
		{"devtmpfs", "/dev", "devtmpfs", ""},
		{"proc", "/proc", "proc", ""},
		{"sysfs", "/sys", "sysfs", ""},
		{"tmpfs", "/tmp", "tmpfs", "mode=1777"},
		{"tmpfs", "/dev/shm", "tmpfs", "mode=1777"},
	} {
		os.MkdirAll(m.target, 0o755)
		syscall.Mount(m.source, m.target, m.kind, 0, m.data)
	}
	os.Setenv("PATH", "/")
	os.Setenv("HOME", "/tmp")
	os.Setenv("TMPDIR", "/tmp")
}

// run runs the test binary of a directory.
func run(out *messages, dir string, args []string, timeout time.Duration) console.Exited {
	cmd := exec.Command(dir+"/test", append(args, "-test.timeout="+timeout.String())...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TEST_PROGRAMS="+dir+"/programs")
	r, w, err := os.Pipe()
	if err == nil {
		cmd.Stdout, cmd.Stderr = w, w
		err = cmd.Start()
		w.Close()
	}
	if err != nil {
		return console.Exited{Code: -1, Error: err.Error()}
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		lines(out, r)
	}()
	// The binary ends itself at its timeout; where it cannot, it is asked where
	// its goroutines are, and ended.
	quit := time.AfterFunc(timeout+5*time.Second, func() { cmd.Process.Signal(syscall.SIGQUIT) })
	kill := time.AfterFunc(timeout+10*time.Second, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	quit.Stop()
	kill.Stop()
	// A child that outlived the tests may hold the pipe open.
	select {
	case <-copied:
	case <-time.After(5 * time.Second):
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return console.Exited{}
	case errors.As(err, &exit):
		return console.Exited{Code: exit.ExitCode(), Error: err.Error()}
	}
	return console.Exited{Code: -1, Error: err.Error()}
}

// lines sends what is read, line by line.
func lines(out *messages, r io.Reader) {
	for b := bufio.NewReader(r); ; {
		line, err := b.ReadString('\n')
		if line != "" {
			out.send(console.Output, line)
		}
		if err != nil {
			return
		}
	}
}

// kernelLog sends the warnings and errors of the kernel's log.
func kernelLog(out *messages) {
	const readAll, warning = 3, '4'
	buf := make([]byte, 1<<20)
	n, _ := syscall.Klogctl(readAll, buf)
	for line := range strings.Lines(string(buf[:max(n, 0)])) {
		if len(line) > 3 && line[0] == '<' && line[1] <= warning && line[2] == '>' {
			out.send(console.Kernel, strings.TrimSpace(line[3:]))
		}
	}
}
