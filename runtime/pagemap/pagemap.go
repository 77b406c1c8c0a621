// Package pagemap scans the page tables of a process for the pages that were
// written, accessed, or are in memory (PAGEMAP_SCAN, since Linux 6.7).
//
// Together with a userfaultfd's asynchronous protection it is dirty tracking
// that costs no message: protect a range once, walk over what was written and
// protect that again in the same step, as often as is wanted.
//
//	f.WriteProtect(r)
//	...
//	for region, err := range p.Walk(pagemap.Written(r, true), buf) {
//		if err != nil {
//			return err
//		}
//		save(region.Range())
//	}
//
// For some mixes of categories, kernels have answered wrongly about huge pages:
// ask for one at a time where that matters.
package pagemap

import (
	"runtime"
	"strconv"
	"unsafe"

	"github.com/zuffd/uffd"
	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"golang.org/x/sys/unix"
)

// A Pagemap is a process's page tables, as /proc/PID/pagemap lets them be
// scanned (PAGEMAP_SCAN, since Linux 6.7). With memory registered for
// asynchronous protection, a scan tells which pages were written
// (FeatureWPAsync), or accessed (FeatureRWPAsync, since Linux 7.3), since the
// protection was last put in place.
type Pagemap struct{ fd sys.FD }

// Open opens the page tables of a process, or of this one if pid is 0.
// Scanning another process takes the permission to trace it.
func Open(pid int) (*Pagemap, error) {
	name := "/proc/self/pagemap"
	if pid != 0 {
		name = "/proc/" + strconv.Itoa(pid) + "/pagemap"
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &userfaultfd.Error{Op: "open " + name, Err: err}
	}
	p := new(Pagemap)
	p.fd.Open(fd, name)
	return p, nil
}

// Close closes the descriptor. It waits for scans that are under way.
func (p *Pagemap) Close() error {
	if err := p.fd.Close(); err != nil {
		return &userfaultfd.Error{Op: "close", Err: err}
	}
	return nil
}

// Scan scans page tables once, until the end of the range, until regions is
// full or until s.MaxPages have matched. It returns the number of regions
// and where it stopped: a scan of the rest begins there, unless that is the
// end of the range. It does not allocate. With an empty regions it reports
// nothing, and only protects. Of a process that has exited there is nothing
// to find; that this is unix.ESRCH cannot be relied on.
//
// With an error, too, a scan that protects returns the regions that it found
// before: their pages are protected already, and no later scan will tell of
// them.
//
// Errors: unix.EPERM (see CheckWPAsync), unix.EINVAL (alignment, unknown flags
// or categories), unix.EFAULT, unix.ENOMEM, unix.ESRCH;
// [userfaultfd.UnsupportedError] before Linux 6.7. See PAGEMAP_SCAN(2const).
func (p *Pagemap) Scan(s *Scan, regions []Region) (n int, next uint64, err error) {
	if err := p.fd.Acquire(); err != nil {
		return 0, s.Range.Start, &userfaultfd.Error{Op: "PAGEMAP_SCAN", Range: s.Range, Err: err}
	}
	defer p.fd.Release()
	arg := uffd.PmScanArg{
		Size:                uint64(unsafe.Sizeof(uffd.PmScanArg{})),
		Flags:               uint64(s.Flags),
		Start:               s.Range.Start,
		End:                 s.Range.End(),
		Vec:                 sys.Address(regions),
		Vec_len:             uint64(len(regions)),
		Max_pages:           s.MaxPages,
		Category_inverted:   uint64(s.Inverted),
		Category_mask:       uint64(s.Mask),
		Category_anyof_mask: uint64(s.AnyOf),
		Return_mask:         uint64(s.Return),
	}
	if s.Flags&WPMatching != 0 {
		clear(regions) // so that those written before an error can be told
	}
	got, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd.Int), uffd.PAGEMAP_SCAN, uintptr(unsafe.Pointer(&arg)))
	runtime.KeepAlive(regions)
	switch errno {
	case 0:
		return int(got), arg.Walk_end, nil
	case unix.ENOTTY:
		return 0, s.Range.Start, &userfaultfd.UnsupportedError{Name: "PAGEMAP_SCAN", Since: "6.7"}
	}
	next = s.Range.Start
	if s.Flags&WPMatching != 0 {
		for n < len(regions) && regions[n].raw.End != 0 {
			next = regions[n].raw.End
			n++
		}
	}
	return n, next, &userfaultfd.Error{Op: "PAGEMAP_SCAN", Range: s.Range, Err: errno}
}
