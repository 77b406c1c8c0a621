package uffdtest

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// Children are the programs that this test binary is when it is run again as
// a child: what must fault, hang or lose a privilege does so there.
var Children = map[string]func(args []string) error{}

const childEnv = "UFFD_TEST_CHILD"

// Child returns a command that runs this binary as one of children. It is
// killed at the deadline.
func Child(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	return ChildFor(t, Deadline, name, args...)
}

// ChildFor is Child with another deadline.
func ChildFor(t testing.TB, deadline time.Duration, name string, args ...string) *exec.Cmd {
	t.Helper()
	if Children[name] == nil {
		t.Fatalf("no child %q", name)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name, "GORACE=atexit_sleep_ms=0") // or a child of the race detector's lingers
	cmd.Stderr = os.Stderr
	timer := time.AfterFunc(deadline, func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
	})
	t.Cleanup(func() { timer.Stop() })
	return cmd
}
