package uffdtest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// CompileC compiles a program in testdata with the machine's C compiler, and
// returns where it is. The package's own edition of the headers is found by
// #include "linux/...", the kernel's by #include <linux/...>. Without a
// compiler or the kernel's headers the test is skipped.
func CompileC(t testing.TB, source string, flags ...string) string {
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
	args := append([]string{"-std=gnu11", "-Wall", "-Wextra", "-O2", "-pthread", "-iquote", headers(t), "-o", program}, flags...)
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

// headers returns the directory of the project's edition of the kernel's
// headers, from a package's directory.
func headers(t testing.TB) string {
	t.Helper()
	for dir := "."; ; dir = filepath.Join("..", dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "headers")
		}
		if len(dir) > 64 {
			t.Fatal("no go.mod above the test's directory")
		}
	}
}
