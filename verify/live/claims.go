// Package live holds what the running kernel does against what the bindings
// say: the numbers are issued by raw system calls, and the bytes that the
// kernel reads and writes are watched.
package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/linux"
	"golang.org/x/sys/unix"
)

// Ask asks the running kernel.
func Ask(ctx context.Context, root string, all claim.All) []claim.Answer {
	_, name, err := linux.Running()
	a := claim.Answer{Kind: "the running kernel", Oracle: "the running " + name, About: "ioctls as the generator's model for " + runtime.GOARCH + " lays them out"}
	if claims := all[runtime.GOARCH]; err == nil && len(claims) == 0 {
		err = fmt.Errorf("there are no bindings for %s", runtime.GOARCH)
	} else if err == nil {
		a.Verdict, err = Check(claims[0])
	}
	a.Unasked = err
	return []claim.Answer{a}
}

// Check holds a claim of linux/userfaultfd.h against the running kernel, which
// must be of its architecture. Every request is issued with the number and the
// layout that the model claims, and what the kernel writes is looked for where
// the model says that it is. An error means that the kernel could not be asked.
func Check(said *claim.Claim) (claim.Verdict, error) {
	release, _, err := linux.Running()
	if err != nil {
		return claim.Verdict{}, err
	}
	memory, err := unix.Mmap(-1, 0, 3*unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return claim.Verdict{}, err
	}
	defer unix.Munmap(memory)
	unix.Madvise(memory, unix.MADV_NOHUGEPAGE)
	r, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if errno != 0 {
		return claim.Verdict{}, refused(errno)
	}
	c := &claims{m: said.Model, running: release, fd: int(r), memory: memory}
	defer unix.Close(c.fd) // which lets go of a thread that waits
	for _, step := range []func(){c.handshake, c.register, c.fill, c.fault} {
		if step(); len(c.Wrong) > 0 {
			break // what follows depends on it
		}
	}
	return c.Verdict, nil
}

// refused is the error of userfaultfd(2), with what to do about it.
func refused(errno unix.Errno) error {
	if errno == unix.EPERM {
		return fmt.Errorf("userfaultfd(2): %w: it takes root, CAP_SYS_PTRACE or 'sysctl vm.unprivileged_userfaultfd=1'", errno)
	}
	return fmt.Errorf("userfaultfd(2): %w", errno)
}

// claims is a model while it is tried.
type claims struct {
	m        *abi.Model
	running  linux.Release
	fd       int
	memory   []byte // three pages
	features uint64
	claim.Verdict
}

// expect compares one answer of the kernel.
func (c *claims) expect(ok bool, format string, args ...any) {
	c.Compared++
	if !ok {
		c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
	}
}

func (c *claims) handshake() {
	arg := c.argument("uffdio_api")
	arg.set("api", c.constant("UFFD_API"))
	c.expectNo(c.issue("UFFDIO_API", arg), "UFFDIO_API")
	c.features = arg.get("features")
	c.answers(arg, "UFFDIO_API", "_UFFDIO_REGISTER", "_UFFDIO_UNREGISTER", "_UFFDIO_API")
	for _, k := range c.m.Constants {
		came, err := linux.Parse(k.Since)
		if !strings.HasPrefix(k.Name, "UFFD_FEATURE_") || err != nil {
			continue
		}
		has, old := c.features&k.Value.Uint64() != 0, c.running.Before(came)
		c.expect(!has || !old, "Linux %v has %s (%v), said to be since %v", c.running, k.Name, k.Value, came)
		if runtime.GOARCH == "amd64" { // others lack some features, or claim them early
			c.expect(has || old, "Linux %v does not have %s (%v), said to be since %v", c.running, k.Name, k.Value, came)
		}
	}
}

