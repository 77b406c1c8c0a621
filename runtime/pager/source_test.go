package pager

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

func TestAFileIsMappedAndItsHolesAreZeros(t *testing.T) {
	size := os.Getpagesize()
	f, err := os.CreateTemp("/dev/shm", "")
	if err != nil {
		t.Skip(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, size)
	for _, i := range []int{1, 2, 9} {
		pattern{}.ReadAt(page, int64(i*size))
		if _, err := f.WriteAt(page, int64(i*size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Truncate(int64(16 * size)); err != nil {
		t.Fatal(err)
	}
	f.Seek(5, 0)
	s := startServed(t, "anonymous", 16, allEvents, missing)
	p := s.serve(Config{Regions: s.region(f), Readahead: Readahead{16 * size, 16 * size}})
	want := "zero " + offsets(size, 2*size) + " zero zero zero zero zero zero " + offsets(9*size) + " zero zero zero zero zero zero"
	s.want(want, "read 0 16")
	wantStats(t, p, func(got Stats) bool {
		return !(got.Copied != uint64(3*size) || got.Zeroed != uint64(13*size) || got.Reads != 0)
	})
	if at, _ := f.Seek(0, 1); at != 5 {
		t.Errorf("the file's position was moved to %d", at)
	}
}

func TestAFileThatIsNotInThePageCacheIsRead(t *testing.T) {
	f := tempFile(t, 64)
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	m, err := MapFile(f)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Lend(0, os.Getpagesize()) != nil {
		t.Skip("the file system keeps its files in memory")
	}
	s := startServed(t, "anonymous", 64, allEvents, missing)
	p := s.serve(Config{Regions: s.region(m)})
	for i := range 64 {
		s.want(offsets(i*os.Getpagesize()), "read %d 1", i)
	}
	if got := p.Stats().Reads; got == 0 || got == 64 {
		t.Errorf("%d reads, want some: the kernel reads ahead", got)
	}
}

func TestPagesOfAMemfdArePutInPlace(t *testing.T) {
	s := startServed(t, "shmem", 16, allEvents|userfaultfd.FeatureMinorShmem, missing|userfaultfd.RegisterMinor)
	size := s.memory.PageSize
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/%d", s.cmd.Process.Pid, s.memfd), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, size)
	for _, i := range []int{0, 1, 2, 3, 5} {
		pattern{}.ReadAt(page, int64(i*size))
		if _, err := f.WriteAt(page, int64(i*size)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Memfd(f)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	p := s.serve(Config{Regions: s.region(m), Readahead: Readahead{16 * size, 16 * size}})
	s.want(offsets(0, size, 2*size, 3*size)+" zero "+offsets(5*size)+" zero zero", "read 0 8")
	wantStats(t, p, func(got Stats) bool { return got.Continued == uint64(5*size) && got.Copied == 0 && got.Reads == 0 })
	s.want("ok", "discard 0 2") // takes it out of the page table only
	s.want(offsets(0, size), "read 0 2")
	s.want("ok", "punch 1 1")
	s.want(offsets(0)+" zero "+offsets(2*size), "read 0 3")
	s.want("ok", "fork none")
	s.want(offsets(0)+" zero "+offsets(2*size), "fork read 0 3")
}

// A hole is zeros; what is not in the file is nothing.
func TestAFileThatIsShorterThanItsRegion(t *testing.T) {
	s := startServed(t, "anonymous", 8, allEvents, missing)
	for _, pages := range []int{4, 0} {
		_, err := New(s.file, Config{Regions: s.region(tempFile(t, pages)), NoPoison: LeaveWaiting})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("the file has %d bytes", pages*os.Getpagesize())) {
			t.Errorf("New with a file of %d pages for 8: %v", pages, err)
		}
	}
}

// Whoever opens a named pipe waits for who writes to it.
func TestAPipeIsNotMapped(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	pipe := os.NewFile(uintptr(fd), "pipe")
	defer pipe.Close()
	said := make(chan error, 2)
	go func() {
		_, err := MapFile(pipe)
		said <- err
		_, err = Memfd(pipe)
		said <- err
	}()
	for range 2 {
		select {
		case err := <-said:
			if err == nil {
				t.Error("no error")
			}
		case <-time.After(deadline):
			t.Fatal("it waits")
		}
	}
}

// sparse is a source whose data is somewhere.
type sparse struct {
	pattern
	nextData func(off int64) (start, end int64, err error)
}

func (s sparse) NextData(off int64) (start, end int64, err error) { return s.nextData(off) }

func TestASourceThatHasDataForEver(t *testing.T) {
	for name, next := range map[string]func(off int64) (int64, int64, error){
		"in one extent": func(off int64) (int64, int64, error) { return off, math.MaxInt64, nil },
		"in many":       func(off int64) (int64, int64, error) { return off, off + 4096, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := startServed(t, "anonymous", 2, allEvents, missing)
			regions := s.region(&sparse{nextData: next})
			made := make(chan struct{})
			go func() {
				defer close(made)
				s.serve(Config{Regions: regions})
			}()
			select {
			case <-made:
			case <-time.After(deadline):
				t.Fatal("New does not return")
			}
			s.want(offsets(0, s.memory.PageSize), "read 0 2")
		})
	}
}

func TestASourceThatCannotBeCompared(t *testing.T) {
	s := startServed(t, "anonymous", 2, allEvents, missing)
	s.serve(Config{Regions: s.region(struct{ io.ReaderAt }{sourceFunc(pattern{}.ReadAt)})})
	s.want(offsets(0, s.memory.PageSize), "read 0 2")
}

// panics is a source that does not lend as it should.
type panics struct{ pattern }

func (panics) Lend(off int64, n int) []byte { panic("a panic that a test wants") }

func TestASourceThatPanicsWhereItIsToLendIsRead(t *testing.T) {
	s := startServed(t, "anonymous", 4, allEvents, missing)
	p := s.serve(Config{Regions: s.region(panics{})})
	s.want(offsets(0, s.memory.PageSize), "read 0 2")
	if err := p.Populate(t.Context()); err != nil {
		t.Error(err)
	}
	s.want(offsets(2*s.memory.PageSize, 3*s.memory.PageSize), "read 2 2")
}

func TestSeveralRegionsOfOneSource(t *testing.T) {
	s := startServed(t, "anonymous", 16, allEvents, missing)
	size := s.memory.PageSize
	at := func(page, pages int, offset int) Region {
		return Region{
			Range:  userfaultfd.Range{Start: s.memory.Range.Start + uint64(page*size), Len: uint64(pages * size)},
			Source: pattern{}, Offset: int64(offset * size),
		}
	}
	regions := []Region{at(0, 4, 100), at(8, 8, 4), at(4, 4, 50)}
	regions[2].Source = nil
	s.serve(Config{Regions: regions})
	s.want(offsets(102*size, 103*size)+" zero zero", "read 2 4")
	s.want("zero "+offsets(4*size, 5*size), "read 7 3")
}

func TestRegionsThatAreWrong(t *testing.T) {
	size := uint64(os.Getpagesize())
	r := func(start, length uint64) userfaultfd.Range { return userfaultfd.Range{Start: start, Len: length} }
	f, err := userfaultfd.Open(userfaultfd.Config{Optional: userfaultfd.FeaturePoison})
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	for name, regions := range map[string][]Region{
		"none":              nil,
		"empty":             {{}},
		"not aligned":       {{Range: r(size+1, size)}},
		"not in pages":      {{Range: r(size, size+1)}},
		"no end":            {{Range: r(-size, 2*size)}},
		"small pages":       {{Range: r(size, size), PageSize: 512}},
		"odd pages":         {{Range: r(size, size), PageSize: 3 * int(size)}},
		"negative pages":    {{Range: r(size, size), PageSize: -1}},
		"a negative offset": {{Range: r(size, size), Offset: -1}},
		"overlapping":       {{Range: r(size, 2*size)}, {Range: r(2*size, size)}},
		"too many pages":    {{Range: r(0, 1<<63)}},
		"pages for all":     {{Range: r(0, size<<40)}},
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := newPager(f, Config{Regions: regions, NoPoison: LeaveWaiting}); err == nil {
				t.Errorf("New made %+v", p.space)
			}
		})
	}
}

// Nothing could be installed, and nothing poisoned.
func TestAPageSizeThatIsNotTheMemorys(t *testing.T) {
	small, huge := os.Getpagesize(), memory.PageSize(memory.Hugetlb)
	if huge == 0 {
		t.Skip("hugetlb: no huge pages")
	}
	for _, test := range []struct {
		kind  string
		size  int
		right bool
	}{
		{"anonymous", small, true}, {"anonymous", huge, false}, {"anonymous", 2 * small, false}, {"shmem", huge, false},
		{"hugetlb", huge, true}, {"hugetlb", small, false}, {"hugetlb", 2 * huge, false}, {"hugetlb-shared", huge / 2, false},
	} {
		t.Run(fmt.Sprintf("%d for %s", test.size, test.kind), func(t *testing.T) {
			pages := 4
			if strings.HasPrefix(test.kind, "hugetlb") {
				needHugePages(t, pages)
			} else {
				pages = 2 * huge / small
			}
			s := startServed(t, test.kind, pages, allEvents, missing)
			regions := s.region(pattern{})
			r := &regions[0].Range
			start := (r.Start + uint64(test.size) - 1) &^ uint64(test.size-1)
			*r = userfaultfd.Range{Start: start, Len: (r.End() - start) &^ uint64(test.size-1)}
			regions[0].PageSize = test.size
			p, err := New(s.file, Config{Regions: regions, NoPoison: LeaveWaiting})
			if err == nil {
				p.Close()
			}
			switch {
			case !test.right && (err == nil || !strings.Contains(err.Error(), "PageSize")):
				t.Errorf("New: %v", err)
			case test.right && err != nil:
				t.Errorf("New: %v", err)
			}
		})
	}
}

// mincore(2) tells nobody else what is in memory of a file.
func TestAnothersFileThatIsNotInThePageCacheIsNotLent(t *testing.T) {
	f := tempFile(t, 64)
	if os.Getuid() != 0 {
		t.Skip("takes root, to own a file that another reads")
	}
	if err := errors.Join(f.Chmod(0o444), f.Sync()); err != nil {
		t.Fatal(err)
	}
	var said string
	// To ask has the kernel read ahead, and on a busy machine that may be done before it
	// answers. Then the page is in memory, and is lent.
	for range 10 {
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			t.Fatal(err)
		}
		cmd := uffdtest.Child(t, "lender")
		cmd.ExtraFiles = []*os.File{f}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		switch said = string(out); said {
		case "lent, mincore true":
			t.Skip("the file system keeps its files in memory")
		case "not lent":
			return
		case "mincore is trusted":
			t.Fatal(said)
		}
	}
	t.Errorf("the child says, each time: %s", said)
}

func init() {
	uffdtest.Children["lender"] = func([]string) error {
		owners, err := MapFile(os.NewFile(3, "file"))
		if err != nil {
			return err
		}
		resident := owners.Lend(0, os.Getpagesize()) != nil
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
		m, err := MapFile(os.NewFile(3, "file"))
		if err != nil {
			return err
		}
		switch page := os.Getpagesize(); {
		case m.mine:
			fmt.Print("mincore is trusted")
		case m.Lend(0, page) == nil:
			// What is read is in the cache then, and lent, where the file system can tell.
			fmt.Print("not lent")
		case resident:
			fmt.Print("lent, mincore true")
		default:
			fmt.Print("lent, though it is not in memory")
		}
		return nil
	}
}
