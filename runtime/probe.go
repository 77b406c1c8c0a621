package userfaultfd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// Support is what the running kernel lets this process do.
type Support struct {
	Kernel   string   // its release, as uname -r prints it
	PageSize int      // bytes
	Features Features // all that the kernel has; empty where no way to open works
	Ioctls   Ioctls   // the operations apart from those on ranges
	Ways     []Way    // how a userfaultfd may be opened
	Ranges   []RangeSupport
	Sysctl   string // vm.unprivileged_userfaultfd: "0" or "1"; empty before Linux 5.2
}

// A Way is a way to open a userfaultfd.
type Way struct {
	Method       Method
	UserModeOnly bool
	Err          error // nil where it works, else why it does not
}

// RangeSupport is what works on one kind of memory in one mode.
type RangeSupport struct {
	Memory   Memory
	PageSize int // bytes
	Mode     RegisterMode
	Ioctls   Ioctls
	Err      error // nil where such memory can be registered in this mode
}

// Probe asks the kernel what it has. It opens userfaultfds and maps and
// registers a page of each kind of memory, and leaves nothing behind. What
// does not work is told in the value; the error is for a machine on which
// nothing could be asked at all.
func Probe() (*Support, error) {
	s := &Support{Kernel: kernelRelease(), PageSize: os.Getpagesize()}
	if v, err := os.ReadFile(unprivilegedSysctl); err == nil {
		s.Sysctl = strings.TrimSpace(string(v))
	}
	var best *Config
	for _, userModeOnly := range []bool{false, true} {
		for _, method := range []Method{Syscall, Device} {
			c := Config{Method: method, UserModeOnly: userModeOnly}
			api, _, err := ask(c)
			s.Ways = append(s.Ways, Way{method, userModeOnly, err})
			if err == nil && best == nil {
				best = &c
				s.Features, s.Ioctls = Features(api.Features), Ioctls(api.Ioctls)
			}
		}
	}
	if best == nil {
		_, _, err := ask(Config{UserModeOnly: true})
		return s, err
	}
	for memory := range Memory(len(memoryNames)) {
		s.Ranges = append(s.Ranges, probeMemory(*best, s.Features, memory)...)
	}
	return s, nil
}

// modeFeatures are the features without which a mode is not to be had.
var modeFeatures = []struct {
	mode     RegisterMode
	features Features
}{
	{RegisterMissing, 0},
	{RegisterWP, FeaturePagefaultFlagWP},
	{RegisterMinor, 0},
	{RegisterRWP, FeatureRWP},
}

// probeMemory registers a page of memory in each mode.
func probeMemory(c Config, kernel Features, memory Memory) []RangeSupport {
	var all []RangeSupport
	for _, m := range modeFeatures {
		s := RangeSupport{Memory: memory, Mode: m.mode}
		s.PageSize, s.Ioctls, s.Err = probeRange(c, kernel, memory, m.mode, m.features)
		all = append(all, s)
	}
	return all
}

func probeRange(c Config, kernel Features, memory Memory, mode RegisterMode, needs Features) (pageSize int, ioctls Ioctls, err error) {
	if missing := needs &^ kernel; missing != 0 {
		return 0, 0, unsupported(missing)
	}
	// Some modes work on some memory only when their feature was asked for;
	// what depends on privilege or changes the delivery of faults stays out.
	c.Optional = FeatureMissingHugetlbfs | FeatureMissingShmem | FeatureMinorHugetlbfs | FeatureMinorShmem |
		FeaturePagefaultFlagWP | FeatureWPHugetlbfsShmem | FeaturePoison | FeatureMove | FeatureRWP
	f, err := Open(c)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	size := os.Getpagesize()
	if memory.huge() {
		size = defaultHugePageSize()
	}
	m, err := Map(memory, size, 0)
	if err != nil {
		return 0, 0, err
	}
	defer m.Close()
	ioctls, err = f.Register(m.Range(), mode)
	return m.PageSize(), ioctls, err
}

// WriteTable writes s for people to read.
func (s *Support) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "Linux %s, pages of %d bytes\n\n", s.Kernel, s.PageSize)
	for bit := range 64 {
		f := Features(1) << bit
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
	var missing *UnsupportedError
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