func (c *claims) register() {
	arg := c.argument("uffdio_register")
	arg.set("range.start", address(c.memory))
	arg.set("range.len", uint64(len(c.memory)))
	arg.set("mode", c.constant("UFFDIO_REGISTER_MODE_MISSING"))
	c.expectNo(c.issue("UFFDIO_REGISTER", arg), "UFFDIO_REGISTER")
	c.answers(arg, "UFFDIO_REGISTER", "_UFFDIO_COPY", "_UFFDIO_ZEROPAGE", "_UFFDIO_WAKE")
}

func (c *claims) fill() {
	page := unix.Getpagesize()
	src := bytes.Repeat([]byte{'x'}, page)
	c.twice("UFFDIO_COPY", "uffdio_copy", "copy", map[string]uint64{"dst": address(c.memory), "src": address(src), "len": uint64(page)})
	runtime.KeepAlive(src)
	if feature := c.constant("UFFD_FEATURE_POISON"); feature != 0 && c.features&feature != 0 {
		c.twice("UFFDIO_POISON", "uffdio_poison", "updated", map[string]uint64{"range.start": address(c.memory[page:]), "range.len": uint64(page)})
	}
}

// twice issues a request that fills a page: the second time the page is there.
func (c *claims) twice(request, tag, result string, in map[string]uint64) {
	for _, want := range []int64{int64(unix.Getpagesize()), -int64(unix.EEXIST)} {
		arg := c.argument(tag)
		for path, v := range in {
			arg.set(path, v)
		}
		arg.set(result, 0x5555)
		errno := c.issue(request, arg)
		c.expect(errno == 0 && want > 0 || errno == unix.EEXIST && want < 0, "%s ends with %q", request, errno.Error())
		c.expectResult(arg, result, want)
	}
}

// fault lets a thread wait for the third page, reads the message and fills the
// page. The thread waits in a system call, where it holds up nobody.
func (c *claims) fault() {
	page := unix.Getpagesize()
	last := c.memory[2*page:]
	done := make(chan struct{})
	go func() {
		unix.Madvise(last, unix.MADV_POPULATE_WRITE)
		close(done)
	}()
	msg := c.argument("uffd_msg")
	err := error(unix.EINTR)
	for err == unix.EINTR {
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, 5000)
	}
	n, err := unix.Read(c.fd, msg.bytes)
	switch {
	case err == unix.EINVAL:
		c.expect(false, "a read of %d bytes is too small for a uffd_msg", len(msg.bytes))
	case err != nil:
		select {
		case <-done: // MADV_POPULATE_WRITE came with Linux 5.14
		case <-time.After(time.Second):
			c.expect(false, "no message of a fault: %v", err)
		}
		return
	default:
		c.expect(n == int(msg.s.Size), "a message has %d bytes, claimed %d", n, msg.s.Size)
		c.expect(msg.get("event") == c.constant("UFFD_EVENT_PAGEFAULT"), "a fault's event is %#x", msg.get("event"))
		c.expect(msg.get("arg.pagefault.address") == address(last), "a fault's address is %#x, the page's %#x", msg.get("arg.pagefault.address"), address(last))
		c.expect(msg.get("arg.pagefault.flags") == c.constant("UFFD_PAGEFAULT_FLAG_WRITE"), "a write's flags are %#x", msg.get("arg.pagefault.flags"))
	}
	arg := c.argument("uffdio_zeropage")
	arg.set("range.start", address(last))
	arg.set("range.len", uint64(page))
	c.expectNo(c.issue("UFFDIO_ZEROPAGE", arg), "UFFDIO_ZEROPAGE")
	c.expectResult(arg, "zeropage", int64(page))
}

func (c *claims) expectNo(errno unix.Errno, op string) {
	c.expect(errno == 0, "%s fails: %v", op, errno)
}

// expectResult compares a count that the kernel wrote, read with the sign that
// the model claims.
func (c *claims) expectResult(a *argument, path string, want int64) {
	v := a.get(path)
	got := fmt.Sprint(v)
	if _, signed := a.field(path); signed {
		got = fmt.Sprint(int64(v))
	}
	c.expect(got == fmt.Sprint(want), "%s.%s is %s after the operation, expected %d", a.s.Name, path, got, want)
}

