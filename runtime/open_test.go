package userfaultfd_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"github.com/zuffd/uffd/runtime/probe"
	"golang.org/x/sys/unix"
)

// nobody is a user without privileges on every system.
const nobody = 65534

// noFeature is a feature that no kernel has.
const noFeature = userfaultfd.Features(1 << 62)

// skipWithoutDevice skips the test where /dev/userfaultfd is not there, or not
// for this user, having checked that Open says so.
func skipWithoutDevice(t *testing.T) {
	t.Helper()
	device, err := os.OpenFile("/dev/userfaultfd", os.O_RDWR, 0)
	if err == nil {
		device.Close()
		return
	}
	_, openErr := userfaultfd.Open(userfaultfd.Config{Method: userfaultfd.Device})
	switch {
	case errors.Is(err, os.ErrNotExist) && errors.Is(openErr, unix.ENOENT):
		t.Skip("/dev/userfaultfd (Linux 6.1)")
	case errors.Is(err, os.ErrPermission) && errors.Is(openErr, unix.EACCES):
		t.Skip("/dev/userfaultfd is not for this user")
	}
	t.Fatalf("Open: %v, opening the device: %v", openErr, err)
}

func TestOpen(t *testing.T) {
	for _, method := range []userfaultfd.Method{userfaultfd.Syscall, userfaultfd.Device} {
		t.Run("by "+method.String(), func(t *testing.T) {
			c := userfaultfd.Config{Method: method}
			if method == userfaultfd.Device {
				skipWithoutDevice(t)
			}
			f := uffdtest.OpenConfig(t, c)
			m := uffdtest.Map(t, memory.Anonymous, 1)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
			if n, err := f.Zeropage(m.Range(), 0); n != m.Range().Len || err != nil {
				t.Errorf("Zeropage: %d, %v", n, err)
			}
		})
	}
	t.Run("refuses a method that does not exist", func(t *testing.T) {
		if _, err := userfaultfd.Open(userfaultfd.Config{Method: 9}); !errors.Is(err, unix.EINVAL) {
			t.Errorf("got %v, want EINVAL", err)
		}
	})
	t.Run("sets close-on-exec", func(t *testing.T) {
		fd := rawDescriptor(t, uffdtest.Open(t, 0))
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 || err != nil {
			t.Errorf("flags %#x, %v", flags, err)
		}
	})
	t.Run("with a feature that the kernel lacks is unsupported, and names it", func(t *testing.T) {
		_, err := userfaultfd.Open(userfaultfd.Config{Features: noFeature, UserModeOnly: os.Getuid() != 0})
		var missing *userfaultfd.UnsupportedError
		if !errors.As(err, &missing) || !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, unix.EINVAL) {
			t.Fatalf("got %v, want an UnsupportedError", err)
		}
		if missing.Name != "0x4000000000000000" || missing.Since != "" {
			t.Errorf("got %+v", missing)
		}
	})
	t.Run("passes over an optional feature that the kernel lacks", func(t *testing.T) {
		f := uffdtest.OpenConfig(t, userfaultfd.Config{Optional: noFeature | userfaultfd.FeatureEventRemove})
		if f.Features() != userfaultfd.FeatureEventRemove {
			t.Errorf("Features: %v, want EVENT_REMOVE", f.Features())
		}
	})
	t.Run("brings RWP where RWP_ASYNC is wished for", func(t *testing.T) {
		f := uffdtest.OpenConfig(t, userfaultfd.Config{Optional: userfaultfd.FeatureRWPAsync})
		if got := f.Features(); got != 0 && got != userfaultfd.FeatureRWP|userfaultfd.FeatureRWPAsync {
			t.Errorf("Features: %v", got)
		}
	})
	t.Run("agrees with what the kernel says of the descriptor", func(t *testing.T) {
		f := uffdtest.OpenConfig(t, userfaultfd.Config{
			Features: userfaultfd.FeatureEventRemove | userfaultfd.FeatureThreadID,
			Optional: userfaultfd.FeatureWPAsync | userfaultfd.FeatureRWPAsync, // which bring others
		})
		b, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", rawDescriptor(t, f)))
		if err != nil {
			t.Fatal(err)
		}
		if features, _ := userfaultfd.ParseFdinfo(string(b)); features != f.Features() {
			t.Errorf("Features: %v, the kernel says %v", f.Features(), features)
		}
	})
	t.Run("running out of descriptors is EMFILE", func(t *testing.T) {
		runChild(t, "out of descriptors")
	})
}

