package probe_test

import (
	"os"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"github.com/zuffd/uffd/runtime/probe"
)

func TestProbe(t *testing.T) {
	kernel := uffdtest.Everything(t)
	uffdtest.ReserveHugePages(t)
	before := uffdtest.Descriptors()
	s, err := probe.Kernel()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("leaves nothing behind", func(t *testing.T) {
		if after := uffdtest.Descriptors(); after != before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
	t.Run("tells what the kernel has", func(t *testing.T) {
		if s.Features&^userfaultfd.FeatureSigbus != kernel || s.Kernel != sys.Release() || s.PageSize != os.Getpagesize() {
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
				uffdtest.SkipUnsupported(t, r.Err)
				needs := uffdtest.Missing(r.Memory)
				switch r.Mode {
				case userfaultfd.RegisterWP:
					needs |= uffdtest.Protectable(r.Memory)
				case userfaultfd.RegisterMinor:
					needs |= uffdtest.Minor(r.Memory)
				}
				works := kernel&needs == needs && (r.Memory != memory.Anonymous || r.Mode != userfaultfd.RegisterMinor)
				if memory.PageSize(r.Memory) == 0 {
					works = false
				}
				if works != (r.Err == nil) {
					t.Fatalf("%v; want it to work: %v", r.Err, works)
				}
				if want := uffdtest.OperationsOn(r.Memory, r.Mode, kernel); works && r.Ioctls != want {
					t.Errorf("operations %v, want %v", r.Ioctls, want)
				}
			})
		}
	})
}
