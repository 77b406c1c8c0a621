// Package probe asks the running kernel what its userfaultfd can do, for this
// process: the features, the ways to open one, and what works on which kind of
// memory. The command uffdprobe prints it.
package probe

import (
	"os"
	"strings"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"github.com/zuffd/uffd/runtime/memory"
)

// Support is what the running kernel lets this process do.
type Support struct {
	Kernel   string               // its release, as uname -r prints it
	PageSize int                  // bytes
	Features userfaultfd.Features // all that the kernel has; empty where no way to open works
	Ioctls   userfaultfd.Ioctls   // the operations apart from those on ranges
	Ways     []Way                // how a userfaultfd may be opened
	Ranges   []RangeSupport
	Sysctl   string // vm.unprivileged_userfaultfd: "0" or "1"; empty before Linux 5.2
}

// A Way is a way to open a userfaultfd.
type Way struct {
	Method       userfaultfd.Method
	UserModeOnly bool
	Err          error // nil where it works, else why it does not
}

// RangeSupport is what works on one kind of memory in one mode.
type RangeSupport struct {
	Memory   memory.Kind
	PageSize int // bytes
	Mode     userfaultfd.RegisterMode
	Ioctls   userfaultfd.Ioctls
	Err      error // nil where such memory can be registered in this mode
}

// Kernel asks the running kernel. It opens userfaultfds and maps and registers
// a page of each kind of memory, and leaves nothing behind. What does not work
// is told in the value; the error is for a machine on which no userfaultfd can
// be opened at all.
func Kernel() (*Support, error) {
	s := &Support{Kernel: sys.Release(), PageSize: os.Getpagesize()}
	if v, err := os.ReadFile("/proc/sys/vm/unprivileged_userfaultfd"); err == nil {
		s.Sysctl = strings.TrimSpace(string(v))
	}
	var best *userfaultfd.Config
	for _, userModeOnly := range []bool{false, true} {
		for _, method := range []userfaultfd.Method{userfaultfd.Syscall, userfaultfd.Device} {
			c := userfaultfd.Config{Method: method, UserModeOnly: userModeOnly}
			features, ioctls, err := userfaultfd.Available(c)
			s.Ways = append(s.Ways, Way{method, userModeOnly, err})
			if err == nil && best == nil {
				best, s.Features, s.Ioctls = &c, features, ioctls
			}
		}
	}
	if best == nil {
		_, _, err := userfaultfd.Available(userfaultfd.Config{UserModeOnly: true})
		return s, err
	}
	for kind := range memory.HugetlbShared + 1 {
		for _, m := range modes {
			r := RangeSupport{Memory: kind, Mode: m.mode}
			r.PageSize, r.Ioctls, r.Err = register(*best, kind, m.mode, m.needs)
			s.Ranges = append(s.Ranges, r)
		}
	}
	return s, nil
}

// modes are the modes to register in, and the features without which each is
// not to be had.
var modes = []struct {
	mode  userfaultfd.RegisterMode
	needs userfaultfd.Features
}{
	{userfaultfd.RegisterMissing, 0},
	{userfaultfd.RegisterWP, userfaultfd.FeaturePagefaultFlagWP},
	{userfaultfd.RegisterMinor, 0},
	{userfaultfd.RegisterRWP, userfaultfd.FeatureRWP},
}

// register registers a page of memory.
func register(c userfaultfd.Config, kind memory.Kind, mode userfaultfd.RegisterMode, needs userfaultfd.Features) (pageSize int, ioctls userfaultfd.Ioctls, err error) {
	// Some modes work on some memory only when their feature was asked for;
	// what depends on privilege or changes the delivery of faults stays out.
	c.Features = needs
	c.Optional = userfaultfd.FeatureMissingHugetlbfs | userfaultfd.FeatureMissingShmem |
		userfaultfd.FeatureMinorHugetlbfs | userfaultfd.FeatureMinorShmem |
		userfaultfd.FeaturePagefaultFlagWP | userfaultfd.FeatureWPHugetlbfsShmem |
		userfaultfd.FeaturePoison | userfaultfd.FeatureMove | userfaultfd.FeatureRWP
	f, err := userfaultfd.Open(c)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	m, err := memory.Map(kind, memory.PageSize(kind), 0)
	if err != nil {
		return 0, 0, err
	}
	defer m.Close()
	ioctls, err = f.Register(m.Range(), mode)
	return m.PageSize(), ioctls, err
}
