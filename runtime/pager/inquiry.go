package pager

import (
	"sort"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// An inquiry asks the kernel what is registered: UFFDIO_COPY looks at its destination
// before it looks at its source, which is unreadable.
type inquiry struct {
	unreadable []byte
	asked      int
}

// maxAsked bounds how often the kernel is asked of a child while its parent waits. It
// answers 300 times in a millisecond.
const maxAsked = 1 << 14

// newInquiry returns one for ranges of up to n bytes.
func newInquiry(n uint64) (*inquiry, error) {
	unreadable, err := unix.Mmap(-1, 0, int(n), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	return &inquiry{unreadable: unreadable}, err
}

func (q *inquiry) close() { unix.Munmap(q.unreadable) }

// ask asks for a copy to r, and returns why it is not made.
func (q *inquiry) ask(p *Pager, r userfaultfd.Range, mode userfaultfd.CopyMode) unix.Errno {
	q.asked++
	_, err := p.file.Copy(r.Start, q.unreadable[:r.Len], userfaultfd.CopyDontWake|mode)
	return cause(err)
}

// isRegistered reports whether memory at addr is.
func (q *inquiry) isRegistered(p *Pager, addr uint64) (bool, outcome) {
	switch q.ask(p, userfaultfd.Range{Start: addr, Len: uint64(p.systemPage)}, 0) {
	case unix.EAGAIN:
		return false, changing
	case unix.ESRCH:
		return false, gone
	case unix.ENOENT:
		return false, done
	}
	return true, done // EINVAL if it is a huge page
}

// isMapping reports whether r is registered and in one mapping.
func (q *inquiry) isMapping(p *Pager, r userfaultfd.Range) (bool, outcome) {
	switch q.ask(p, r, 0) {
	case unix.EAGAIN:
		return false, changing
	case unix.ENOENT, unix.ESRCH, unix.EINVAL, unix.EIO:
		return false, done
	}
	return true, done
}

// mappingLen returns how much of r is registered and in one mapping, from its first
// page on.
func (q *inquiry) mappingLen(p *Pager, r userfaultfd.Range, pageSize uint64) (n uint64, out outcome) {
	one, out := q.isMapping(p, r)
	if one {
		return r.Len, done
	}
	pages := sort.Search(int(r.Len/pageSize)-1, func(i int) bool {
		if out != done {
			return true
		}
		one, out = q.isMapping(p, userfaultfd.Range{Start: r.Start, Len: uint64(i+1) * pageSize})
		return !one
	})
	return uint64(pages) * pageSize, out
}

// mappingLen is that of an inquiry of its own.
func (p *Pager) mappingLen(r userfaultfd.Range, pageSize uint64) (n uint64, out outcome) {
	if r.Len == 0 {
		return 0, done
	}
	q, err := newInquiry(r.Len)
	if err != nil {
		return 0, failed
	}
	defer q.close()
	return q.mappingLen(p, r, pageSize)
}
