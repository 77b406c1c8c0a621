package live

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/zuffd/uffd"
	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// These tests tell what a kernel has, by attributes, of which verify/vm makes a
// table. They fail only where a kernel contradicts itself.

func TestFeatures(t *testing.T) {
	open(t, "", "", 0)
	for i := range 64 {
		if f := userfaultfd.Features(1 << i); features(t)&(1<<i) != 0 {
			t.Attr("UFFD_FEATURE_"+f.String(), "yes")
		}
	}
}

// features returns all that the kernel has.
func features(t *testing.T) uint64 {
	t.Helper()
	r, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		t.Skip(errno)
	}
	defer unix.Close(int(r))
	api := uffd.UffdioApi{Api: uffd.UFFD_API}
	if errno := ioctl(int(r), uffd.UFFDIO_API, unsafe.Pointer(&api)); errno != 0 {
		t.Fatal(errno)
	}
	return api.Features
}

// A trial is one operation tried on a page of memory.
type trial struct {
	fd    int
	m     *memory.Mapping
	page  uint64        // its size
	wrote chan struct{} // closed by the thread that stops lets write, or nil
}

func (x *trial) rng() uffd.UffdioRange {
	return uffd.UffdioRange{Start: address(x.m.Bytes()), Len: x.page}
}

func (x *trial) register(mode uint64) (ioctls uint64, err error) {
	arg := uffd.UffdioRegister{Range: x.rng(), Mode: mode}
	if errno := ioctl(x.fd, uffd.UFFDIO_REGISTER, unsafe.Pointer(&arg)); errno != 0 {
		return 0, errno
	}
	return arg.Ioctls, nil
}

// operations are all that there are on ranges: the mode of registration that
// each wants, and what issues it. A page that it wants to be there is written
// before, at another place if alias is set.
var operations = []struct {
	name           string
	mode           uint64
	written, alias bool
	issue          func(x *trial) error
}{
	{"UFFDIO_COPY", uffd.UFFDIO_REGISTER_MODE_MISSING, false, false, func(x *trial) error {
		src := make([]byte, x.page)
		defer runtime.KeepAlive(src)
		return do(x.fd, uffd.UFFDIO_COPY, &uffd.UffdioCopy{Dst: x.rng().Start, Src: address(src), Len: x.page})
	}},
	{"UFFDIO_ZEROPAGE", uffd.UFFDIO_REGISTER_MODE_MISSING, false, false, func(x *trial) error {
		return do(x.fd, uffd.UFFDIO_ZEROPAGE, &uffd.UffdioZeropage{Range: x.rng()})
	}},
	{"UFFDIO_POISON", uffd.UFFDIO_REGISTER_MODE_MISSING, false, false, func(x *trial) error {
		return do(x.fd, uffd.UFFDIO_POISON, &uffd.UffdioPoison{Range: x.rng()})
	}},
	{"UFFDIO_MOVE", uffd.UFFDIO_REGISTER_MODE_MISSING, false, false, func(x *trial) error {
		src, err := memory.Map(x.m.Kind(), int(x.page), 0)
		if err != nil {
			return err
		}
		defer src.Close()
		src.Bytes()[0] = 1
		return do(x.fd, uffd.UFFDIO_MOVE, &uffd.UffdioMove{Dst: x.rng().Start, Src: address(src.Bytes()), Len: x.page})
	}},
	{"UFFDIO_CONTINUE", uffd.UFFDIO_REGISTER_MODE_MINOR, true, true, func(x *trial) error {
		return do(x.fd, uffd.UFFDIO_CONTINUE, &uffd.UffdioContinue{Range: x.rng()})
	}},
	{"UFFDIO_WRITEPROTECT", uffd.UFFDIO_REGISTER_MODE_WP, true, false, func(x *trial) error {
		arg := uffd.UffdioWriteprotect{Range: x.rng(), Mode: uffd.UFFDIO_WRITEPROTECT_MODE_WP}
		if err := do(x.fd, uffd.UFFDIO_WRITEPROTECT, &arg); err != nil {
			return err
		}
		defer do(x.fd, uffd.UFFDIO_WRITEPROTECT, &uffd.UffdioWriteprotect{Range: arg.Range})
		return x.stops()
	}},
	{"UFFDIO_RWPROTECT", uffd.UFFDIO_REGISTER_MODE_RWP, true, false, func(x *trial) error {
		arg := uffd.UffdioRwprotect{Range: x.rng(), Mode: uffd.UFFDIO_RWPROTECT_MODE_RWP}
		if err := do(x.fd, uffd.UFFDIO_RWPROTECT, &arg); err != nil {
			return err
		}
		defer do(x.fd, uffd.UFFDIO_RWPROTECT, &uffd.UffdioRwprotect{Range: arg.Range})
		return x.stops()
	}},
}

func do[A any](fd int, request uintptr, arg *A) error {
	if errno := ioctl(fd, request, unsafe.Pointer(arg)); errno != 0 {
		return errno
	}
	return nil
}

// close unmaps the page when nobody writes to it any more: what is mapped next
// may get its address.
func (x *trial) close(t *testing.T) {
	if x.wrote != nil {
		select {
		case <-x.wrote:
		case <-time.After(10 * time.Second):
			t.Fatal("a write to a page that is not protected any more goes on")
		}
	}
	x.m.Close()
}

