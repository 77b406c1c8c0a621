package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// A report is all that was found.
type report struct {
	results []result
	tests   []*outcomes
	advice  string
}

// write prints the report, and returns an error unless all is well.
func (r *report) write(w io.Writer) error {
	compared, wrong, unasked := r.table(w)
	failed := r.testTable(w)
	var reasons []string
	whom := map[string][]string{}
	for _, x := range r.results {
		for _, line := range x.wrong {
			fmt.Fprintf(w, "%s, %s: %s\n", x.oracle, x.about, line)
		}
		if x.unasked != nil {
			why := x.unasked.Error()
			if whom[why] == nil {
				reasons = append(reasons, why)
			}
			whom[why] = append(whom[why], x.kind+": "+x.oracle)
		}
	}
	for _, why := range reasons {
		fmt.Fprintf(w, "not asked: %s: %s\n", strings.Join(whom[why], "; "), why)
	}
	for _, o := range r.tests {
		for _, f := range o.failures {
			fmt.Fprintln(w, f)
		}
	}
	if r.advice != "" {
		fmt.Fprintln(w, r.advice)
	}
	kinds := map[string]bool{}
	for _, x := range r.results {
		kinds[x.kind] = true
	}
	fmt.Fprintf(w, "%d values compared with %d oracles of %d kinds (%s): %d disagree, %d not asked; %d live tests failed\n",
		compared, len(r.results), len(kinds), strings.Join(slices.Sorted(maps.Keys(kinds)), ", "), wrong, unasked, failed)
	if wrong > 0 || unasked > 0 || failed > 0 {
		return errors.New("the bindings are not verified")
	}
	return nil
}

// table prints a line for each oracle.
func (r *report) table(w io.Writer) (compared, wrong, unasked int) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "oracle\tasked about\tvalues\tdisagree\t")
	kind := ""
	for _, x := range r.results {
		if x.kind != kind {
			kind = x.kind
			fmt.Fprintf(t, "%s\t\t\t\t\n", kind)
		}
		state := fmt.Sprint(len(x.wrong))
		if x.unasked != nil {
			state = "not asked"
			unasked++
		}
		fmt.Fprintf(t, "  %s\t%s\t%d\t%s\t%s\n", x.oracle, x.about, x.compared, state, x.note)
		compared += x.compared
		wrong += len(x.wrong)
	}
	t.Flush()
	return compared, wrong, unasked
}

// testTable prints a line for each package of live tests, and why tests were
// skipped.
func (r *report) testTable(w io.Writer) (failed int) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nlive tests\trun\tpassed\tfailed\tskipped")
	reasons := map[string]int{}
	for _, o := range r.tests {
		fmt.Fprintf(t, "  %s\t%d\t%d\t%d\t%d\n", o.pkg, o.passed+o.failed, o.passed, o.failed, o.skipped)
		failed += o.failed
		for _, why := range o.reasons {
			reasons[why]++
		}
	}
	t.Flush()
	for _, why := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(w, "  skipped %d: %s\n", reasons[why], why)
	}
	fmt.Fprintln(w)
	return failed
}
