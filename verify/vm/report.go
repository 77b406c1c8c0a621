package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"

	"github.com/google/renameio/v2"
	"github.com/zuffd/uffd/verify/kernels"
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
	SHA256       string // of the image
	Seconds      float64
	Problem      string // why the tests were not all run
	Tests        []testCase
	transcript
}

// OK reports whether tests ran and none failed.
func (r *result) OK() bool {
	return r.Problem == "" && count(r.Tests, "fail") == 0 && count(r.Tests, "pass") > 0
}

// Summary is a line for whoever waits.
func (r *result) Summary() string {
	problem := r.problem()
	if problem != "" {
		problem = ": " + problem
	}
	return fmt.Sprintf("%s: %s in %.0f s%s", r.Kernel, totals(r.Tests), r.Seconds, problem)
}

// problem is the first line of it.
func (r *result) problem() string {
	first, _, _ := strings.Cut(r.Problem, "\n")
	return first
}

// wrong is a line that names what is not as it should be. Lines of all kernels
// are the last that a run prints: of a log, the end is what people are shown.
func (r *result) wrong() string {
	line := r.Kernel + ":"
	for _, t := range r.Tests {
		if t.Result == "fail" {
			line += " " + filepath.Base(t.Package) + "." + t.Name
		}
	}
	if problem := r.problem(); problem != "" || line == r.Kernel+":" {
		line += " " + cmp.Or(problem, "no test passed")
	}
	return line
}

// totals are the sums of tests' results, in words.
func totals(tests []testCase) string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", count(tests, "pass"), count(tests, "fail"), count(tests, "skip"))
}

// write prints the report, writes it to a file if one is named, and returns an
// error unless all is well. What is left of an interrupted run goes into no
// file.
func (r *report) write(ctx context.Context, w io.Writer, path string) error {
	if err := errors.Join(r.aligned(w, "tests"), templates.ExecuteTemplate(w, "failures", r)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.New("interrupted: no file is written")
	}
	if path != "" {
		var b bytes.Buffer
		var err error
		if filepath.Ext(path) == ".json" {
			err = json.NewEncoder(&b).Encode(r)
		} else {
			err = r.aligned(&b, "results")
		}
		if err == nil {
			err = renameio.WriteFile(path, b.Bytes(), 0o644)
		}
		if err != nil {
			return err
		}
	}
	var bad []string
	for _, res := range r.Results {
		if !res.OK() {
			bad = append(bad, res.wrong())
		}
	}
	if bad == nil {
		return nil
	}
	return fmt.Errorf("%d of %d kernels are not as they should be:\n%s", len(bad), len(r.Results), strings.Join(bad, "\n"))
}

//go:embed report.tmpl
var text string

// templates are of what is printed and of the file of results.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"base": filepath.Base, "count": count, "indent": indent, "join": strings.Join,
	"kib":  func(bytes int) int { return bytes >> 10 },
	"cell": strings.NewReplacer("|", `\|`, "\n", " ", "\r", "", "\t", " ").Replace, // of what kernels and tests wrote
}).Parse(text))

// aligned executes a template whose tables are to be read as they are, too.
func (r *report) aligned(w io.Writer, name string) error {
	var b strings.Builder
	err := templates.ExecuteTemplate(&b, name, r)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "|") {
			line = strings.ReplaceAll(line, " |", "\t|")
		}
		io.WriteString(t, line)
	}
	return errors.Join(err, t.Flush())
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}

// Totals are sums, in a line.
func (r *report) Totals() string {
	var all []testCase
	unfinished := 0
	for _, res := range r.Results {
		all = append(all, res.Tests...)
		if res.Problem != "" {
			unfinished++
		}
	}
	return fmt.Sprintf("%s on %d kernels, of which %d did not finish", totals(all), len(r.Results), unfinished)
}

// Skipped returns why tests were skipped, the most frequent reason first: for
// each how many there are, the reason, and the kernels.
func (r *report) Skipped() (rows [][]string) {
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

// Found returns what tests said of kernels with testing.T.Attr: for each test,
// rows of a key and its values on each kernel.
func (r *report) Found() map[string][][]string {
	found := map[string][][]string{}
	for i, res := range r.Results {
		for _, a := range res.Attrs {
			test := strings.TrimPrefix(a.Test, "Test")
			row := slices.IndexFunc(found[test], func(row []string) bool { return row[0] == a.Key })
			if row < 0 {
				row = len(found[test])
				found[test] = append(found[test], append([]string{a.Key}, make([]string, len(r.Results))...))
			}
			found[test][row][i+1] = a.Value
		}
	}
	return found
}
