package userfaultfd_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
)

// BenchmarkIoctl measures every range operation beside the same work in C: 512
// pages of memory, operations on all of it, a reset that is not timed. Go and C
// take turns, a round each, on one CPU; what is reported is of the rounds'
// medians. A round is short, so that most end within their first time slice,
// whatever else the machine is doing.
//
// C-ns/op and ratio-to-C are of a C program with a second thread, which
// sleeps. Every Go program has several, and the kernel makes every program
// with more than one pay: each ioctl has to count its use of the file. What
// that alone costs shows in ratio-to-lone-C, the same C with one thread.
func BenchmarkIoctl(b *testing.B) {
	program := uffdtest.CompileC(b, "ioctls.c")
	for _, o := range ioctlBenches {
		for _, unit := range append([]int{1}, o.longer...) {
			b.Run(fmt.Sprintf("%s-%d", o.name, unit), func(b *testing.B) {
				const pages = 512
				memory := newBenchMemory(b, o, pages, unit)
				uffdtest.OnCPU(b, uffdtest.UsableCPUs(b)[0])
				threads := func(n string) *uffdtest.Peer {
					return uffdtest.StartPeer(b, program, o.name, strconv.Itoa(pages), strconv.Itoa(unit), n)
				}
				c := uffdtest.Comparison{Round: o.round(memory), Reset: o.reset(memory), C: threads("2"), Lone: threads("1")}
				c.Run(b, pages/unit)
			})
		}
	}
}

// An ioctlBench is what BenchmarkIoctl measures, in Go. ioctls.c has the same
// table.
type ioctlBench struct {
	name     string // in ioctls.c
	longer   []int  // numbers of pages, apart from 1
	features userfaultfd.Features
	mode     userfaultfd.RegisterMode
	kind     memory.Kind
	filled   bool // the memory has its pages
	round    func(*benchMemory) func(n int) error
	reset    func(*benchMemory) func(n int) error
}

// benchMemory is what an operation works on.
type benchMemory struct {
	f      *userfaultfd.File
	whole  userfaultfd.Range // registered
	other  userfaultfd.Range // pages to move from
	source []byte            // bytes to copy from
	unit   uint64            // bytes an operation
}

func newBenchMemory(b *testing.B, o ioctlBench, pages, unit int) *benchMemory {
	f := uffdtest.Open(b, o.features)
	m := uffdtest.Map(b, o.kind, pages)
	var other *memory.Mapping
	if o.kind == memory.Shmem {
		var err error
		if other, err = m.Alias(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { other.Close() })
	} else {
		other = uffdtest.Map(b, memory.Anonymous, pages)
	}
	uffdtest.Fill(other.Bytes())
	if o.filled {
		uffdtest.Fill(m.Bytes())
	}
	uffdtest.Register(b, f, m, o.mode)
	if o.name == "move" {
		uffdtest.Register(b, f, other, o.mode)
	}
	return &benchMemory{f, m.Range(), other.Range(), other.Bytes()[:unit*os.Getpagesize()], uint64(unit * os.Getpagesize())}
}

// at returns the range of operation i of a round.
func (m *benchMemory) at(i int) userfaultfd.Range {
	return userfaultfd.Range{Start: m.whole.Start + uint64(i)*m.unit, Len: m.unit}
}

// discard makes the pages missing again.
func discard(m *benchMemory) func(int) error {
	return func(int) error { return memory.Discard(m.whole) }
}

// refill gives the memory other pages. Which ones a process happens to have
// decides how well the caches hold what the kernel keeps of them: with the same
// pages throughout, ratios differ by a fifth from run to run.
func refill(m *benchMemory) func(int) error {
	return func(int) error {
		if err := memory.Discard(m.whole); err != nil {
			return err
		}
		return memory.PopulateWrite(m.whole)
	}
}

var ioctlBenches = []ioctlBench{
	{
		name: "copy", longer: []int{16, 512}, mode: userfaultfd.RegisterMissing,
		round: func(m *benchMemory) func(int) error {
			return func(n int) error {
				for i := range n {
					if _, err := m.f.Copy(m.at(i).Start, m.source, 0); err != nil {
						return err
					}
				}
				return nil
			}
		},
		reset: discard,
	},
	{
		name: "zeropage", longer: []int{512}, mode: userfaultfd.RegisterMissing,
		round: func(m *benchMemory) func(int) error {
			return func(n int) error {
				for i := range n {
					if _, err := m.f.Zeropage(m.at(i), 0); err != nil {
						return err
					}
				}
				return nil
			}
		},
		reset: discard,
	},
	{
		name: "continue", longer: []int{512}, features: userfaultfd.FeatureMinorShmem, mode: userfaultfd.RegisterMinor, kind: memory.Shmem,
		round: func(m *benchMemory) func(int) error {
			return func(n int) error {
				for i := range n {
					if _, err := m.f.Continue(m.at(i), 0); err != nil {
						return err
					}
				}
				return nil
			}
		},
		reset: discard,
	},
	{
		name: "poison", features: userfaultfd.FeaturePoison, mode: userfaultfd.RegisterMissing,
		round: func(m *benchMemory) func(int) error {
			return func(n int) error {
				for i := range n {
					if _, err := m.f.Poison(m.at(i), 0); err != nil {
						return err
					}
				}
				return nil
			}
		},
		reset: discard,
	},
	{
		name: "wake", mode: userfaultfd.RegisterMissing,
		round: func(m *benchMemory) func(int) error {
			return func(n int) error {
				for i := range n {
					if err := m.f.Wake(m.at(i)); err != nil {
						return err
					}
				}
				return nil
			}
		},
		reset: func(*benchMemory) func(int) error { return func(int) error { return nil } },
	},
	{
		name: "writeprotect", longer: []int{512}, features: userfaultfd.FeaturePagefaultFlagWP, mode: userfaultfd.RegisterWP, filled: true,
		round: func(m *benchMemory) func(int) error {
			return func(n int) error {
				for i := range n {
					if err := m.f.WriteProtect(m.at(i)); err != nil {
						return err
					}
				}
				return nil
			}
		},
		reset: refill,
	},
	{
		name: "rwprotect", longer: []int{512}, features: userfaultfd.FeatureRWP, mode: userfaultfd.RegisterRWP, filled: true,
		round: func(m *benchMemory) func(int) error {
			return func(n int) error {
				for i := range n {
					if err := m.f.RWProtect(m.at(i)); err != nil {
						return err
					}
				}
				return nil
			}
		},
		reset: refill,
	},
	{
		name: "move", longer: []int{512}, features: userfaultfd.FeatureMove, mode: userfaultfd.RegisterMissing,
		round: func(m *benchMemory) func(int) error {
			return func(n int) error {
				for i := range n {
					if _, err := m.f.Move(m.at(i).Start, m.other.Start+uint64(i)*m.unit, m.unit, 0); err != nil {
						return err
					}
				}
				return nil
			}
		},
		reset: func(m *benchMemory) func(int) error {
			return func(n int) error {
				_, err := m.f.Move(m.other.Start, m.whole.Start, uint64(n)*m.unit, 0)
				return err
			}
		},
	},
}