var errLetsThrough = errors.New("takes it, and lets writes through")

// stops returns an error if a write to the page raises no fault. The kernel
// writes, in a thread that waits until the page is not protected any more.
func (x *trial) stops() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	unix.Write(p[1], []byte{2})
	unix.Close(p[1])
	b := x.m.Bytes()
	x.wrote = make(chan struct{})
	go func() {
		unix.Read(p[0], b[:1])
		unix.Close(p[0])
		close(x.wrote)
	}()
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(x.fd), Events: unix.POLLIN}}, 100); n == 1 {
			return nil
		}
	}
	return errLetsThrough
}

func TestOperations(t *testing.T) {
	const unwanted = uffd.UFFD_FEATURE_SIGBUS | uffd.UFFD_FEATURE_EVENT_FORK | uffd.UFFD_FEATURE_EVENT_REMAP | uffd.UFFD_FEATURE_EVENT_REMOVE |
		uffd.UFFD_FEATURE_EVENT_UNMAP | uffd.UFFD_FEATURE_WP_ASYNC | uffd.UFFD_FEATURE_RWP_ASYNC
	wanted := features(t) &^ unwanted
	for _, op := range operations {
		for kind := range memory.HugetlbShared + 1 {
			m, err := memory.Map(kind, max(memory.PageSize(kind), 1), 0)
			if err != nil {
				continue // no huge pages
			}
			x := &trial{fd: open(t, "", "", wanted), m: m, page: uint64(m.PageSize())}
			unix.Madvise(m.Bytes(), unix.MADV_NOHUGEPAGE)
			if op.written {
				to := m
				if alias, err := m.Alias(); op.alias && err == nil {
					defer alias.Close()
					to = alias
				}
				to.Bytes()[0] = 1
			}
			ioctls, err := x.register(op.mode)
			if err == nil {
				err = op.issue(x)
				claimed := ioctls>>bitOf(op.name)&1 == 1
				if !claimed && err == nil && op.name != "UFFDIO_MOVE" {
					t.Errorf("%s works on %v, and UFFDIO_REGISTER does not say so: %#x", op.name, kind, ioctls)
				}
				key := op.name + "," + kind.String()
				switch {
				case err == nil:
					t.Attr(key, "yes")
				case errors.Is(err, errLetsThrough):
					t.Attr(key, err.Error())
				case claimed:
					t.Attr(key, "no: "+unix.ErrnoName(err.(unix.Errno)))
				}
			}
			x.close(t)
		}
	}
}

// bitOf returns the number of an operation.
func bitOf(name string) int {
	return map[string]int{
		"UFFDIO_COPY": uffd.X_UFFDIO_COPY, "UFFDIO_ZEROPAGE": uffd.X_UFFDIO_ZEROPAGE, "UFFDIO_POISON": uffd.X_UFFDIO_POISON,
		"UFFDIO_MOVE": uffd.X_UFFDIO_MOVE, "UFFDIO_CONTINUE": uffd.X_UFFDIO_CONTINUE,
		"UFFDIO_WRITEPROTECT": uffd.X_UFFDIO_WRITEPROTECT, "UFFDIO_RWPROTECT": uffd.X_UFFDIO_RWPROTECT,
	}[name]
}

// TestPeculiarities tells what programs meet besides.
func TestPeculiarities(t *testing.T) {
	t.Attr("page-size", fmt.Sprintf("%d KiB", os.Getpagesize()>>10))
	if size := memory.PageSize(memory.Hugetlb); size > 0 {
		t.Attr("huge-page-size", fmt.Sprintf("%d MiB", size>>20))
	}
	b, err := os.ReadFile("/proc/sys/vm/unprivileged_userfaultfd")
	t.Attr("vm.unprivileged_userfaultfd", map[bool]string{true: strings.TrimSpace(string(b)), false: "-"}[err == nil])
	_, err = os.Stat("/dev/userfaultfd")
	t.Attr("/dev/userfaultfd", map[bool]string{true: "yes", false: "-"}[err == nil])
	fd := open(t, "", "", features(t)&uffd.UFFD_FEATURE_EXACT_ADDRESS)
	page := pages(t, 1)
	registerAs(t, fd, page, uffd.UFFDIO_REGISTER_MODE_MISSING)
	const at = 8 * 7
	read := make(chan error, 1)
	go func() { read <- readThroughKernel(page[at:]) }()
	msg := readFault(t, fd)
	t.Attr("a-fault's-message-tells-the", tells(msg.Pagefault().Address, address(page), at))
	if err := do(fd, uffd.UFFDIO_ZEROPAGE, &uffd.UffdioZeropage{Range: rangeOf(page)}); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if features(t)&uffd.UFFD_FEATURE_POISON != 0 {
		poisoned := pages(t, 1)
		fd := poisonable(t)
		register(t, fd, poisoned)
		if _, errno := poison(t, fd, address(poisoned), uint64(len(poisoned)), 0); errno != 0 {
			t.Fatal(errno)
		}
		_, addr, _ := catch(&poisoned[at])
		t.Attr("SIGBUS-tells-the", tells(uint64(addr), address(poisoned), at))
	}
}

// tells says whether an address is that of a byte in a page, or of the page.
func tells(got, page, at uint64) string {
	switch got {
	case page + at:
		return "byte"
	case page:
		return "page"
	}
	return fmt.Sprintf("nothing of use (%#x)", got)
}
