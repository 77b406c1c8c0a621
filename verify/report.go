package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/zuffd/uffd/verify/claim"
)

// A report is all that was answered.
type report []claim.Answer

// write prints the report, and returns an error unless all is well.
func (r report) write(w io.Writer) error {
	var compared, wrong, unasked, absent int
	var details strings.Builder
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "oracle\tasked about\tcomparisons\tdisagree\t")
	kind := ""
	for _, a := range r {
		if a.Kind != kind {
			kind = a.Kind
			fmt.Fprintf(t, "%s\t\t\t\t\n", kind)
		}
		for _, line := range a.Wrong {
			fmt.Fprintf(&details, "%s, %s: %s\n", a.Oracle, a.About, line)
		}
		for _, line := range a.News {
			fmt.Fprintln(&details, "news:", line)
		}
		state := fmt.Sprint(len(a.Wrong))
		if a.Unasked != nil {
			state = "not asked"
			unasked++
			fmt.Fprintf(&details, "not asked: %s: %s: %v\n", a.Kind, a.Oracle, a.Unasked)
		} else if a.Absent != "" {
			state, a.Note = "not there", a.Absent
			absent++
		}
		fmt.Fprintf(t, "  %s\t%s\t%d\t%s\t%s\n", a.Oracle, a.About, a.Compared, state, a.Note)
		compared += a.Compared
		wrong += len(a.Wrong)
	}
	t.Flush()
	fmt.Fprintf(w, "\n%s%d comparisons with %s: %d disagree, %d not asked, %d not there\n", &details, compared, r.asked(), wrong, unasked, absent)
	if wrong > 0 || unasked > 0 {
		return errors.New("the bindings are not verified")
	}
	return nil
}

// asked says who has answered, each once, however often it was asked.
func (r report) asked() string {
	seen, count := map[string]bool{}, map[string]int{}
	for _, a := range r {
		if a.Sources == nil {
			a.Sources = []string{a.Oracle}
		}
		for _, name := range a.Sources {
			if !seen[name] && a.Unasked == nil && a.Absent == "" {
				seen[name] = true
				count[a.Kind]++
			}
		}
	}
	var counts []string
	for _, a := range r {
		if n := count[a.Kind]; n > 0 {
			counts = append(counts, fmt.Sprintf("%s: %d", a.Kind, n))
			delete(count, a.Kind)
		}
	}
	return fmt.Sprintf("%d oracles (%s)", len(seen), strings.Join(counts, ", "))
}
