package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/zuffd/uffd/runtime/probe"
)

func TestTable(t *testing.T) {
	s, err := probe.Kernel()
	if err != nil {
		t.Skip(err)
	}
	var b strings.Builder
	if err := writeTable(&b, s); err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"Linux " + s.Kernel, "EVENT_FORK", "since Linux 4.11", "system call", "anonymous"} {
		if !strings.Contains(b.String(), w) {
			t.Errorf("it does not say %q:\n%s", w, &b)
		}
	}
	if err := writeTable(brokenWriter{}, s); !errors.Is(err, errBroken) {
		t.Errorf("to a broken writer: %v", err)
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }
