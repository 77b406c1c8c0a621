package userfaultfd_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
)

func TestProbe(t *testing.T) {
	kernel := everything(t)
	reserveHugePages(t)
	before := descriptors()
	s, err := userfaultfd.Probe()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("leaves nothing behind", func(t *testing.T) {
		if after := descriptors(); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
	t.Run("tells what the kernel has", func(t *testing.T) {
		if s.Features&^userfaultfd.FeatureSigbus != kernel || s.Kernel != userfaultfd.KernelRelease() || s.PageSize != os.Getpagesize() {
			t.Errorf("got %v of Linux %s, want %v", s.Features, s.Kernel, kernel)
		}
		const always = userfaultfd.IoctlRegister | userfaultfd.IoctlUnregister | userfaultfd.IoctlAPI
		if s.Ioctls&always != always {
			t.Errorf("operations %v", s.Ioctls)
		}
	})
	t.Run("tells the ways to open", func(t *testing.T) {
		if len(s.Ways) != 4 {
			t.Fatalf("%d ways, want 4", len(s.Ways))
		}
		for _, w := range s.Ways {
			f, err := userfaultfd.Open(userfaultfd.Config{Method: w.Method, UserModeOnly: w.UserModeOnly})
			if err == nil {
				f.Close()
			}
			if (err == nil) != (w.Err == nil) {
				t.Errorf("%v, user mode only %v: the probe says %v, Open %v", w.Method, w.UserModeOnly, w.Err, err)
			}
		}
	})
	t.Run("tells what works on which memory", func(t *testing.T) {
		if len(s.Ranges) != 4*4 {
			t.Fatalf("%d combinations, want 16", len(s.Ranges))
		}
		for _, r := range s.Ranges {
			t.Run(r.Memory.String()+" as "+r.Mode.String(), func(t *testing.T) {
				skipUnsupported(t, r.Err)
				needs := missing(r.Memory)
				switch r.Mode {
				case userfaultfd.RegisterWP:
					needs |= protectable(r.Memory)
				case userfaultfd.RegisterMinor:
					needs |= minor(r.Memory)
				}
				works := kernel&needs == needs && (r.Memory != userfaultfd.Anonymous || r.Mode != userfaultfd.RegisterMinor)
				if pageSize(r.Memory) == 0 {
					works = false
				}
				if works != (r.Err == nil) {
					t.Fatalf("%v; want it to work: %v", r.Err, works)
				}
				if want := operationsOn(r.Memory, r.Mode, kernel); works && r.Ioctls != want {
					t.Errorf("operations %v, want %v", r.Ioctls, want)
				}
			})
		}
	})
	t.Run("writes a table", func(t *testing.T) {
		var b strings.Builder
		if err := s.WriteTable(&b); err != nil {
			t.Fatal(err)
		}
		for _, w := range []string{"Linux " + s.Kernel, "EVENT_FORK", "since Linux 4.11", "system call", "anonymous"} {
			if !strings.Contains(b.String(), w) {
				t.Errorf("it does not say %q:\n%s", w, &b)
			}
		}
		if err := s.WriteTable(brokenWriter{}); !errors.Is(err, errBroken) {
			t.Errorf("to a broken writer: %v", err)
		}
	})
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }
