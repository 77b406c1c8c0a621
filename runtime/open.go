package userfaultfd

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"golang.org/x/sys/unix"
)

// A Config says how a userfaultfd is opened. The zero Config opens one that
// handles faults of user and kernel mode and has no feature.
type Config struct {
	// Features must all be there. A kernel without one of them makes Open
	// fail with an [UnsupportedError].
	Features Features

	// Optional features are asked for where the kernel has them and permits
	// them; [File.Features] says which came.
	Optional Features

	// UserModeOnly limits the userfaultfd to faults of user mode. A fault
	// that the kernel meets while it works for a process (in read(2), say)
	// then fails with EFAULT instead of being delivered. In return no
	// privilege is needed. Since Linux 5.11.
	UserModeOnly bool

	// Blocking leaves out O_NONBLOCK, for a program that expects to be handed
	// a descriptor whose reads block. This File is then for handing on and
	// for operations: its Read is refused.
	Blocking bool

	// Method is the way to open. The zero value tries both.
	Method Method
}

// A Method is a way to come by a userfaultfd.
type Method int

// The ways to open a userfaultfd.
const (
	AnyMethod Method = iota // the system call, then the device
	Syscall                 // userfaultfd(2): takes CAP_SYS_PTRACE, vm.unprivileged_userfaultfd or UserModeOnly
	Device                  // /dev/userfaultfd: takes permission to open it; since Linux 6.1
)

// String returns "any", "system call" or "/dev/userfaultfd".
func (m Method) String() string {
	switch m {
	case AnyMethod:
		return "any"
	case Syscall:
		return "system call"
	case Device:
		return devicePath
	}
	return fmt.Sprintf("Method(%d)", int(m))
}

const devicePath = "/dev/userfaultfd"

// Open opens a userfaultfd for the address space of this process and
// negotiates its features (UFFDIO_API). The descriptor has the close-on-exec
// flag.
//
// Negotiation takes two descriptors, since it can succeed only once on each:
// the first asks what the kernel has and is thrown away.
//
// Where the system refuses, the error is unix.EPERM, unix.EACCES, unix.ENOENT
// or unix.ENOSYS to [errors.Is] and says what an administrator can do.
// Features that the kernel lacks are an [UnsupportedError]; so is UserModeOnly
// before Linux 5.11. Asking for FeatureEventFork without CAP_SYS_PTRACE is
// unix.EPERM. Running out of descriptors is unix.EMFILE or unix.ENFILE.
// See userfaultfd(2) and UFFDIO_API(2const).
func Open(c Config) (*File, error) {
	kernel, method, err := ask(c)
	if err != nil {
		return nil, err
	}
	if missing := c.Features &^ Features(kernel.Features); missing != 0 {
		return nil, unsupported(missing)
	}
	want := c.Features | c.Optional&Features(kernel.Features)
	if want&FeatureRWPAsync != 0 {
		want |= FeatureRWP // without which the kernel refuses it
	}

	// The way that has just worked works again.
	c.Method = method
	fd, _, err := create(c)
	if err != nil {
		return nil, err
	}
	api, errno := handshake(fd, want)
	if errno == unix.EPERM && want&^c.Features&FeatureEventFork != 0 {
		// The one feature that takes a privilege was optional. The failed
		// handshake has left the descriptor as it was.
		want &^= FeatureEventFork
		api, errno = handshake(fd, want)
	}
	if errno != 0 {
		unix.Close(fd)
		return nil, &Error{Op: "UFFDIO_API", Err: errno}
	}
	if want&FeatureWPAsync != 0 {
		want |= FeatureWPUnpopulated // implied, says the kernel
	}
	return newFile(fd, c.Blocking, want, Ioctls(api.Ioctls)), nil
}

// Available returns the features that the kernel has for whoever opens a
// userfaultfd in the way of c, and the operations apart from those on ranges,
// which [File.Register] returns. What c asks for does not matter. The errors
// are those of [Open].
func Available(c Config) (Features, Ioctls, error) {
	api, _, err := ask(c)
	return Features(api.Features), Ioctls(api.Ioctls), err
}

// ask returns what the kernel has, learnt on a descriptor of its own, and the
// method that opened it.
func ask(c Config) (uffd.UffdioApi, Method, error) {
	fd, method, err := create(c)
	if err != nil {
		return uffd.UffdioApi{}, 0, err
	}
	defer unix.Close(fd)
	api, errno := handshake(fd, 0)
	if errno != 0 {
		return uffd.UffdioApi{}, 0, &Error{Op: "UFFDIO_API", Err: errno}
	}
	if u := sys.Uname(); claimsWPInVain(unix.ByteSliceToString(u.Machine[:]), unix.ByteSliceToString(u.Release[:])) {
		api.Features &^= uffd.UFFD_FEATURE_PAGEFAULT_FLAG_WP
	}
	return api, method, nil
}

