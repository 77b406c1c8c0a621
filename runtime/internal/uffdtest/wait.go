package uffdtest

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// During runs a system call that waits for its event to be read, in a
// goroutine of its own.
func During(call func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	return done
}

// OnThread is during on a thread of its own, whose id it returns.
func OnThread(call func() error) (done <-chan error, tid int) {
	thread := make(chan int, 1)
	done = During(func() error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		return call()
	})
	return done, <-thread
}

// Eventually waits for a condition.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(Deadline); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Asleep fails the test if the goroutine has come back. It can only say that
// it has not yet.
func Asleep(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		t.Fatalf("the waiter was woken (%v)", err)
	case <-time.After(20 * time.Millisecond):
	}
}

// Deadline is how long a test that may hang is let run.
const Deadline = 10 * time.Second

// Within waits for what a goroutine sends.
func Within(t testing.TB, what string, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(Deadline):
		t.Fatalf("%s: nothing after %v", what, Deadline)
		return nil
	}
}

// Disturb sends a thread signals that it handles and goes on after.
func Disturb(tid int) {
	for range 20 {
		unix.Tgkill(unix.Getpid(), tid, unix.SIGURG)
		time.Sleep(time.Millisecond)
	}
}
