package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is all that one run of the command found.
type report struct {
	Date    time.Time `json:"date"`
	Host    []string  `json:"host"` // versions of Go and qemu
	Args    []string  `json:"args"` // of every test binary
	Seconds float64   `json:"seconds"`
	Results []*result `json:"kernels"`
}

// summary is a line for whoever waits.
func (r *result) summary() string {
	s := fmt.Sprintf("%s: %d passed, %d failed, %d skipped in %.0f s", r.Kernel, r.Passed, r.Failed, r.Skipped, r.Seconds)
	if r.Problem != "" {
		line, _, _ := strings.Cut(r.Problem, "\n")
		s += ": " + line
	}
	return s
}

// columns are the table's.
var columns = []string{"kernel", "release", "architecture", "page size", "run", "passed", "failed", "skipped", "seconds"}

func (r *result) row() []string {
	release, page := "-", "-"
	if r.Guest != nil {
		release, page = r.Guest.Release, fmt.Sprintf("%d KiB", r.Guest.PageSize>>10)
	}
	failed := fmt.Sprint(r.Failed)
	if r.Problem != "" {
		failed += " and did not finish"
	}
	return []string{r.Kernel, release, r.Arch, page, fmt.Sprint(r.Run), fmt.Sprint(r.Passed), failed, fmt.Sprint(r.Skipped), fmt.Sprintf("%.0f", r.Seconds)}
}

// A reason is why tests were skipped, and how often on which kernels.
type skipReason struct {
	reason  string
	tests   int
	kernels []string
}