func init() {
	uffdtest.Children["out of descriptors"] = func([]string) error {
		// Standard input, output and error are all that there may be.
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: 3}); err != nil {
			return err
		}
		_, err := userfaultfd.Open(userfaultfd.Config{Method: userfaultfd.Syscall})
		if errors.Is(err, unix.EPERM) {
			return nil
		}
		if !errors.Is(err, unix.EMFILE) {
			return fmt.Errorf("Open: %v, want EMFILE", err)
		}
		return nil
	}
}

func TestUserModeOnly(t *testing.T) {
	f := uffdtest.OpenConfig(t, userfaultfd.Config{UserModeOnly: true})
	m := uffdtest.Map(t, memory.Anonymous, 1)
	uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
	t.Run("makes a fault of the kernel's fail with EFAULT", func(t *testing.T) {
		if err := uffdtest.Carry(m.Range().Start, false); !errors.Is(err, unix.EFAULT) {
			t.Errorf("write(2) from missing memory: %v, want EFAULT", err)
		}
	})
	t.Run("delivers a fault of user mode", func(t *testing.T) {
		// A child takes it, in Go, and is served from here.
		here, there := uffdtest.Socketpair(t, unix.SOCK_STREAM)
		file, err := there.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		cmd := uffdtest.Child(t, "user mode fault")
		cmd.ExtraFiles = []*os.File{file}
		ended := uffdtest.During(cmd.Run)
		here.SetReadDeadline(time.Now().Add(uffdtest.Deadline))
		f, _, err := userfaultfd.ReceiveFrom(here, make([]byte, 1))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		p := uffdtest.Fault(t, f)
		page := make([]byte, os.Getpagesize())
		page[5] = 99
		if _, err := f.Copy(p.Page(len(page)).Start, page, 0); err != nil {
			t.Fatal(err)
		}
		if err := uffdtest.Within(t, "the child", ended); err != nil {
			t.Error(err)
		}
	})
}

func init() {
	uffdtest.Children["user mode fault"] = func([]string) error {
		f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true})
		if err != nil {
			return err
		}
		m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
		if err != nil {
			return err
		}
		if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
			return err
		}
		c, err := net.FileConn(os.NewFile(3, "socket"))
		if err != nil {
			return err
		}
		if err := f.SendTo(c.(*net.UnixConn), nil); err != nil {
			return err
		}
		if got := m.Bytes()[5]; got != 99 {
			return fmt.Errorf("read %d, want 99", got)
		}
		return nil
	}
}

// runChild runs one of uffdtest.Children, which reports by its exit status.
func runChild(t *testing.T, name string, args ...string) {
	t.Helper()
	if err := uffdtest.Child(t, name, args...).Run(); err != nil {
		t.Fatalf("the child %q: %v", name, err)
	}
}

func TestUnprivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	t.Run("is refused, and told what would help", func(t *testing.T) { runChild(t, "unprivileged") })
	t.Run("is refused fork events", func(t *testing.T) { runChild(t, "unprivileged fork events") })
	t.Run("can have a userfaultfd for faults of user mode", func(t *testing.T) { runChild(t, "unprivileged user mode") })
	t.Run("behind a seccomp filter is ENOSYS, and told so", func(t *testing.T) { runChild(t, "filtered") })
}

// becomeNobody drops every privilege of this process.
func becomeNobody() error {
	if err := syscall.Setgroups(nil); err != nil {
		return err
	}
	if err := syscall.Setgid(nobody); err != nil {
		return err
	}
	return syscall.Setuid(nobody)
}

// wantError checks an error's cause, and that its text has words that help.
func wantError(err error, cause error, words ...string) error {
	if !errors.Is(err, cause) {
		return fmt.Errorf("got %v, want %v", err, cause)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			return fmt.Errorf("%q does not say %q", err, w)
		}
	}
	return nil
}

