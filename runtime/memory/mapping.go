package memory

import (
	"fmt"
	"math/bits"
	"os"
	"sync"
	"unsafe"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// A Mapping is memory outside Go's heap, mapped readable and writable, that
// no page has been touched of. It has to be closed; the collector does not.
type Mapping struct {
	kind     Kind
	pageSize int
	align    int
	memfd    *os.File // of shared memory
	bytes    []byte

	// whole is what is mapped: bytes, and what alignment took before and
	// after it.
	once  sync.Once
	whole []byte
}

// Map maps size bytes of a kind of memory. A pageSize of 0 is the kind's own:
// the system's page size, or the default size of huge pages. For hugetlb
// memory another one is another pool of huge pages. For other memory it is an
// alignment: a pageSize of 2 MiB is where transparent huge pages of that size
// can begin.
//
// Anonymous memory may be larger than what the machine has, since little of it
// may be filled (MAP_NORESERVE): none is set aside, unless vm.overcommit_memory
// is 2.
//
// size must be a multiple of the page size, and above zero, else the error is
// unix.EINVAL. Huge pages of a size that the kernel has not are unix.EINVAL or
// unix.ENODEV. Where the system has too few huge pages in its pool, it is
// unix.ENOMEM; see /proc/sys/vm/nr_hugepages. See mmap(2) and
// memfd_create(2).
func Map(kind Kind, size, pageSize int) (*Mapping, error) {
	system := os.Getpagesize()
	if pageSize == 0 {
		pageSize = PageSize(kind)
	}
	unit := system // what size is to be a multiple of
	if kind.huge() {
		unit = pageSize
	}
	switch {
	case kind < 0 || int(kind) >= len(kindNames):
		return nil, mapError(kind, fmt.Errorf("%w: no such kind of memory", unix.EINVAL))
	case pageSize == 0:
		return nil, mapError(kind, fmt.Errorf("%w: this kernel has no huge pages", unix.EINVAL))
	case pageSize < system || bits.OnesCount(uint(pageSize)) != 1:
		return nil, mapError(kind, fmt.Errorf("%w: a page size of %d bytes", unix.EINVAL, pageSize))
	case size <= 0 || size%unit != 0:
		return nil, mapError(kind, fmt.Errorf("%w: %d bytes are not in whole pages", unix.EINVAL, size))
	}
	m := &Mapping{kind: kind, pageSize: unit, align: pageSize}
	if kind.shared() {
		var err error
		if m.memfd, err = newMemfd(kind, size, pageSize); err != nil {
			return nil, mapError(kind, err)
		}
	}
	if err := m.mmap(size); err != nil {
		if m.memfd != nil {
			m.memfd.Close()
		}
		return nil, mapError(kind, err)
	}
	return m, nil
}

// Alias maps the memory of a shared mapping a second time. Neither the
// registrations nor the page tables are shared: what is written through the
// alias of a range registered with RegisterMinor can be put in place with
// [userfaultfd.File.Continue]. It is aligned as m is. Private memory has no alias:
// unix.EINVAL.
func (m *Mapping) Alias() (*Mapping, error) {
	if m.memfd == nil || m.bytes == nil {
		return nil, mapError(m.kind, fmt.Errorf("%w: only shared memory that is mapped has an alias", unix.EINVAL))
	}
	fd, err := unix.FcntlInt(m.memfd.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, mapError(m.kind, err)
	}
	a := &Mapping{kind: m.kind, pageSize: m.pageSize, align: m.align, memfd: os.NewFile(uintptr(fd), m.memfd.Name())}
	if err := a.mmap(len(m.bytes)); err != nil {
		a.memfd.Close()
		return nil, mapError(m.kind, err)
	}
	return a, nil
}

// Bytes returns the memory. Touching it in Go is subject to the hazard that
// the package comment describes, once it is registered. After Close it is
// nil, and slices of it must not be used.
func (m *Mapping) Bytes() []byte { return m.bytes }

// Range returns where the memory is.
func (m *Mapping) Range() userfaultfd.Range { return userfaultfd.RangeOf(m.bytes) }

// PageSize returns the size in bytes of the pages that operations on this
// memory count in.
func (m *Mapping) PageSize() int { return m.pageSize }

// Page returns the range of page i, from 0 on; the zero Range where the memory
// has no such page.
func (m *Mapping) Page(i int) userfaultfd.Range {
	if i < 0 || i >= len(m.bytes)/max(m.pageSize, 1) {
		return userfaultfd.Range{}
	}
	return userfaultfd.Range{Start: m.Range().Start + uint64(i)*uint64(m.pageSize), Len: uint64(m.pageSize)}
}

// Kind returns the kind of memory.
func (m *Mapping) Kind() Kind { return m.kind }

// File returns the memfd of shared memory, which stays m's; nil for private
// memory.
func (m *Mapping) File() *os.File { return m.memfd }

// Close unmaps the memory. With FeatureEventUnmap, where it is registered, it
// waits until the UNMAP message was read. A second Close does nothing.
func (m *Mapping) Close() error {
	var err error
	m.once.Do(func() {
		err = munmap(m.whole)
		m.whole, m.bytes = nil, nil
		if m.memfd != nil {
			m.memfd.Close()
		}
	})
	if err != nil {
		return &userfaultfd.Error{Op: "munmap", Err: err}
	}
	return nil
}

// mmap maps size bytes that begin at a multiple of m.align. The kernel aligns
// huge pages itself; for others room is left to align in.
func (m *Mapping) mmap(size int) error {
	align := m.align
	flags, fd, room := unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, -1, 0
	switch {
	case m.kind == Anonymous:
		flags |= unix.MAP_NORESERVE
	case m.kind.shared():
		flags, fd = unix.MAP_SHARED, int(m.memfd.Fd())
	case m.kind.huge():
		flags |= unix.MAP_HUGETLB | hugeFlag(align)
	}
	if !m.kind.huge() && align > os.Getpagesize() {
		room = align
	}
	// Reserve without memory first, then put the mapping where it is to be.
	// A nil hint lets the kernel choose the place.
	var start unsafe.Pointer
	if room > 0 {
		whole, err := unix.MmapPtr(-1, 0, nil, uintptr(size+room), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
		if err != nil {
			return err
		}
		m.whole = unsafe.Slice((*byte)(whole), size+room)
		skip := (align - int(uintptr(whole)%uintptr(align))) % align
		start = unsafe.Add(whole, skip) // within the reservation (package unsafe, rule 3)
		flags |= unix.MAP_FIXED
	}
	p, err := unix.MmapPtr(fd, 0, start, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		munmap(m.whole)
		m.whole = nil
		return err
	}
	m.bytes = unsafe.Slice((*byte)(p), size)
	if room == 0 {
		m.whole = m.bytes
	}
	return nil
}

func munmap(b []byte) error {
	if b == nil {
		return nil
	}
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}

func newMemfd(kind Kind, size, pageSize int) (*os.File, error) {
	flags := unix.MFD_CLOEXEC
	if kind.huge() {
		flags |= unix.MFD_HUGETLB | hugeFlag(pageSize)
	}
	fd, err := unix.MemfdCreate("uffd", flags)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "memfd:uffd")
	if err := file.Truncate(int64(size)); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// hugeFlag encodes a huge page's size in the flags of mmap(2) and
// memfd_create(2): its binary logarithm from bit 26 on.
func hugeFlag(pageSize int) int { return bits.TrailingZeros(uint(pageSize)) << unix.MAP_HUGE_SHIFT }

func mapError(kind Kind, err error) error {
	return &userfaultfd.Error{Op: "mmap " + kind.String(), Err: err}
}