func (c *claims) constant(name string) uint64 {
	for _, k := range c.m.Constants {
		if k.Name == name {
			return k.Value.Uint64()
		}
	}
	c.expect(false, "%s is not claimed", name)
	return 0
}

// answers compares a set of operations that the kernel wrote.
func (c *claims) answers(a *argument, request string, ops ...string) {
	for _, op := range ops {
		c.expect(a.get("ioctls")>>(c.constant(op)&63)&1 == 1, "%s answers operations %#x without %s", request, a.get("ioctls"), op)
	}
}

// issue issues a request that the model claims. The kernel takes a request by
// its whole number, in which the argument's size is encoded.
func (c *claims) issue(name string, a *argument) unix.Errno {
	request := c.constant(name)
	if len(a.bytes) == 0 {
		return unix.ENOSYS
	}
	errno := ioctl(c.fd, uintptr(request), unsafe.Pointer(unsafe.SliceData(a.bytes)))
	if errno != unix.EINVAL {
		size := int64(request >> 16 & 0x1fff)
		c.expect(size == a.s.Size, "%s takes %d bytes, %s is claimed to have %d", name, size, a.s.Name, a.s.Size)
	}
	if i := slices.IndexFunc(a.bytes[a.s.Size:], func(b byte) bool { return b != canary }); i >= 0 {
		c.expect(false, "%s writes at offset %d, %s is claimed to end at %d", name, int(a.s.Size)+i, a.s.Name, a.s.Size)
	}
	return errno
}

// canary is what stands behind an argument.
const canary = 0xa5

// An argument is the memory of a struct, laid out as the model claims.
type argument struct {
	c     *claims
	s     abi.Struct
	bytes []byte // more than the struct
}

func (c *claims) argument(tag string) *argument {
	a := &argument{c: c}
	s := c.structure(tag)
	if s.Size <= 0 || s.Size > 4096 {
		c.expect(false, "struct %s is not claimed, or has no sane size", tag)
		return a
	}
	a.s = s
	a.bytes = append(make([]byte, s.Size), bytes.Repeat([]byte{canary}, 64)...)
	if tag == "uffd_msg" {
		a.bytes = a.bytes[:s.Size] // read(2) would fill it with messages
	}
	return a
}

func (c *claims) structure(name string) abi.Struct {
	for _, s := range c.m.Structs {
		if s.Name == name {
			return s
		}
	}
	return abi.Struct{}
}

// field returns the bytes of a member, by its designator, and whether it is
// signed. There are none where the model claims none that can be.
func (a *argument) field(path string) (b []byte, signed bool) {
	s, offset := a.s, int64(0)
	var f abi.Field
	for name := range strings.SplitSeq(path, ".") {
		i := slices.IndexFunc(s.Fields, func(f abi.Field) bool { return f.Name == name })
		if i < 0 {
			offset = -1
			break
		}
		f = s.Fields[i]
		offset += f.Offset
		if _, tag, aggregate := strings.Cut(f.Kind, " "); aggregate {
			s = a.c.structure(tag)
		}
	}
	if offset < 0 || f.Size <= 0 || f.Size > 8 || offset+f.Size > int64(len(a.bytes)) {
		a.c.expect(false, "%s.%s is not claimed, or lies outside", a.s.Name, path)
		return nil, false
	}
	return a.bytes[offset : offset+f.Size], strings.HasPrefix(f.Kind, "int")
}

// shift is by how many bits byte i of n is shifted in a number.
func shift(i, n int) int {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 { // big-endian
		return 8 * (n - 1 - i)
	}
	return 8 * i
}

func (a *argument) set(path string, v uint64) {
	b, _ := a.field(path)
	for i := range b {
		b[i] = byte(v >> shift(i, len(b)))
	}
}

func (a *argument) get(path string) (v uint64) {
	b, _ := a.field(path)
	for i := range b {
		v |= uint64(b[i]) << shift(i, len(b))
	}
	return v
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno
}

func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
