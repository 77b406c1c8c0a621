package live

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
	"unsafe"

	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/linux"
	"golang.org/x/sys/unix"
)

// open opens a userfaultfd and does the handshake for features, or skips the
// test where the kernel may lack them.
func open(t *testing.T, name, release string, features uint64) int {
	t.Helper()
	r, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if errno == unix.EPERM {
		t.Skip("userfaultfd(2) is not permitted here")
	}
	if errno != 0 {
		t.Fatalf("userfaultfd: %v", errno)
	}
	fd := int(r)
	t.Cleanup(func() { unix.Close(fd) })
	api := uffd.UffdioApi{Api: uffd.UFFD_API, Features: features}
	errno = ioctl(fd, uffd.UFFDIO_API, unsafe.Pointer(&api))
	if errno == unix.EINVAL && features != 0 {
		lacks(t, name, release)
	}
	if errno != 0 {
		t.Fatalf("UFFDIO_API: %v", errno)
	}
	return fd
}

// lacks ends a test whose kernel does not know what it was asked for: it is
// skipped on a kernel that may lack it; on another the number is wrong.
func lacks(t *testing.T, name, release string) {
	t.Helper()
	running, _, err := linux.Running()
	if err != nil {
		t.Fatal(err)
	}
	if mustHave(t, release, running, runtime.GOARCH) {
		t.Fatalf("Linux %v does not know %s, which came with %s", running, name, release)
	}
	t.Skipf("%s (Linux %s)", name, release)
}

// mustHave reports whether a kernel must have what a release has brought. On
// architectures other than amd64 kernels lack some features of their release.
func mustHave(t *testing.T, release string, running abi.Release, goarch string) bool {
	t.Helper()
	came, err := abi.ParseRelease(release)
	if err != nil {
		t.Fatal(err)
	}
	return goarch == "amd64" && !running.Before(came)
}

