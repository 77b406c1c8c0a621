package live

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/zuffd/uffd"
	"golang.org/x/sys/unix"
)

// A field is where an output field is in an argument.
type field struct{ offset, size uintptr }

// fieldOf returns where a field is in an argument.
func fieldOf[A, F any](arg *A, f *F) field {
	return field{uintptr(unsafe.Pointer(f)) - uintptr(unsafe.Pointer(arg)), unsafe.Sizeof(*f)}
}

// issue issues an ioctl, with its argument between canaries. It fails the test
// where the kernel has written anything but the output fields, and returns the
// argument as the kernel has left it.
func issue[A any](t *testing.T, fd int, request uintptr, arg A, outputs ...field) (A, unix.Errno) {
	t.Helper()
	arg, _, errno := issueForResult(t, fd, request, arg, outputs...)
	return arg, errno
}

// issueForResult is issue that returns the ioctl's result too.
func issueForResult[A any](t *testing.T, fd int, request uintptr, arg A, outputs ...field) (A, int, unix.Errno) {
	t.Helper()
	w := struct {
		before [64]byte
		arg    A
		after  [64]byte
	}{arg: arg}
	for i := range w.before {
		w.before[i], w.after[i] = 0xc5, 0x3a
	}
	was := slices.Clone(bytesOf(&arg))
	result, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&w.arg)))
	is := bytesOf(&w.arg)
	for i := range is {
		inside := slices.ContainsFunc(outputs, func(f field) bool { return uintptr(i)-f.offset < f.size })
		if is[i] != was[i] && !inside {
			t.Errorf("the kernel has written byte %d of %T, which is no output: from %+v to %+v", i, arg, arg, w.arg)
			break
		}
	}
	if !bytes.Equal(w.before[:], bytes.Repeat([]byte{0xc5}, 64)) || !bytes.Equal(w.after[:], bytes.Repeat([]byte{0x3a}, 64)) {
		t.Errorf("the kernel has written outside %T", arg)
	}
	return w.arg, int(result), errno
}

func bytesOf[A any](arg *A) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(arg)), unsafe.Sizeof(*arg))
}

