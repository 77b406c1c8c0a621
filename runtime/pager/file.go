package pager

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A MappedFile is a regular file as a source: it lends what is in the page cache,
// reads what is not, and knows the file's holes. A Region whose Source is an
// *os.File of a regular file gets one by itself.
//
// The file is not to be cut short while it is used; a page that can no longer be
// read is poisoned. [New] fails for a region that reaches beyond the file's end.
type MappedFile struct {
	sparseFile
	bytes []byte
	mine  bool // mincore(2) tells the truth

	// Which chunks were seen in the page cache. Asking the kernel takes a
	// tenth of a fault's time, and it seldom takes anything out of there; if it
	// has, a fault waits for the disk with a processor in its hands.
	cached []atomic.Uint32
	lent   atomic.Uint64
}

// MapFile maps a regular file. file stays the caller's, and may be closed.
func MapFile(file *os.File) (*MappedFile, error) {
	f, err := openSparse(file)
	if err != nil {
		return nil, err
	}
	info, err := f.file.Stat()
	m := &MappedFile{sparseFile: f}
	if err == nil && info.Size() > 0 {
		m.bytes, err = mapReadOnly(f.file, info.Size())
	}
	if err != nil {
		f.file.Close()
		return nil, err
	}
	m.mine = mayKnowCached(f.file, info)
	m.cached = make([]atomic.Uint32, (len(m.bytes)+cacheChunk*32-1)/(cacheChunk*32))
	return m, nil
}

func mapReadOnly(f *os.File, size int64) ([]byte, error) {
	if int64(int(size)) != size {
		return nil, fmt.Errorf("pager: %s does not fit into the address space", f.Name())
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("pager: mapping %s: %w", f.Name(), err)
	}
	return b, nil
}

// Lend lends what is in the page cache.
func (m *MappedFile) Lend(off int64, n int) []byte {
	if off < 0 || off >= int64(len(m.bytes)) || n <= 0 {
		return nil
	}
	b := m.bytes[off:min(off+int64(n), int64(len(m.bytes)))]
	if !m.isCached(int(off), len(b)) {
		return nil
	}
	return b
}

// Close unmaps the file. No pager may be using it.
func (m *MappedFile) Close() error {
	var err error
	if m.bytes != nil {
		err = unix.Munmap(m.bytes)
		m.bytes = nil
	}
	return errors.Join(err, m.file.Close())
}

const (
	cacheChunk  = 64 << 10
	cacheForget = 4096 // after so many loans all is asked again
)

// isCached reports whether n bytes from off on are in the page cache.
func (m *MappedFile) isCached(off, n int) bool {
	if m.lent.Add(1)%cacheForget == 0 {
		for i := range m.cached {
			m.cached[i].Store(0)
		}
	}
	for c := off / cacheChunk; c <= (off+n-1)/cacheChunk; c++ {
		word, bit := &m.cached[c/32], uint32(1)<<(c%32)
		if word.Load()&bit != 0 {
			continue
		}
		start := c * cacheChunk
		whole := m.inCore(start, min(start+cacheChunk, len(m.bytes)))
		if whole {
			word.Or(bit)
			continue
		}
		from, to := max(off, start), min(off+n, start+cacheChunk)
		from &^= os.Getpagesize() - 1
		if !m.inCore(from, to) {
			return false
		}
	}
	return true
}

// mayKnowCached reports whether mincore(2) tells what of a file is in memory. To
// who neither owns it nor may write it, all is (since Linux 5.2).
func mayKnowCached(f *os.File, info os.FileInfo) bool {
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) == os.Geteuid() {
		return true
	}
	name := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	return unix.Faccessat(unix.AT_FDCWD, name, unix.W_OK, unix.AT_EACCESS) == nil
}

// inCore reports whether the bytes from from, where a page begins, to to are in
// memory.
func (m *MappedFile) inCore(from, to int) bool {
	if m.mine {
		return inCore(m.bytes[from:to])
	}
	// A byte of each page is read, if that takes no disk.
	var b [1]byte
	vector := [][]byte{b[:]}
	for ; from < to; from += os.Getpagesize() {
		if n, err := unix.Preadv2(int(m.file.Fd()), vector, int64(from), unix.RWF_NOWAIT); n != 1 || err != nil {
			return false
		}
	}
	return true
}

func inCore(b []byte) bool {
	var pages [cacheChunk / 4096]byte
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(unsafe.Pointer(&pages)))
	if errno != 0 {
		return false
	}
	for i := range (len(b) + os.Getpagesize() - 1) / os.Getpagesize() {
		if pages[i]&1 == 0 {
			return false
		}
	}
	return true
}

// A MemfdSource is a memfd as a source for regions that map that same memfd.
type MemfdSource struct{ sparseFile }

// Memfd returns the source for regions that map file, which is a memfd, or in
// tmpfs or hugetlbfs. Its content was written through another mapping, or by
// write(2), before the pager is made. It is put in place and not copied:
// processes can share it, by MAP_SHARED, or keep what they write for themselves.
// file stays the caller's, and may be closed.
func Memfd(file *os.File) (*MemfdSource, error) {
	f, err := openSparse(file)
	if err != nil {
		return nil, err
	}
	return &MemfdSource{f}, nil
}

// InPlace says that the content is in the memory itself.
func (m *MemfdSource) InPlace() {}

// A sparseFile is a file whose holes can be asked for.
type sparseFile struct{ file *os.File }

// openSparse opens file's file again: asking for holes moves the position, which
// is shared by duplicates. To open another than a regular one may wait.
func openSparse(file *os.File) (sparseFile, error) {
	if info, err := file.Stat(); err != nil {
		return sparseFile{}, fmt.Errorf("pager: %w", err)
	} else if !info.Mode().IsRegular() {
		return sparseFile{}, fmt.Errorf("pager: %s is no regular file", file.Name())
	}
	conn, err := file.SyscallConn()
	if err != nil {
		return sparseFile{}, fmt.Errorf("pager: %w", err)
	}
	var own *os.File
	if e := conn.Control(func(fd uintptr) {
		var n int
		// Without /proc, or if it may no longer be opened, the position is lost.
		if n, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
		}
		own = os.NewFile(uintptr(n), file.Name())
	}); e != nil {
		err = e
	}
	if err != nil {
		return sparseFile{}, fmt.Errorf("pager: %w", err)
	}
	return sparseFile{own}, nil
}

// ReadAt reads from the file.
func (s sparseFile) ReadAt(p []byte, off int64) (int, error) { return s.file.ReadAt(p, off) }

// NextData asks for the next extent of data (SEEK_DATA).
func (s sparseFile) NextData(off int64) (start, end int64, err error) {
	start, err = s.file.Seek(off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return 0, 0, io.EOF
	}
	if err != nil {
		return 0, 0, err
	}
	end, err = s.file.Seek(start, unix.SEEK_HOLE)
	return start, end, err
}

// Close closes our descriptor.
func (s sparseFile) Close() error { return s.file.Close() }