func TestMustHave(t *testing.T) {
	v6_6 := abi.Release{Major: 6, Minor: 6}
	for _, tt := range []struct {
		name, release, goarch string
		want                  bool
	}{
		{"what an older release has brought", "5.14", "amd64", true},
		{"what its own release has brought", "6.6", "amd64", true},
		{"not what a later one has", "6.12", "amd64", false},
		{"not what others may lack", "5.14", "riscv64", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustHave(t, tt.release, v6_6, tt.goarch); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// pages maps private memory without transparent huge pages.
func pages(t *testing.T, n int) []byte {
	t.Helper()
	b, err := unix.Mmap(-1, 0, n*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	unix.Madvise(b, unix.MADV_NOHUGEPAGE)
	return b
}

func register(t *testing.T, fd int, b []byte) {
	t.Helper()
	r := uffd.UffdioRegister{
		Range: uffd.UffdioRange{Start: address(b), Len: uint64(len(b))},
		Mode:  uffd.UFFDIO_REGISTER_MODE_MISSING,
	}
	if errno := ioctl(fd, uffd.UFFDIO_REGISTER, unsafe.Pointer(&r)); errno != 0 {
		t.Fatalf("UFFDIO_REGISTER: %v", errno)
	}
	if r.Ioctls&(1<<uffd.X_UFFDIO_POISON) == 0 {
		t.Errorf("UFFDIO_REGISTER answers %#x, without UFFDIO_POISON", r.Ioctls)
	}
}

// untouched is what an output field holds that the kernel did not come to
// write.
const untouched = -0x5ca1ab1e

// poison issues UFFDIO_POISON, checks that nothing but updated was written, and
// returns that.
func poison(t *testing.T, fd int, start, length, mode uint64) (int64, unix.Errno) {
	t.Helper()
	arg := uffd.UffdioPoison{Range: uffd.UffdioRange{Start: start, Len: length}, Mode: mode, Updated: untouched}
	arg, errno := issue(t, fd, uffd.UFFDIO_POISON, arg, fieldOf(&arg, &arg.Updated))
	return arg.Updated, errno
}

// catch reads a byte and returns the address of the SIGBUS that this raises,
// if it does.
func catch(b *byte) (value byte, addr uintptr, caught bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if e, ok := recover().(interface{ Addr() uintptr }); ok {
			addr, caught = e.Addr(), true
		}
	}()
	return *b, 0, false
}

func poisonable(t *testing.T) int {
	return open(t, "UFFD_FEATURE_POISON", "6.6", uffd.UFFD_FEATURE_POISON)
}

func TestPoisonIsAcceptedAndWritesOnlyUpdated(t *testing.T) {
	fd := poisonable(t)
	size := os.Getpagesize()
	b := pages(t, 8)
	register(t, fd, b)
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("on %d pages", n), func(t *testing.T) {
			// Start and length are read from where we put them: the pages that
			// are poisoned are these and no others.
			first := 2 * n // 2, or 6 less what is left
			if n == 3 {
				first = 4
			}
			updated, errno := poison(t, fd, address(b)+uint64(first*size), uint64(n*size), 0)
			if errno != 0 {
				t.Fatal(errno)
			}
			if updated != int64(n*size) {
				t.Errorf("updated is %d, want %d", updated, n*size)
			}
		})
	}
	zero := uffd.UffdioZeropage{}
	for _, i := range []int{0, 1, 3, 7} {
		zero.Range = uffd.UffdioRange{Start: address(b) + uint64(i*size), Len: uint64(size)}
		if errno := ioctl(fd, uffd.UFFDIO_ZEROPAGE, unsafe.Pointer(&zero)); errno != 0 {
			t.Errorf("page %d is not missing any more: %v", i, errno)
		}
	}
	for i := range 8 {
		_, addr, caught := catch(&b[i*size+8])
		poisoned := i == 2 || i >= 4 && i <= 6
		if caught != poisoned {
			t.Errorf("page %d: SIGBUS is %v, want %v", i, caught, poisoned)
		}
		want := address(b) + uint64(i*size+8)
		if runtime.GOARCH == "s390x" { // which reports the page that was touched
			want &^= uint64(size - 1)
		}
		if caught && uint64(addr) != want {
			t.Errorf("page %d: SIGBUS at %#x, want %#x", i, addr, want)
		}
	}
}

func TestPoisonReadsMode(t *testing.T) {
	fd := poisonable(t)
	size := os.Getpagesize()
	b := pages(t, 2)
	register(t, fd, b)
	for i, mode := range []uint64{uffd.UFFDIO_POISON_MODE_DONTWAKE, 0} {
		name := "without DONTWAKE the waiter wakes"
		if mode != 0 {
			name = "with DONTWAKE the waiter sleeps until UFFDIO_WAKE"
		}
		t.Run(name, func(t *testing.T) {
			page := b[i*size : (i+1)*size]
			done, thread := make(chan error, 1), make(chan int, 1)
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				thread <- unix.Gettid()
				done <- readThroughKernel(page)
			}()
			readFault(t, fd)
			awaitSleep(t, <-thread)
			if _, errno := poison(t, fd, address(page), uint64(size), mode); errno != 0 {
				t.Fatal(errno)
			}
			if mode != 0 {
				select {
				case err := <-done:
					t.Fatalf("the waiter was woken: %v", err)
				case <-time.After(20 * time.Millisecond):
				}
				r := uffd.UffdioRange{Start: address(page), Len: uint64(size)}
				if errno := ioctl(fd, uffd.UFFDIO_WAKE, unsafe.Pointer(&r)); errno != 0 {
					t.Fatal(errno)
				}
			}
			select {
			case err := <-done:
				if !errors.Is(err, unix.EFAULT) {
					t.Errorf("write(2) from a poisoned page: %v, want EFAULT", err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the waiter sleeps on")
			}
		})
	}
}

// readThroughKernel makes the kernel read a byte of a page, on a thread that no
// signal interrupts: one would make it fault anew, which is another message, or
// finds what was put there meanwhile.
func readThroughKernel(page []byte) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, &old); err != nil {
		return err
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	_, err := unix.Write(p[1], page[:1])
	return err
}

// awaitSleep waits until a thread of which a message tells sleeps: the kernel
// tells of a fault before, and then has the thread look once more whether there
// is something to wait for.
func awaitSleep(t *testing.T, tid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid))
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != "running\n" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the thread does not sleep")
		}
	}
}

// awaitMessage waits until there is a message to read. Signals may interrupt it.
func awaitMessage(t *testing.T, fd int) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if n, err := unix.Poll(fds, 100); err == nil && n == 1 {
			return
		}
	}
	t.Fatal("no fault was delivered")
}

