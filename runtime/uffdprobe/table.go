package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/probe"
	"golang.org/x/sys/unix"
)

// writeTable writes s for people to read.
func writeTable(w io.Writer, s *probe.Support) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Linux %s, pages of %d bytes\n\n", s.Kernel, s.PageSize)
	for bit := range 64 {
		f := userfaultfd.Features(1) << bit
		since := f.Since()
		if since == "" && s.Features&f == 0 {
			continue
		}
		fmt.Fprintf(t, "%v\t%s\tsince Linux %s\n", f, yes(s.Features&f != 0), orUnknown(since))
	}
	fmt.Fprintf(t, "\noperations\t%v\n\n", s.Ioctls)
	for _, way := range s.Ways {
		mode := "user and kernel faults"
		if way.UserModeOnly {
			mode = "user faults only"
		}
		fmt.Fprintf(t, "%v\t%s\t%s\n", way.Method, mode, okOr(way.Err))
	}
	if s.Sysctl != "" {
		fmt.Fprintf(t, "vm.unprivileged_userfaultfd\t%s\n", s.Sysctl)
	}
	fmt.Fprintln(t)
	for _, r := range s.Ranges {
		result := r.Ioctls.String()
		if r.Err != nil {
			result = okOr(r.Err)
		}
		fmt.Fprintf(t, "%v\t%v\t%s\n", r.Memory, r.Mode, result)
	}
	return t.Flush()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orUnknown(release string) string {
	if release == "" {
		return "?"
	}
	return release
}

// okOr returns "yes", or why not, in a few words where the cause is plain.
func okOr(err error) string {
	var missing *userfaultfd.UnsupportedError
	var errno unix.Errno
	switch {
	case err == nil:
		return "yes"
	case errors.As(err, &missing) && missing.Hint != "":
		return "no: not in this kernel, although since Linux " + orUnknown(missing.Since)
	case errors.As(err, &missing):
		return "no: since Linux " + orUnknown(missing.Since)
	case errors.As(err, &errno):
		return "no: " + unix.ErrnoName(errno)
	}
	return "no: " + err.Error()
}
