package userfaultfd_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// compileC compiles a program in testdata with the machine's C compiler, and
// returns where it is. The package's own edition of the headers is found by
// #include "linux/...", the kernel's by #include <linux/...>. Without a
// compiler or the kernel's headers the test is skipped.
func compileC(t testing.TB, source string, flags ...string) string {
	t.Helper()
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
	program := filepath.Join(t.TempDir(), strings.TrimSuffix(source, ".c"))
	args := append([]string{"-std=gnu11", "-Wall", "-Wextra", "-O2", "-pthread", "-iquote", "../headers", "-o", program}, flags...)
	cmd := exec.Command(cc, append(args, filepath.Join("testdata", source))...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil && bytes.Contains(out, []byte(".h: No such file")) {
		t.Skipf("%s has no kernel or C library headers:\n%s", cc, out)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", cc, err, out)
	}
	return program
}

// startWithSocket starts a program that has the other end of a unix socket as
// descriptor 3.
func startWithSocket(t testing.TB, program string, args ...string) (*exec.Cmd, *net.UnixConn) {
	t.Helper()
	ours, theirs := socketFiles(t, unix.SOCK_STREAM)
	return start(t, program, args, theirs), unixConn(t, ours)
}

// start starts a program that has files as its descriptors from 3 on; here
// they are closed. It is killed when the test ends, unless it has ended before.
func start(t testing.TB, program string, args []string, files ...*os.File) *exec.Cmd {
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

// unixConn is fileConn with the deadline of tests, until another is set.
func unixConn(t testing.TB, file *os.File) *net.UnixConn {
	t.Helper()
	conn := fileConn(t, file)
	conn.SetDeadline(time.Now().Add(deadline))
	return conn
}