// readFault waits for the message of a fault, and reads it.
func readFault(t *testing.T, fd int) (msg uffd.UffdMsg) {
	t.Helper()
	awaitMessage(t, fd)
	n, err := unix.Read(fd, (*[unsafe.Sizeof(msg)]byte)(unsafe.Pointer(&msg))[:])
	if err != nil || n != int(unsafe.Sizeof(msg)) || msg.Event != uffd.UFFD_EVENT_PAGEFAULT {
		t.Fatalf("read: %d, %v, event %#x; want a fault", n, err, msg.Event)
	}
	return msg
}

func TestPoisonErrors(t *testing.T) {
	fd := poisonable(t)
	size := uint64(os.Getpagesize())
	b := pages(t, 4)
	start := address(b)
	register(t, fd, b)
	stranger := pages(t, 1)
	zero := uffd.UffdioZeropage{Range: uffd.UffdioRange{Start: start + 3*size, Len: size}}
	if errno := ioctl(fd, uffd.UFFDIO_ZEROPAGE, unsafe.Pointer(&zero)); errno != 0 {
		t.Fatal(errno)
	}
	tests := []struct {
		name                string
		start, length, mode uint64
		want                unix.Errno
		updated             int64
	}{
		{"an unaligned start is EINVAL", start + 1, size, 0, unix.EINVAL, untouched},
		{"an unaligned length is EINVAL", start, size - 1, 0, unix.EINVAL, untouched},
		{"no length is EINVAL", start, 0, 0, unix.EINVAL, untouched},
		{"an unknown mode is EINVAL", start, size, 1 << 1, unix.EINVAL, untouched},
		{"the highest mode bit is EINVAL", start, size, 1 << 63, unix.EINVAL, untouched},
		{"a mapped page is EEXIST", start + 3*size, size, 0, unix.EEXIST, -int64(unix.EEXIST)},
		{"memory that is not registered is ENOENT", address(stranger), size, 0, unix.ENOENT, -int64(unix.ENOENT)},
		{"an occupied page after missing ones is EAGAIN with what was done", start, 4 * size, 0, unix.EAGAIN, 3 * int64(size)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			updated, errno := poison(t, fd, tt.start, tt.length, tt.mode)
			if errno != tt.want {
				t.Errorf("got %v, want %v", errno, tt.want)
			}
			if updated != tt.updated {
				t.Errorf("updated is %d, want %d", updated, tt.updated)
			}
		})
	}
	t.Run("a closed descriptor is EBADF", func(t *testing.T) {
		if _, errno := poison(t, 1<<20, start, size, 0); errno != unix.EBADF {
			t.Errorf("got %v, want EBADF", errno)
		}
	})
}

func TestPoisonStaysInItsAddressSpace(t *testing.T) {
	fd := poisonable(t)
	size := os.Getpagesize()
	var maps [2][]byte
	maps[0], maps[1] = shared(t, 1)
	maps[1][0] = 42
	private := pages(t, 1)
	register(t, fd, maps[0])
	register(t, fd, private)
	for _, b := range [][]byte{maps[0], private} {
		if _, errno := poison(t, fd, address(b), uint64(size), 0); errno != 0 {
			t.Fatal(errno)
		}
	}
	t.Run("another mapping of the same memory reads on", func(t *testing.T) {
		if v, _, caught := catch(&maps[1][0]); caught || v != 42 {
			t.Errorf("read %d, SIGBUS %v; want 42 and none", v, caught)
		}
	})
	t.Run("the poisoned mappings do not", func(t *testing.T) {
		for _, b := range [][]byte{maps[0], private} {
			if _, _, caught := catch(&b[0]); !caught {
				t.Errorf("%#x reads on", address(b))
			}
		}
	})
	t.Run("a forked child inherits it with private memory, and reads shared memory on", func(t *testing.T) {
		// A fork copies the page tables of private memory, and the mark of the
		// poison with them; those of shared memory are the child's to fill.
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(p[0])
		defer unix.Close(p[1])
		pid := forkAndRead(uintptr(p[1]), uintptr(address(private)), uintptr(address(maps[0])))
		if pid <= 0 {
			t.Fatalf("fork: %v", unix.Errno(-pid))
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			t.Fatal(err)
		}
		if status.ExitStatus() != 1 {
			t.Errorf("the child ended with %#x, want exit status 1: only its read of private memory failed", status)
		}
		if _, _, caught := catch(&private[0]); !caught {
			t.Error("the fork has lifted the parent's poison")
		}
		if v, _, caught := catch(&maps[1][0]); caught || v != 42 {
			t.Error("the fork has changed the shared memory")
		}
	})
}
