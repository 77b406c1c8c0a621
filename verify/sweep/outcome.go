package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// What a sweep may find at most.
const (
	maxRefused   = 5
	maxMegabytes = 64
)

// An outcome is that of all headers of a release for an architecture.
type outcome struct {
	release, arch, source, compiler string
	headers, right, compared        int
	omitted, ioctls                 int
	skipped, refused, wrong, broken []*verdict
	failures                        []*verdict
	times                           []time.Duration
	large                           []*verdict
	total, together                 time.Duration // of a run for each header, and of one for all
	megabytes                       float64
}

func (o *outcome) add(v *verdict) {
	if v.skipped != nil {
		o.skipped = append(o.skipped, v)
		return
	}
	o.headers++
	o.times = append(o.times, v.time)
	o.total += v.time
	o.compared += v.compared
	o.omitted += v.omitted
	o.ioctls += v.ioctls
	o.megabytes = max(o.megabytes, v.megabytes)
	if v.megabytes > maxMegabytes {
		o.large = append(o.large, v)
	}
	switch {
	case v.failure != nil:
		o.failures = append(o.failures, v)
	case v.refused != "":
		o.refused = append(o.refused, v)
	case len(v.wrong) > 0:
		o.wrong = append(o.wrong, v)
	case v.broken != "":
		o.broken = append(o.broken, v)
	default:
		o.right++
	}
}

func (o *outcome) median() time.Duration {
	if len(o.times) == 0 {
		return 0
	}
	slices.Sort(o.times)
	return o.times[len(o.times)/2]
}

// failed returns what the outcome must not have.
func (o *outcome) failed() error {
	switch {
	case len(o.failures) > 0:
		return fmt.Errorf("%s: the sweep failed: %w", o.failures[0].header, o.failures[0].failure)
	case len(o.wrong)+len(o.broken) > 0:
		return fmt.Errorf("linux %s, %s: %d headers wrong, %d whose Go does not compile", o.release, o.arch, len(o.wrong), len(o.broken))
	case len(o.refused) > maxRefused:
		return fmt.Errorf("linux %s, %s: %d headers refused", o.release, o.arch, len(o.refused))
	case len(o.large) > 0:
		return fmt.Errorf("linux %s, %s: %s took %.0f MiB", o.release, o.arch, o.large[0].header, o.large[0].megabytes)
	}
	return nil
}

func (o *outcome) print(w io.Writer) {
	fmt.Fprintf(w, "linux %s %s: %d headers: %d right, %d wrong, %d not Go, %d refused; %d facts, %d ioctls, %d left out; generator %v in all, median %v, longest %v, %.0f MiB; all in one run %v\n",
		o.release, o.arch, o.headers, o.right, len(o.wrong), len(o.broken), len(o.refused), o.compared, o.ioctls, o.omitted,
		o.total.Round(time.Millisecond), o.median().Round(100*time.Microsecond), slices.Max(append(o.times, 0)).Round(time.Millisecond), o.megabytes, o.together.Round(10*time.Millisecond))
	for _, v := range o.refused {
		fmt.Fprintf(w, "  refused %s: %s\n", v.header, v.refused)
	}
	for _, v := range o.broken {
		fmt.Fprintf(w, "  not Go %s: %s\n", v.header, v.broken)
	}
	for _, v := range o.failures {
		fmt.Fprintf(w, "  failed %s: %v\n", v.header, v.failure)
	}
	for _, v := range o.wrong {
		fmt.Fprintf(w, "  wrong %s: %d: %s\n", v.header, len(v.wrong), strings.Join(v.wrong[:min(len(v.wrong), 8)], "\n    "))
	}
}