// claimsWPInVain reports whether a kernel's word on write protection is not
// to be believed. Before Linux 5.15 every architecture claimed the feature, let
// memory be registered for it and protected, and then let writes through; only
// x86-64 really had it. machine and release are those of uname(2).
func claimsWPInVain(machine, release string) bool {
	return machine != "x86_64" && sys.ReleaseLess(release, "5.15")
}

// handshake issues UFFDIO_API. The features that come back are all that the
// kernel has, whichever were asked for.
func handshake(fd int, features Features) (uffd.UffdioApi, unix.Errno) {
	api := uffd.UffdioApi{Api: uffd.UFFD_API, Features: uint64(features)}
	errno := ioctl(fd, uffd.UFFDIO_API, unsafe.Pointer(&api))
	return api, errno
}

// create makes a descriptor by c.Method, before any handshake.
func create(c Config) (fd int, used Method, err error) {
	switch c.Method {
	case Syscall:
		fd, err = createBySyscall(c)
		return fd, Syscall, err
	case Device:
		fd, err = createByDevice(c)
		return fd, Device, err
	case AnyMethod:
	default:
		return -1, 0, &Error{Op: "open", Err: fmt.Errorf("%w: no such method: %v", unix.EINVAL, c.Method)}
	}
	fd, err = createBySyscall(c)
	if err == nil {
		return fd, Syscall, nil
	}
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
		return -1, 0, err
	}
	fd, devErr := createByDevice(c)
	if devErr == nil {
		return fd, Device, nil
	}
	return -1, 0, refused(c, err, devErr)
}

func (c *Config) flags() int {
	flags := unix.O_CLOEXEC
	if !c.Blocking {
		flags |= unix.O_NONBLOCK
	}
	if c.UserModeOnly {
		flags |= uffd.UFFD_USER_MODE_ONLY
	}
	return flags
}

func createBySyscall(c Config) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, uintptr(c.flags()), 0, 0)
	if errno != 0 {
		return -1, createError("userfaultfd", c, errno)
	}
	return int(fd), nil
}

func createByDevice(c Config) (int, error) {
	dev, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &Error{Op: "open " + devicePath, Err: err}
	}
	defer unix.Close(dev)
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(dev), uffd.USERFAULTFD_IOC_NEW, uintptr(c.flags()))
	if errno != 0 {
		return -1, createError("USERFAULTFD_IOC_NEW", c, errno)
	}
	return int(fd), nil
}

// createError explains errno. Our flags are all older than this package's
// oldest kernel but one, so EINVAL is about that.
func createError(op string, c Config, errno unix.Errno) error {
	if errno == unix.EINVAL && c.UserModeOnly {
		return &UnsupportedError{Name: "UFFD_USER_MODE_ONLY", Since: "5.11"}
	}
	return &Error{Op: op, Err: errno}
}

// refused is the error of an Open that both ways refuse. It is of both causes
// to errors.Is, and says what would have been enough.
func refused(c Config, bySyscall, byDevice error) error {
	var ways []string
	if errors.Is(bySyscall, unix.ENOSYS) {
		ways = append(ways, "let userfaultfd(2) through the seccomp filter, or run a kernel built with CONFIG_USERFAULTFD")
	} else if c.UserModeOnly {
		ways = append(ways, "let userfaultfd(2) through the seccomp filter or security module that refuses it")
	} else {
		ways = append(ways, "ask for UserModeOnly, which takes no privilege", "give the process CAP_SYS_PTRACE")
		if v, err := os.ReadFile(unprivilegedSysctl); err != nil || strings.TrimSpace(string(v)) != "1" {
			ways = append(ways, "set the sysctl vm.unprivileged_userfaultfd to 1")
		}
	}
	switch {
	case errors.Is(byDevice, unix.EACCES) || errors.Is(byDevice, unix.EPERM):
		ways = append(ways, "give the user read and write permission on "+devicePath)
	case errors.Is(byDevice, unix.ENOENT):
		ways = append(ways, "make "+devicePath+" available (Linux 6.1)")
	}
	return &refusedError{errors.Join(bySyscall, byDevice), strings.Join(ways, ", or ")}
}

const unprivilegedSysctl = "/proc/sys/vm/unprivileged_userfaultfd"

type refusedError struct {
	causes error
	remedy string
}

func (e *refusedError) Unwrap() error { return e.causes }

func (e *refusedError) Error() string {
	return strings.ReplaceAll(e.causes.Error(), "\n", "; ") + "; to allow it: " + e.remedy
}
