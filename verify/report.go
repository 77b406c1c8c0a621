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
	compared, wrong, unasked, absent := r.table(w)
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
	fmt.Fprintf(w, "%d comparisons with %s: %d disagree, %d not asked, %d not there; %d live tests failed\n", compared, r.asked(), wrong, unasked, absent, failed)
	if wrong > 0 || unasked > 0 || failed > 0 {
		return errors.New("the bindings are not verified")
	}
	return nil
}

// asked says who has answered, each once, however often it was asked.
func (r *report) asked() string {
	seen := map[string]bool{}
	count := map[string]int{}
	var kinds []string
	for _, x := range r.results {
		if x.unasked != nil || x.absent != "" {
			continue
		}
		who := x.sources
		if len(who) == 0 {
			who = []string{x.oracle}
		}
		for _, name := range who {
			if seen[name] {
				continue
			}
			seen[name] = true
			if count[x.kind]++; count[x.kind] == 1 {
				kinds = append(kinds, x.kind)
			}
		}
	}
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%s: %d", kind, count[kind])
	}
	return fmt.Sprintf("%d oracles (%s)", len(seen), strings.Join(kinds, ", "))
}

// table prints a line for each time that an oracle was asked.
func (r *report) table(w io.Writer) (compared, wrong, unasked, absent int) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "oracle\tasked about\tcomparisons\tdisagree\t")
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
		} else if x.absent != "" {
			state, x.note = "not there", x.absent
			absent++
		}
		fmt.Fprintf(t, "  %s\t%s\t%d\t%s\t%s\n", x.oracle, x.about, x.compared, state, x.note)
		compared += x.compared
		wrong += len(x.wrong)
	}
	t.Flush()
	return compared, wrong, unasked, absent
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
