package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/renameio/v2"
	"github.com/zuffd/uffd/verify/kernels"
	"github.com/zuffd/uffd/verify/vm/internal/console"
)

// A report is all that one run of the command found.
type report struct {
	Date    time.Time
	Host    []string // versions of Go and qemu
	Args    []string // of every test binary
	Seconds float64
	Results []*result
}

// A result is what came of one kernel.
type result struct {
	Kernel, Arch string
	Image        kernels.Image
	SHA256       string         // of the image
	Guest        *console.Event // nil if it did not boot
	Seconds      float64
	Tests        []testCase
	Attrs        []console.Event // what tests said of the kernel
	Problem      string          // why the tests were not all run
	Console      []string        // the end of what the guest wrote; of the kernel's log where a test failed
}

// ok reports whether tests ran and none failed.
func (r *result) ok() bool {
	return r.Problem == "" && count(r.Tests, "fail") == 0 && count(r.Tests, "pass") > 0
}

// summary is a line for whoever waits.
func (r *result) summary() string {
	s := fmt.Sprintf("%s: %d passed, %d failed, %d skipped in %.0f s", r.Kernel, count(r.Tests, "pass"), count(r.Tests, "fail"), count(r.Tests, "skip"), r.Seconds)
	if r.Problem != "" {
		line, _, _ := strings.Cut(r.Problem, "\n")
		s += ": " + line
	}
	return s
}

// write prints the report, writes it to a file if one is named, and returns an
// error unless all is well. What is left of an interrupted run goes into no
// file.
func (r *report) write(ctx context.Context, w io.Writer, path string) error {
	r.summary(w)
	r.details(w)
	fmt.Fprintf(w, "\n%s, in %.0f s\n", r.totals(), r.Seconds)
	if ctx.Err() != nil {
		return errors.New("interrupted: no file is written")
	}
	if path != "" {
		var b bytes.Buffer
		if filepath.Ext(path) == ".json" {
			json.NewEncoder(&b).Encode(r)
		} else {
			r.markdown(&b)
		}
		if err := renameio.WriteFile(path, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	bad := slices.DeleteFunc(slices.Clone(r.Results), (*result).ok)
	if len(bad) > 0 {
		return fmt.Errorf("%d of %d kernels are not as they should be", len(bad), len(r.Results))
	}
	return nil
}

// totals are sums, in a line.
func (r *report) totals() string {
	var all []testCase
	unfinished := 0
	for _, res := range r.Results {
		all = append(all, res.Tests...)
		if res.Problem != "" {
			unfinished++
		}
	}
	return fmt.Sprintf("%d passed, %d failed, %d skipped on %d kernels, of which %d did not finish", count(all, "pass"), count(all, "fail"), count(all, "skip"), len(r.Results), unfinished)
}

// table writes a table in Markdown that can be read as it is, too.
func table(w io.Writer, rows ...[]string) {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	clean := strings.NewReplacer("|", `\|`, "\n", " ", "\r", "", "\t", " ") // of what kernels and tests wrote
	for i, row := range rows {
		for _, cell := range row {
			fmt.Fprintf(t, "| %s\t", clean.Replace(cell))
		}
		fmt.Fprintln(t, "|")
		if i == 0 {
			fmt.Fprintln(t, strings.Repeat("| ---\t", len(row))+"|")
		}
	}
	t.Flush()
}

// summary tells what came of each kernel, and why tests were skipped.
func (r *report) summary(w io.Writer) {
	rows := [][]string{{"kernel", "release", "architecture", "page size", "run", "passed", "failed", "skipped", "seconds"}}
	for _, res := range r.Results {
		release, page, failed := "-", "-", fmt.Sprint(count(res.Tests, "fail"))
		if res.Guest != nil {
			release, page = res.Guest.Release, fmt.Sprintf("%d KiB", res.Guest.PageSize>>10)
		}
		if res.Problem != "" {
			failed += " and did not finish"
		}
		run, passed, skipped := fmt.Sprint(len(res.Tests)), fmt.Sprint(count(res.Tests, "pass")), fmt.Sprint(count(res.Tests, "skip"))
		rows = append(rows, []string{res.Kernel, release, res.Arch, page, run, passed, failed, skipped, fmt.Sprintf("%.0f", res.Seconds)})
	}
	table(w, rows...)
	for _, res := range r.Results {
		if res.Image.Instead != "" {
			fmt.Fprintf(w, "\n%s\n", res.Image.Instead)
		}
	}
	if skipped := r.skipped(); len(skipped) > 0 {
		fmt.Fprint(w, "\nSkipped were:\n\n")
		table(w, append([][]string{{"tests", "reason", "kernels"}}, skipped...)...)
	}
}

// skipped returns rows of why tests were skipped, the most frequent reason
// first.
func (r *report) skipped() (rows [][]string) {
	where := map[string][]string{} // each test's kernel, by its reason
	for _, res := range r.Results {
		for _, t := range res.Tests {
			if t.Result == "skip" {
				where[t.Reason] = append(where[t.Reason], res.Kernel)
			}
		}
	}
	reasons := slices.SortedFunc(maps.Keys(where), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(where[b]), len(where[a])), strings.Compare(a, b))
	})
	for _, why := range reasons {
		rows = append(rows, []string{fmt.Sprint(len(where[why])), why, strings.Join(slices.Compact(where[why]), " ")})
	}
	return rows
}

