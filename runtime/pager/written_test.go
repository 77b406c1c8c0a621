package pager

import (
	"fmt"
	"strings"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/pagemap"
)

func TestWrittenPagesAreTold(t *testing.T) {
	for _, test := range []struct {
		name    string
		feature userfaultfd.Features
	}{
		{"by the kernel", userfaultfd.FeatureWPAsync | userfaultfd.FeaturePagefaultFlagWP},
		{"by faults", userfaultfd.FeaturePagefaultFlagWP},
	} {
		for _, lends := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, content lent %v", test.name, lends), func(t *testing.T) {
				s := startServed(t, "anonymous", 64, allEvents|test.feature, missing|userfaultfd.RegisterWP)
				cfg := Config{Regions: s.region(pattern{}), TrackWrites: true}
				if lends {
					cfg.Regions = s.region(newLending(int(s.memory.Range.Len)))
				}
				p := s.serve(cfg)
				var m *pagemap.Pagemap
				if test.feature&userfaultfd.FeatureWPAsync != 0 {
					var err error
					if m, err = pagemap.Open(s.cmd.Process.Pid); err != nil {
						t.Fatal(err)
					}
					defer m.Close()
				}
				written := func(reset bool) string {
					var all []string
					for r, err := range p.Written(m, reset) {
						if err != nil {
							t.Fatal(err)
						}
						size := uint64(s.memory.PageSize)
						all = append(all, fmt.Sprintf("%d+%d", (r.Start-s.memory.Range.Start)/size, r.Len/size))
					}
					return strings.Join(all, " ")
				}
				want := func(what string, reset bool) {
					t.Helper()
					if got := written(reset); got != what {
						t.Errorf("written are %q, want %q", got, what)
					}
				}
				s.do("read 0 8")
				want("", true)
				s.want("ok", "write 2 1099511627776")
				s.want("ok", "write 3 1099511627776")
				s.want("ok", "write 20 1099511627776") // was not there
				want("2+2 20+1", false)
				want("2+2 20+1", true)
				want("", true)
				s.want("ok", "write 3 1099511627776")
				s.want("ok", "discard 5 1")
				want("3+1 5+1", true)
				s.want("zero", "read 5 1")
				want("", true)
				s.want("1099511627776", "read 3 1")
			})
		}
	}
}

// Each page would be poisoned, as none can be installed write-protected.
func TestWrittenTakesMemoryThatCanBeProtected(t *testing.T) {
	s := startServed(t, "anonymous", 8, allEvents|userfaultfd.FeaturePagefaultFlagWP, missing)
	if _, err := New(s.file, Config{Regions: s.region(pattern{}), TrackWrites: true, NoPoison: LeaveWaiting}); err == nil || !strings.Contains(err.Error(), "RegisterWP") {
		t.Errorf("New: %v", err)
	}
}

// Older kernels protect one mapping at a time, and say of several what they say of none.
func TestWrittenPagesOfSeveralMappings(t *testing.T) {
	s := startServed(t, "anonymous", 8, allEvents|userfaultfd.FeaturePagefaultFlagWP, missing|userfaultfd.RegisterWP)
	p := s.serve(Config{Regions: s.region(pattern{}), TrackWrites: true})
	for page := range 6 {
		s.want("ok", "write %d 1", page)
	}
	s.want("ok", "protect 2 1")
	want := userfaultfd.Range{Start: s.memory.Range.Start, Len: 6 * uint64(s.memory.PageSize)}
	for _, n := range []int{1, 0} {
		for r, err := range p.Written(nil, true) {
			if n--; err != nil || r != want {
				t.Errorf("written is %v, %v; want %v", r, err, want)
			}
		}
		if n != 0 {
			t.Errorf("%d ranges too few", n)
		}
	}
}

// While an event waits to be read, the kernel protects nothing.
func TestWrittenWhileTheProcessDiscards(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents|userfaultfd.FeaturePagefaultFlagWP, missing|userfaultfd.RegisterWP)
	p := s.serve(Config{Regions: s.region(pattern{}), TrackWrites: true})
	s.want("0", "read 0 1")
	for range 100 {
		discarded := s.begin("discard 1 1")
		for range 100 {
			p.space.segments[0].b.written.set(0, 1, true)
			for _, err := range p.Written(nil, true) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		s.result(discarded, "discard")
	}
}
