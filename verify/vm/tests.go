package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/zuffd/uffd/verify/testlog"
)

// tests returns the outcomes that a binary's output tells. A binary that
// crashed, hung, or failed without a failed test is a failure of its own, and
// so is one none of whose tests passed or failed, unless only some were to
// run.
func (b *testBinary) tests(ctx context.Context, some bool) ([]testlog.Test, error) {
	input := b.output.String()
	if b.exit == nil || b.exit.Code != 0 {
		// The last test's outcome is told when something follows it.
		input = strings.TrimSuffix(input, "\n") + "\n\x16FAIL\n"
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", "-p", b.pkg) // -t adds how long tests took
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go tool test2json: %w\n%s", err, stderr.Bytes())
	}
	packages, err := testlog.Read(bytes.NewReader(out))
	if err != nil {
		return nil, err
	}
	if len(packages) != 1 {
		return nil, fmt.Errorf("go tool test2json: events of %d packages instead of one", len(packages))
	}
	p := packages[0]
	why := ""
	switch {
	case b.exit == nil:
		why = "the test binary did not end"
	case b.exit.Code != 0 && (p.Count("fail") == 0 || b.exit.Code != 1): // 1 is what a failed test makes it
		why = "the test binary failed: " + b.exit.Error
	case p.Count("pass", "fail") == 0 && !some:
		why = fmt.Sprintf("no test ran: %d were skipped", len(p.Tests))
	}
	if why != "" {
		p.Fail(why + "\n" + lastLines(b.output.String(), 200))
	}
	return p.Tests, nil
}

// lastLines returns the last n lines of s, without the marks of test2json.
func lastLines(s string, n int) string {
	lines := slices.Collect(strings.Lines(strings.ReplaceAll(s, "\x16", "")))
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
