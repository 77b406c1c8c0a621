package uffdtest

import (
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

// Next reads one message, which is to come within the deadline.
func Next(t testing.TB, f *userfaultfd.File) *userfaultfd.Msg {
	t.Helper()
	f.SetReadDeadline(time.Now().Add(Deadline))
	var buf [1]userfaultfd.Msg
	if _, err := f.Read(buf[:]); err != nil {
		t.Fatalf("waiting for a message: %v", err)
	}
	return &buf[0]
}

// Fault reads messages until one is a fault, and returns it.
func Fault(t testing.TB, f *userfaultfd.File) userfaultfd.Pagefault {
	t.Helper()
	m := Next(t, f)
	if m.Event() != userfaultfd.EventPagefault {
		t.Fatalf("got %v, want a fault", m)
	}
	return m.Pagefault()
}