// reasons groups the skipped tests, the most frequent reason first.
func (r *report) reasons() []skipReason {
	var all []skipReason
	for _, res := range r.Results {
		for _, t := range res.Tests {
			if t.Result != "skip" {
				continue
			}
			i := slices.IndexFunc(all, func(s skipReason) bool { return s.reason == t.Reason })
			if i < 0 {
				i = len(all)
				all = append(all, skipReason{reason: t.Reason})
			}
			all[i].tests++
			if !slices.Contains(all[i].kernels, res.Kernel) {
				all[i].kernels = append(all[i].kernels, res.Kernel)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b skipReason) int { return cmp.Compare(b.tests, a.tests) })
	return all
}

// write prints the report, writes the files that were asked for, and returns
// an error unless all is well. What is left of an interrupted run goes into no
// file.
func (r *report) write(ctx context.Context, w io.Writer, o *options) error {
	r.text(w)
	if ctx.Err() != nil {
		return errors.New("interrupted: no file is written")
	}
	if o.json != "" {
		b, err := json.MarshalIndent(r, "", "\t")
		if err != nil {
			return err
		}
		if err := replaceFile(o.json, append(b, '\n')); err != nil {
			return err
		}
	}
	if o.results != "" {
		var b bytes.Buffer
		r.markdown(&b)
		if err := replaceFile(o.results, b.Bytes()); err != nil {
			return err
		}
	}
	bad := 0
	for _, res := range r.Results {
		if !res.ok() {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d kernels are not as they should be", bad, len(r.Results))
	}
	return nil
}

func (r *report) text(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	for _, res := range r.Results {
		fmt.Fprintln(t, strings.Join(res.row(), "\t"))
	}
	t.Flush()
	if all := r.reasons(); len(all) > 0 {
		fmt.Fprintln(w, "\nskipped:")
		for _, s := range all {
			fmt.Fprintf(w, "%5d  %s (%s)\n", s.tests, s.reason, strings.Join(s.kernels, " "))
		}
	}
	for _, res := range r.Results {
		for _, t := range res.Tests {
			if t.Result == "fail" {
				fmt.Fprintf(w, "\n%s: %s %s failed:\n%s", res.Kernel, t.Package, t.Name, indent(t.Output))
			}
		}
		if res.Problem != "" {
			fmt.Fprintf(w, "\n%s: %s\n", res.Kernel, res.Problem)
		}
		if len(res.Console) > 0 {
			fmt.Fprintf(w, "the end of its console:\n%s", indent(strings.Join(res.Console, "\n")))
		}
		if all := res.warnings(); !res.ok() && len(all) > 0 {
			fmt.Fprintf(w, "%s: warnings of its kernel:\n%s", res.Kernel, indent(strings.Join(all, "\n")))
		}
	}
	kernels, tests := r.totals()
	fmt.Fprintf(w, "\n%s, in %.0f s\n%s\n", kernels, r.Seconds, tests)
}

// poisoned matches what a kernel says when a process touches poisoned memory,
// which tests have processes do.
var poisoned = regexp.MustCompile(`^MCE: Killing .+ due to hardware memory corruption fault at [0-9a-f]+$`)

// maxWarnings is how many lines of a kernel's log are shown; -json has all.
const maxWarnings = 10

// warnings returns the unexpected lines of the kernel's log: the last of them,
// since those of its boot come first.
func (r *result) warnings() []string {
	var all []string
	for _, line := range r.KernelLog {
		if !poisoned.MatchString(line) {
			all = append(all, line)
		}
	}
	if more := len(all) - maxWarnings; more > 0 {
		all = append([]string{fmt.Sprintf("(%d more before these; -json FILE writes them all)", more)}, all[more:]...)
	}
	return all
}

// totals are sums, in a line each.
func (r *report) totals() (kernels, tests string) {
	var passed, failed, skipped, unfinished int
	for _, res := range r.Results {
		passed += res.Passed
		failed += res.Failed
		skipped += res.Skipped
		if res.Problem != "" {
			unfinished++
		}
	}
	return fmt.Sprintf("kernels: %d, of which %d did not finish", len(r.Results), unfinished),
		fmt.Sprintf("%d passed, %d failed, %d skipped", passed, failed, skipped)
}

func (r *report) markdown(w io.Writer) {
	kernels, tests := r.totals()
	fmt.Fprintf(w, "# Kernels in virtual machines\n\nGenerated by `make results` on %s.\nTests: %s; %s.\n\n", r.Date.Format("2 January 2006"), tests, kernels)
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat(" --- |", len(columns)))
	for _, res := range r.Results {
		fmt.Fprintf(w, "| %s |\n", strings.Join(escapeCells(res.row()), " | "))
	}
	fmt.Fprintf(w, "\nEach package's tests were run with `%s`", strings.Join(r.Args, " "))
	if slices.Contains(r.Args, shortMode) {
		fmt.Fprint(w, ": in short mode, which leaves out or shortens what takes long under emulation")
	}
	fmt.Fprint(w, ".\nA test with subtests is not counted beside them. Kernels are booted under software emulation, so seconds say little of a real machine.\n")
	if all := r.reasons(); len(all) > 0 {
		fmt.Fprint(w, "\n## Skipped\n\n| tests | reason | kernels |\n| --- | --- | --- |\n")
		for _, s := range all {
			fmt.Fprintf(w, "| %s |\n", strings.Join(escapeCells([]string{fmt.Sprint(s.tests), s.reason, strings.Join(s.kernels, " ")}), " | "))
		}
	}
	heading := "\n## Failed\n\n"
	for _, res := range r.Results {
		for _, t := range res.Tests {
			if t.Result == "fail" {
				fmt.Fprintf(w, "%s- %s: %s %s\n", heading, res.Kernel, t.Package, t.Name)
				heading = ""
			}
		}
		if res.Problem != "" {
			line, _, _ := strings.Cut(res.Problem, "\n")
			fmt.Fprintf(w, "%s- %s: %s\n", heading, res.Kernel, line)
			heading = ""
		}
	}
	fmt.Fprint(w, "\n## Versions\n\n| kernel | image | SHA-256 |\n| --- | --- | --- |\n")
	for _, res := range r.Results {
		from := cmp.Or(res.Image.Package, filepath.Base(res.Image.Path))
		fmt.Fprintf(w, "| %s |\n", strings.Join(escapeCells([]string{res.Kernel, from, res.Image.SHA256}), " | "))
	}
	fmt.Fprintln(w)
	for _, h := range r.Host {
		fmt.Fprintf(w, "- %s\n", h)
	}
}

// escapeCells keeps what a kernel or a test wrote inside its cell.
func escapeCells(cells []string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = strings.NewReplacer("|", `\|`, "\n", " ", "\r", "").Replace(c)
	}
	return out
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimRight(s, "\n") + "\n") {
		b.WriteString("    " + line)
	}
	return b.String()
}

// replaceFile writes a file whole, or leaves what was there.
func replaceFile(name string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
