package main

import (
	"fmt"
	"io"
	"slices"
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
	found                           map[finding][]*verdict
	facts, ioctls, omitted          int
	times                           []time.Duration // of a run for each header
	total, together                 time.Duration   // of these, and of a run for all
	largest                         verdict         // by memory
}

func (o *outcome) add(v *verdict) {
	o.found[v.finding] = append(o.found[v.finding], v)
	o.facts += v.facts
	o.ioctls += v.ioctls
	o.omitted += v.omitted
	o.times = append(o.times, v.time)
	o.total += v.time
	if v.megabytes > o.largest.megabytes {
		o.largest = *v
	}
}

// count returns how many headers came to this.
func (o *outcome) count(f finding) int { return len(o.found[f]) }

// failed returns what the outcome must not have.
func (o *outcome) failed() error {
	switch {
	case o.count(wrong)+o.count(notGo) > 0:
		return fmt.Errorf("linux %s, %s: %d headers wrong, %d whose Go does not compile", o.release, o.arch, o.count(wrong), o.count(notGo))
	case o.count(refused) > maxRefused:
		return fmt.Errorf("linux %s, %s: %d headers refused", o.release, o.arch, o.count(refused))
	case o.largest.megabytes > maxMegabytes:
		return fmt.Errorf("linux %s, %s: %s took %.0f MiB", o.release, o.arch, o.largest.header, o.largest.megabytes)
	}
	return nil
}

func (o *outcome) print(w io.Writer) {
	slices.Sort(o.times)
	var median, longest time.Duration
	if n := len(o.times); n > 0 {
		median, longest = o.times[n/2], o.times[n-1]
	}
	fmt.Fprintf(w, "linux %s %s: %d headers: %d right, %d wrong, %d not Go, %d refused; %d facts, %d ioctls, %d left out; generator %v in all, median %v, longest %v, %.0f MiB; all in one run %v\n",
		o.release, o.arch, len(o.times), o.count(right), o.count(wrong), o.count(notGo), o.count(refused), o.facts, o.ioctls, o.omitted,
		o.total.Round(time.Millisecond), median.Round(100*time.Microsecond), longest.Round(time.Millisecond), o.largest.megabytes, o.together.Round(10*time.Millisecond))
	for _, f := range []finding{refused, notGo, wrong} {
		for _, v := range o.found[f] {
			fmt.Fprintf(w, "  %s %s: %s\n", f, v.header, v.why)
		}
	}
}
