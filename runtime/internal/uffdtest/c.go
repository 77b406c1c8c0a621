package uffdtest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// cflags matches what a C source says of how it is to be compiled, in the
// package's directory.
var cflags = regexp.MustCompile(`(?m)^\W*cflags: *(.*)$`)

// CompileC compiles a program in testdata with the machine's C compiler, once, and
// returns where it is. Without a compiler or the kernel's headers the test is
// skipped. Where TEST_PROGRAMS names a directory, as in verify/vm's guests, the
// program was built before and is there, or could not be.
func CompileC(t testing.TB, source string) string {
	t.Helper()
	name := strings.TrimSuffix(source, ".c")
	if dir := os.Getenv("TEST_PROGRAMS"); dir != "" {
		program := filepath.Join(dir, name)
		if _, err := os.Stat(program); err != nil {
			t.Skipf("no C program: %v", err)
		}
		return program
	}
	programs.Lock()
	defer programs.Unlock()
	if program := programs.made[name]; program != "" {
		return program
	}
	cc := ""
	for _, name := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); err == nil {
			cc = path
			break
		}
	}
	if cc == "" {
		t.Skip("no C compiler: neither $CC, cc, gcc nor clang can be run")
	}
	source = filepath.Join("testdata", source)
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	if programs.dir == "" {
		if programs.dir, err = os.MkdirTemp("", "uffd-programs-"); err != nil {
			t.Fatal(err)
		}
		programs.made = make(map[string]string)
	}
	program := filepath.Join(programs.dir, name)
	args := []string{"-std=gnu11", "-Wall", "-Wextra", "-O2", "-o", program, source}
	if m := cflags.FindSubmatch(text); m != nil {
		args = append(args, strings.Fields(string(m[1]))...)
	}
	cmd := exec.Command(cc, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil && bytes.Contains(out, []byte(".h: No such file")) {
		t.Skipf("%s has no kernel or C library headers:\n%s", cc, out)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", cc, err, out)
	}
	programs.made[name] = program
	return program
}

// programs are those that CompileC has made, and where; Main removes them.
var programs struct {
	sync.Mutex
	dir  string
	made map[string]string
}

func removePrograms() {
	if programs.dir != "" {
		os.RemoveAll(programs.dir)
	}
}

// StartWithSocket starts a program that has the other end of a unix socket as
// descriptor 3.
func StartWithSocket(t testing.TB, program string, args ...string) (*exec.Cmd, *net.UnixConn) {
	t.Helper()
	ours, theirs := SocketFiles(t, unix.SOCK_STREAM)
	return Start(t, program, args, theirs), UnixConn(t, ours)
}

// Start starts a program that has files as its descriptors from 3 on; here
// they are closed. It is killed when the test ends, unless it has ended before.
func Start(t testing.TB, program string, args []string, files ...*os.File) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = files
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		file.Close()
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	return cmd
}