// details tells all that is known of what went wrong.
func (r *report) details(w io.Writer) {
	for _, res := range r.Results {
		for _, t := range res.Tests {
			if t.Result == "fail" {
				fmt.Fprintf(w, "\n%s: %s %s failed:\n%s", res.Kernel, t.Package, t.Name, indent(t.Output))
			}
		}
		if res.Problem != "" {
			fmt.Fprintf(w, "\n%s: %s\n", res.Kernel, res.Problem)
		}
		if !res.ok() && len(res.Console) > 0 {
			fmt.Fprintf(w, "the end of its console:\n%s", indent(strings.Join(res.Console, "\n")))
		}
	}
}

// markdown writes the report of a whole run.
func (r *report) markdown(w io.Writer) {
	fmt.Fprintf(w, "# Kernels in virtual machines\n\nGenerated by `make results` on %s: %s.\n\n", r.Date.Format("2 January 2006"), r.totals())
	r.found(w)
	fmt.Fprint(w, "\n## Tests\n\n")
	r.summary(w)
	fmt.Fprintf(w, "\nThe tests were run with `%s`, in short mode, which leaves out or shortens what takes long under emulation.\n"+
		"A test with subtests is not counted beside them. Seconds under emulation say little of a real machine.\n", strings.Join(r.Args, " "))
	for _, res := range r.Results {
		if !res.ok() {
			fmt.Fprintf(w, "\nNot as it should be: %s\n", res.summary())
		}
	}
	fmt.Fprint(w, "\n## Versions\n\n")
	rows := [][]string{{"kernel", "image", "SHA-256"}}
	for _, res := range r.Results {
		rows = append(rows, []string{res.Kernel, cmp.Or(res.Image.Package, filepath.Base(res.Image.Path)), res.SHA256})
	}
	table(w, rows...)
	fmt.Fprintln(w)
	for _, h := range r.Host {
		fmt.Fprintf(w, "- %s\n", h)
	}
}

// found writes what tests said of kernels with testing.T.Attr: a table for
// each test, a row for each key, a column for each kernel.
func (r *report) found(w io.Writer) {
	tables := map[string][][]string{} // by test
	head := []string{""}
	for i, res := range r.Results {
		head = append(head, res.Kernel)
		for _, a := range res.Attrs {
			rows := tables[a.Test]
			at := slices.IndexFunc(rows, func(row []string) bool { return row[0] == a.Key })
			if at < 0 {
				at = len(rows)
				rows = append(rows, append([]string{a.Key}, make([]string, len(r.Results))...))
				tables[a.Test] = rows
			}
			rows[at][i+1] = a.Value
		}
	}
	for _, test := range slices.Sorted(maps.Keys(tables)) {
		fmt.Fprintf(w, "\n## %s\n\n", strings.TrimPrefix(test, "Test"))
		table(w, append([][]string{head}, tables[test]...)...)
	}
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ") + "\n"
}