// shared maps shared memory twice: as a userfaultfd is to see it, and to fill
// the page cache through.
func shared(t *testing.T, n int) (b, alias []byte) {
	t.Helper()
	size := n * os.Getpagesize()
	memfd, err := unix.MemfdCreate("live", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(memfd)
	if err := unix.Ftruncate(memfd, int64(size)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*[]byte{&b, &alias} {
		if *p, err = unix.Mmap(memfd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Munmap(*p) })
	}
	return b, alias
}

func rangeOf(b []byte) uffd.UffdioRange {
	return uffd.UffdioRange{Start: address(b), Len: uint64(len(b))}
}

// registerAs registers b in a mode and checks what that writes.
func registerAs(t *testing.T, fd int, b []byte, mode uint64) {
	t.Helper()
	arg := uffd.UffdioRegister{Range: rangeOf(b), Mode: mode, Ioctls: 1 << 63}
	arg, errno := issue(t, fd, uffd.UFFDIO_REGISTER, arg, fieldOf(&arg, &arg.Ioctls))
	if errno != 0 {
		t.Fatalf("UFFDIO_REGISTER: %v", errno)
	}
	if arg.Ioctls&(1<<uffd.X_UFFDIO_COPY|1<<63) != 1<<uffd.X_UFFDIO_COPY {
		t.Errorf("UFFDIO_REGISTER answers %#x", arg.Ioctls)
	}
}

// answers checks an ioctl's result and what it wrote into its output field.
func answers(t *testing.T, errno, wantErrno unix.Errno, output, want int64) {
	t.Helper()
	if errno != wantErrno || output != want {
		t.Errorf("%v and %d, want %v and %d", errno, output, wantErrno, want)
	}
}

func TestAPIWritesFeaturesAndIoctls(t *testing.T) {
	newFD := func(t *testing.T) int {
		r, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
		if errno == unix.EPERM {
			t.Skip("userfaultfd(2) is not permitted here")
		}
		if errno != 0 {
			t.Fatalf("userfaultfd: %v", errno)
		}
		t.Cleanup(func() { unix.Close(int(r)) })
		return int(r)
	}
	t.Run("once", func(t *testing.T) {
		fd := newFD(t)
		arg := uffd.UffdioApi{Api: uffd.UFFD_API, Ioctls: 1 << 62}
		got, errno := issue(t, fd, uffd.UFFDIO_API, arg, fieldOf(&arg, &arg.Features), fieldOf(&arg, &arg.Ioctls))
		const operations = 1<<uffd.X_UFFDIO_REGISTER | 1<<uffd.X_UFFDIO_UNREGISTER | 1<<uffd.X_UFFDIO_API
		if errno != 0 || got.Features == 0 || got.Ioctls&(operations|1<<62) != operations {
			t.Errorf("%v and %+v", errno, got)
		}
	})
	t.Run("and zeroes everything where it refuses", func(t *testing.T) {
		fd := newFD(t)
		arg := uffd.UffdioApi{Api: uffd.UFFD_API, Features: 1 << 62, Ioctls: 1 << 62}
		got, errno := issue(t, fd, uffd.UFFDIO_API, arg, field{0, unsafe.Sizeof(arg)})
		if errno != unix.EINVAL || got != (uffd.UffdioApi{}) {
			t.Errorf("%v and %+v, want EINVAL and zeros", errno, got)
		}
	})
}

func TestUnregisterAndWakeWriteNothing(t *testing.T) {
	fd := open(t, "", "", 0)
	b := pages(t, 1)
	registerAs(t, fd, b, uffd.UFFDIO_REGISTER_MODE_MISSING)
	for name, request := range map[string]uintptr{"UFFDIO_WAKE": uffd.UFFDIO_WAKE, "UFFDIO_UNREGISTER": uffd.UFFDIO_UNREGISTER} {
		if _, errno := issue(t, fd, request, rangeOf(b)); errno != 0 {
			t.Errorf("%s: %v", name, errno)
		}
		if _, errno := issue(t, fd, request, uffd.UffdioRange{}); errno != unix.EINVAL {
			t.Errorf("%s of nothing: %v, want EINVAL", name, errno)
		}
	}
}

func TestCopyWritesOnlyCopy(t *testing.T) {
	fd := open(t, "", "", 0)
	b, src := pages(t, 3), bytes.Repeat([]byte{7}, 3*os.Getpagesize())
	size := int64(os.Getpagesize())
	registerAs(t, fd, b, uffd.UFFDIO_REGISTER_MODE_MISSING)
	copyTo := func(page, n int, mode uint64) (int64, unix.Errno) {
		arg := uffd.UffdioCopy{Dst: address(b[int64(page)*size:]), Src: address(src), Len: uint64(n) * uint64(size), Mode: mode, Copy: untouched}
		arg, errno := issue(t, fd, uffd.UFFDIO_COPY, arg, fieldOf(&arg, &arg.Copy))
		return arg.Copy, errno
	}
	n, errno := copyTo(2, 1, uffd.UFFDIO_COPY_MODE_DONTWAKE)
	answers(t, errno, 0, n, size)
	n, errno = copyTo(0, 3, 0)
	answers(t, errno, unix.EAGAIN, n, 2*size) // the third is there
	n, errno = copyTo(0, 1, 0)
	answers(t, errno, unix.EEXIST, n, -int64(unix.EEXIST))
	n, errno = copyTo(0, 1, 1<<40)
	answers(t, errno, unix.EINVAL, n, untouched)
	if !bytes.Equal(b, src) {
		t.Error("the bytes that were copied are not those of src")
	}
}

func TestZeropageWritesOnlyZeropage(t *testing.T) {
	fd := open(t, "", "", 0)
	b := pages(t, 3)
	size := uint64(os.Getpagesize())
	registerAs(t, fd, b, uffd.UFFDIO_REGISTER_MODE_MISSING)
	zero := func(page, n, mode uint64) (int64, unix.Errno) {
		arg := uffd.UffdioZeropage{Range: uffd.UffdioRange{Start: address(b) + page*size, Len: n * size}, Mode: mode, Zeropage: untouched}
		arg, errno := issue(t, fd, uffd.UFFDIO_ZEROPAGE, arg, fieldOf(&arg, &arg.Zeropage))
		return arg.Zeropage, errno
	}
	n, errno := zero(2, 1, uffd.UFFDIO_ZEROPAGE_MODE_DONTWAKE)
	answers(t, errno, 0, n, int64(size))
	n, errno = zero(0, 3, 0)
	answers(t, errno, unix.EAGAIN, n, 2*int64(size))
	n, errno = zero(0, 1, 0)
	answers(t, errno, unix.EEXIST, n, -int64(unix.EEXIST))
	n, errno = zero(0, 1, 1<<40)
	answers(t, errno, unix.EINVAL, n, untouched)
}

func TestContinueWritesOnlyMapped(t *testing.T) {
	fd := open(t, "UFFD_FEATURE_MINOR_SHMEM", "5.14", uffd.UFFD_FEATURE_MINOR_SHMEM)
	b, alias := shared(t, 3)
	size := uint64(os.Getpagesize())
	alias[0], alias[size] = 1, 2
	registerAs(t, fd, b, uffd.UFFDIO_REGISTER_MODE_MINOR)
	resume := func(page, n, mode uint64) (int64, unix.Errno) {
		arg := uffd.UffdioContinue{Range: uffd.UffdioRange{Start: address(b) + page*size, Len: n * size}, Mode: mode, Mapped: untouched}
		arg, errno := issue(t, fd, uffd.UFFDIO_CONTINUE, arg, fieldOf(&arg, &arg.Mapped))
		return arg.Mapped, errno
	}
	n, errno := resume(1, 1, uffd.UFFDIO_CONTINUE_MODE_DONTWAKE)
	answers(t, errno, 0, n, int64(size))
	n, errno = resume(0, 2, 0)
	answers(t, errno, unix.EAGAIN, n, int64(size))
	n, errno = resume(0, 1, 0)
	answers(t, errno, unix.EEXIST, n, -int64(unix.EEXIST))
	n, errno = resume(2, 1, 0)
	answers(t, errno, unix.EFAULT, n, -int64(unix.EFAULT))
	n, errno = resume(2, 1, 1<<40)
	answers(t, errno, unix.EINVAL, n, untouched)
	if b[0] != 1 || b[size] != 2 {
		t.Errorf("mapped are pages with %d and %d, want 1 and 2", b[0], b[size])
	}
}

func TestMoveWritesOnlyMove(t *testing.T) {
	fd := open(t, "UFFD_FEATURE_MOVE", "6.8", uffd.UFFD_FEATURE_MOVE)
	b, src := pages(t, 3), pages(t, 3)
	size := uint64(os.Getpagesize())
	src[0], src[size] = 1, 2
	registerAs(t, fd, b, uffd.UFFDIO_REGISTER_MODE_MISSING)
	move := func(page, n, mode uint64) (int64, unix.Errno) {
		arg := uffd.UffdioMove{Dst: address(b) + page*size, Src: address(src) + page*size, Len: n * size, Mode: mode, Move: untouched}
		arg, errno := issue(t, fd, uffd.UFFDIO_MOVE, arg, fieldOf(&arg, &arg.Move))
		return arg.Move, errno
	}
	n, errno := move(0, 3, uffd.UFFDIO_MOVE_MODE_DONTWAKE)
	answers(t, errno, unix.EAGAIN, n, 2*int64(size)) // the third is a hole
	n, errno = move(2, 1, 0)
	answers(t, errno, unix.ENOENT, n, -int64(unix.ENOENT))
	n, errno = move(2, 1, uffd.UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES)
	answers(t, errno, 0, n, int64(size))
	n, errno = move(2, 1, 1<<40)
	answers(t, errno, unix.EINVAL, n, untouched)
	if b[0] != 1 || b[size] != 2 {
		t.Errorf("moved are pages with %d and %d, want 1 and 2", b[0], b[size])
	}
}

func TestProtectingWritesNothing(t *testing.T) {
	size := uint64(os.Getpagesize())
	t.Run("UFFDIO_WRITEPROTECT", func(t *testing.T) {
		fd := writeProtecting(t)
		b := pages(t, 2)
		b[0], b[size] = 1, 1
		registerAs(t, fd, b, uffd.UFFDIO_REGISTER_MODE_WP)
		for _, mode := range []uint64{uffd.UFFDIO_WRITEPROTECT_MODE_WP, 0, uffd.UFFDIO_WRITEPROTECT_MODE_DONTWAKE} {
			if _, errno := issue(t, fd, uffd.UFFDIO_WRITEPROTECT, uffd.UffdioWriteprotect{Range: rangeOf(b), Mode: mode}); errno != 0 {
				t.Errorf("mode %#x: %v", mode, errno)
			}
		}
		if _, errno := issue(t, fd, uffd.UFFDIO_WRITEPROTECT, uffd.UffdioWriteprotect{Range: rangeOf(b), Mode: 1 << 40}); errno != unix.EINVAL {
			t.Errorf("an unknown mode: %v, want EINVAL", errno)
		}
	})
	t.Run("UFFDIO_RWPROTECT and UFFDIO_SET_MODE", func(t *testing.T) {
		fd := open(t, "UFFD_FEATURE_RWP", "7.3", uffd.UFFD_FEATURE_RWP)
		b := pages(t, 2)
		b[0], b[size] = 1, 1
		registerAs(t, fd, b, uffd.UFFDIO_REGISTER_MODE_RWP)
		for _, mode := range []uint64{uffd.UFFDIO_RWPROTECT_MODE_RWP, 0, uffd.UFFDIO_RWPROTECT_MODE_DONTWAKE} {
			if _, errno := issue(t, fd, uffd.UFFDIO_RWPROTECT, uffd.UffdioRwprotect{Range: rangeOf(b), Mode: mode}); errno != 0 {
				t.Errorf("mode %#x: %v", mode, errno)
			}
		}
		if _, errno := issue(t, fd, uffd.UFFDIO_RWPROTECT, uffd.UffdioRwprotect{Range: rangeOf(b), Mode: 1 << 40}); errno != unix.EINVAL {
			t.Errorf("an unknown mode: %v, want EINVAL", errno)
		}
		for _, arg := range []uffd.UffdioSetMode{{Enable: uffd.UFFD_FEATURE_RWP_ASYNC}, {Disable: uffd.UFFD_FEATURE_RWP_ASYNC}} {
			if _, errno := issue(t, fd, uffd.UFFDIO_SET_MODE, arg); errno != 0 {
				t.Errorf("%+v: %v", arg, errno)
			}
		}
		both := uffd.UffdioSetMode{Enable: uffd.UFFD_FEATURE_RWP_ASYNC, Disable: uffd.UFFD_FEATURE_RWP_ASYNC}
		if _, errno := issue(t, fd, uffd.UFFDIO_SET_MODE, both); errno != unix.EINVAL {
			t.Errorf("on and off at once: %v, want EINVAL", errno)
		}
	})
}

// writeProtecting opens a userfaultfd that can write-protect private memory.
func writeProtecting(t *testing.T) int {
	t.Helper()
	fd := open(t, "UFFD_FEATURE_PAGEFAULT_FLAG_WP", "5.7", uffd.UFFD_FEATURE_PAGEFAULT_FLAG_WP)
	arg := uffd.UffdioRegister{Range: rangeOf(pages(t, 1)), Mode: uffd.UFFDIO_REGISTER_MODE_WP}
	if errno := ioctl(fd, uffd.UFFDIO_REGISTER, unsafe.Pointer(&arg)); errno == unix.EINVAL {
		lacks(t, "UFFDIO_REGISTER_MODE_WP", "5.7")
	}
	return fd
}

func TestReadWritesWholeMessages(t *testing.T) {
	fd := open(t, "", "", 0)
	b := pages(t, 1)
	registerAs(t, fd, b, uffd.UFFDIO_REGISTER_MODE_MISSING)
	done := make(chan error, 1)
	go func() { done <- readThroughKernel(b) }()
	awaitMessage(t, fd)
	const size = int(unsafe.Sizeof(uffd.UffdMsg{}))
	buf := bytes.Repeat([]byte{0xc5}, 3*size)
	n, err := unix.Read(fd, buf[:2*size+5]) // room for two, and some
	if n != size || err != nil {
		t.Fatalf("read: %d, %v; want %d bytes", n, err, size)
	}
	want := uffd.UffdMsg{Event: uffd.UFFD_EVENT_PAGEFAULT}
	want.Pagefault().Address = address(b)
	if !bytes.Equal(buf[:size], bytesOf(&want)) {
		t.Errorf("the message is % x, want % x", buf[:size], bytesOf(&want))
	}
	if !bytes.Equal(buf[size:], bytes.Repeat([]byte{0xc5}, 2*size)) {
		t.Error("the kernel has written behind the message")
	}
	if n, err := unix.Read(fd, buf[:size-1]); n != -1 || err != unix.EINVAL {
		t.Errorf("a read of less than a message: %d, %v; want EINVAL", n, err)
	}
	zero := uffd.UffdioZeropage{Range: rangeOf(b)}
	if errno := ioctl(fd, uffd.UFFDIO_ZEROPAGE, unsafe.Pointer(&zero)); errno != 0 {
		t.Fatal(errno)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// deviceSkip says why the device need not open, or "".
func deviceSkip(err error) string {
	switch err {
	case unix.ENOENT:
		return "/dev/userfaultfd (Linux 6.1)"
	case unix.EACCES, unix.EPERM:
		return fmt.Sprintf("/dev/userfaultfd is not for this user: %v", err)
	}
	return ""
}

func TestDeviceSkip(t *testing.T) {
	for err, want := range map[error]string{nil: "", unix.ENOENT: "Linux 6.1", unix.EACCES: "permission denied", unix.EMFILE: ""} {
		if got := deviceSkip(err); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}

func TestDeviceMakesUserfaultfd(t *testing.T) {
	dev, err := unix.Open("/dev/userfaultfd", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if why := deviceSkip(err); why != "" {
		t.Skip(why)
	}
	if err != nil {
		t.Fatalf("/dev/userfaultfd: %v", err)
	}
	defer unix.Close(dev)
	r, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(dev), uffd.USERFAULTFD_IOC_NEW, unix.O_CLOEXEC|uffd.UFFD_USER_MODE_ONLY)
	if errno != 0 {
		t.Fatalf("USERFAULTFD_IOC_NEW: %v", errno)
	}
	defer unix.Close(int(r))
	api := uffd.UffdioApi{Api: uffd.UFFD_API}
	if errno := ioctl(int(r), uffd.UFFDIO_API, unsafe.Pointer(&api)); errno != 0 {
		t.Errorf("UFFDIO_API on what it made: %v", errno)
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(dev), uffd.USERFAULTFD_IOC_NEW, 1<<30); errno != unix.EINVAL {
		t.Errorf("USERFAULTFD_IOC_NEW with an unknown flag: %v, want EINVAL", errno)
	}
}

func TestPagemapScanWritesWalkEndAndRegions(t *testing.T) {
	pagemap, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("/proc/self/pagemap: %v", err)
	}
	defer unix.Close(pagemap)
	b := pages(t, 5)
	size := uint64(os.Getpagesize())
	for _, i := range []uint64{0, 1, 3} {
		b[i*size] = 1
	}
	canary := uffd.PageRegion{Start: 0xc5, End: 0xc5, Categories: 0xc5}
	regions := []uffd.PageRegion{canary, canary, canary}
	var pin runtime.Pinner
	pin.Pin(&regions[0]) // the kernel gets its address as a number
	defer pin.Unpin()
	arg := uffd.PmScanArg{
		Start: address(b), End: address(b) + uint64(len(b)),
		Vec: uint64(uintptr(unsafe.Pointer(&regions[0]))), Vec_len: uint64(len(regions)),
		Category_mask: uffd.PAGE_IS_PRESENT, Return_mask: uffd.PAGE_IS_PRESENT | uffd.PAGE_IS_FILE,
	}
	arg.Size = uint64(unsafe.Sizeof(arg))
	scan := func(arg uffd.PmScanArg) (uffd.PmScanArg, int, unix.Errno) {
		return issueForResult(t, pagemap, uffd.PAGEMAP_SCAN, arg, fieldOf(&arg, &arg.Walk_end))
	}
	got, n, errno := scan(arg)
	if errno == unix.ENOTTY {
		lacks(t, "PAGEMAP_SCAN", "6.7")
	}
	want := []uffd.PageRegion{
		{Start: address(b), End: address(b) + 2*size, Categories: uffd.PAGE_IS_PRESENT},
		{Start: address(b) + 3*size, End: address(b) + 4*size, Categories: uffd.PAGE_IS_PRESENT},
		canary,
	}
	if errno != 0 || n != 2 || got.Walk_end != arg.End || !slices.Equal(regions, want) {
		t.Errorf("%v, %d regions %+v, walk_end %#x; want %+v and %#x", errno, n, regions, got.Walk_end, want, arg.End)
	}
	arg.Size--
	if _, _, errno := scan(arg); errno != unix.EINVAL {
		t.Errorf("a wrong size: %v, want EINVAL", errno)
	}
	arg.Size++
	arg.Flags = 1 << 40
	if _, _, errno := scan(arg); errno != unix.EINVAL {
		t.Errorf("an unknown flag: %v, want EINVAL", errno)
	}
}