// unprivilegedAllowed reports whether the system lets everybody handle faults
// of the kernel.
func unprivilegedAllowed() bool {
	b, _ := os.ReadFile("/proc/sys/vm/unprivileged_userfaultfd")
	return strings.TrimSpace(string(b)) == "1"
}

func init() {
	uffdtest.Children["unprivileged"] = func([]string) error {
		if err := becomeNobody(); err != nil {
			return err
		}
		f, err := userfaultfd.Open(userfaultfd.Config{})
		if unprivilegedAllowed() {
			if err == nil {
				f.Close()
			}
			return err
		}
		words := []string{"CAP_SYS_PTRACE", "vm.unprivileged_userfaultfd", "UserModeOnly"}
		if _, statErr := os.Stat("/dev/userfaultfd"); statErr == nil {
			words = append(words, "/dev/userfaultfd")
		}
		if err := wantError(err, unix.EPERM, words...); err != nil {
			return err
		}
		s, err := probe.Kernel()
		if err != nil {
			return err
		}
		for _, w := range s.Ways {
			if works := w.Err == nil; works != (w.UserModeOnly && w.Method == userfaultfd.Syscall) {
				return fmt.Errorf("the probe says of %v, user mode only %v: %v", w.Method, w.UserModeOnly, w.Err)
			}
		}
		return nil
	}
	uffdtest.Children["unprivileged fork events"] = func([]string) error {
		if err := becomeNobody(); err != nil {
			return err
		}
		c := userfaultfd.Config{Features: userfaultfd.FeatureEventFork, UserModeOnly: true}
		before := uffdtest.Descriptors()
		_, err := userfaultfd.Open(c)
		if after := uffdtest.Descriptors(); after != before {
			return fmt.Errorf("%d descriptors before, %d after", before, after)
		}
		if errors.Is(err, errors.ErrUnsupported) {
			return nil // no user mode only before Linux 5.11
		}
		if err := wantError(err, unix.EPERM, "CAP_SYS_PTRACE"); err != nil {
			return err
		}
		c.Features, c.Optional = 0, userfaultfd.FeatureEventFork|userfaultfd.FeatureEventRemove
		f, err := userfaultfd.Open(c)
		if err != nil {
			return err
		}
		if f.Features() != userfaultfd.FeatureEventRemove {
			return fmt.Errorf("features %v, want EVENT_REMOVE", f.Features())
		}
		return f.Close()
	}
	uffdtest.Children["unprivileged user mode"] = func([]string) error {
		if err := becomeNobody(); err != nil {
			return err
		}
		f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true})
		if errors.Is(err, errors.ErrUnsupported) && sys.ReleaseLess(sys.Release(), "5.11") {
			return nil
		}
		if err != nil {
			return err
		}
		return f.Close()
	}
	uffdtest.Children["filtered"] = func([]string) error {
		if err := filterCall(unix.SYS_USERFAULTFD, unix.ENOSYS); err != nil {
			return err
		}
		if _, err := userfaultfd.Open(userfaultfd.Config{Method: userfaultfd.Syscall}); !errors.Is(err, unix.ENOSYS) {
			return fmt.Errorf("Open by the system call: %v, want ENOSYS", err)
		}
		// The device is another way, for those who may open it.
		f, err := userfaultfd.Open(userfaultfd.Config{})
		if _, statErr := os.Stat("/dev/userfaultfd"); statErr == nil {
			if err != nil {
				return fmt.Errorf("Open: %w", err)
			}
			f.Close()
		}
		if err := becomeNobody(); err != nil {
			return err
		}
		_, err = userfaultfd.Open(userfaultfd.Config{})
		return wantError(err, unix.ENOSYS, "seccomp", "/dev/userfaultfd")
	}
}

// filterCall makes a system call fail in this process.
func filterCall(nr uint32, errno unix.Errno) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, err := installFilter([]unix.SockFilter{
		{Code: bpfLoad, K: 0}, // the number of the system call
		{Code: bpfJump, K: nr, Jf: 1},
		{Code: bpfReturn, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		{Code: bpfReturn, K: unix.SECCOMP_RET_ALLOW},
	}, unix.SECCOMP_FILTER_FLAG_TSYNC)
	return err
}
