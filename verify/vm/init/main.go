//go:build linux

// Init is the first program of a guest: it runs the test binaries that lie
// beside it under test2json, and powers off. Everything that it says is an
// event of package console. It needs the standard library alone, so that it can
// be built from its source wherever verify/vm is run.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/zuffd/uffd/verify/vm/internal/console"
)

func main() {
	mount()
	hugePages()
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	send(console.Event{Action: console.Boot, Release: strings.TrimSpace(string(release)), PageSize: os.Getpagesize()})
	var j console.Job
	b, err := os.ReadFile("/job.json")
	if err = errors.Join(err, json.Unmarshal(b, &j)); err != nil {
		fmt.Println("init:", err)
	}
	failed := false
	for i, p := range j.Packages {
		failed = !passes(fmt.Sprintf("/%d", i), p, j) || failed
	}
	if failed {
		const readAll = 3
		log := make([]byte, 4<<10) // of the kernel's, the end
		n, _ := syscall.Klogctl(readAll, log)
		fmt.Printf("%s\n", log[:max(n, 0)])
	}
	send(console.Event{Action: console.Done})
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	select {} // an init that returns is a kernel panic
}

// sent counts the events.
var sent int

// send writes an event to the console, which is fd 1.
func send(e console.Event) {
	e.Number = sent
	sent++
	fmt.Println(e)
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

// hugePages reserves more huge pages than a test wants. arm64's of 512 MiB,
// with pages of 64 KiB, are too large.
func hugePages() {
	if runtime.GOARCH != "arm64" || os.Getpagesize() < 64<<10 {
		os.WriteFile("/proc/sys/vm/nr_hugepages", []byte("16"), 0)
	}
}

// passes runs the test binary of a directory, and reports whether all went
// well.
func passes(dir, pkg string, j console.Job) bool {
	cmd := exec.Command("/test2json", append([]string{"-t", "-p", pkg, dir + "/test", "-test.timeout=" + j.Timeout.String()}, j.Args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TEST_PROGRAMS="+dir+"/programs")
	events, err := cmd.StdoutPipe()
	if err = errors.Join(err, cmd.Start()); err != nil {
		fmt.Println("init:", err)
		return false
	}
	// The binary ends itself at its timeout; where it cannot, it is asked where
	// its goroutines are (test2json does not heed that), and all is ended.
	const all = -1
	quit := time.AfterFunc(j.Timeout+5*time.Second, func() { syscall.Kill(all, syscall.SIGQUIT) })
	kill := time.AfterFunc(j.Timeout+10*time.Second, func() { syscall.Kill(all, syscall.SIGKILL) })
	defer quit.Stop()
	defer kill.Stop()
	for d := json.NewDecoder(events); ; {
		var e console.Event
		if d.Decode(&e) != nil {
			break
		}
		send(e)
	}
	exit := console.Event{Action: console.Exit}
	if err := cmd.Wait(); err != nil {
		exit.Output = err.Error()
	}
	send(exit)
	return exit.Output == ""
}
