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
	_, name, _ := linux.Running()
	a := claim.Answer{Kind: "the running kernel", Oracle: "the running " + name, About: "ioctls as the generator's model for " + runtime.GOARCH + " lays them out"}
	if claims := all[runtime.GOARCH]; len(claims) > 0 {
		a.Verdict, a.Unasked = Check(claims[0])
	} else {
		a.Unasked = fmt.Errorf("there are no bindings for %s", runtime.GOARCH)
	}
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
	c := &check{constants: said.Model.Constants, structs: map[string]abi.Struct{}, running: release, fd: int(r), memory: memory}
	for _, s := range said.Model.Structs {
		c.structs[s.Name] = s
	}
	defer func() {
		unix.Close(c.fd) // which lets go of a thread that waits
		if c.touched != nil {
			<-c.touched // what is mapped next may get the address
		}
	}()
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

// A check is a model while it is tried.
type check struct {
	constants []abi.Constant
	structs   map[string]abi.Struct
	running   abi.Release
	fd        int
	memory    []byte        // three pages
	features  uint64        // that the kernel has
	touched   chan struct{} // closed by the thread that fault has touch memory, or nil
	claim.Verdict
}

// expect compares one answer of the kernel.
func (c *check) expect(ok bool, format string, args ...any) {
	c.Compared++
	if !ok {
		c.Wrong = append(c.Wrong, fmt.Sprintf(format, args...))
	}
}

func (c *check) handshake() {
	out := c.issue("UFFDIO_API", values{"api": c.constant("UFFD_API"), "features": abi.Int{}}, 0)
	c.features = out["features"].Uint64()
	c.expectOperations(out, "_UFFDIO_REGISTER", "_UFFDIO_UNREGISTER", "_UFFDIO_API")
	for _, k := range c.constants {
		came, err := abi.ParseRelease(k.Since)
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

func (c *check) register() {
	in := over(c.memory)
	in["mode"] = c.constant("UFFDIO_REGISTER_MODE_MISSING")
	c.expectOperations(c.issue("UFFDIO_REGISTER", in, 0), "_UFFDIO_COPY", "_UFFDIO_ZEROPAGE", "_UFFDIO_WAKE")
}

// fill fills the first page, and the second if the kernel can poison it.
func (c *check) fill() {
	page := unix.Getpagesize()
	src := bytes.Repeat([]byte{'x'}, page)
	poison := c.constant("UFFD_FEATURE_POISON").Uint64()
	for _, want := range []int{page, -int(unix.EEXIST)} { // the second time the page is there
		c.install("UFFDIO_COPY", "copy", want, values{
			"dst": abi.Unsigned(address(c.memory)), "src": abi.Unsigned(address(src)), "len": abi.Unsigned(uint64(page))})
		if c.features&poison != 0 {
			c.install("UFFDIO_POISON", "updated", want, over(c.memory[page:2*page]))
		}
	}
	runtime.KeepAlive(src)
}

// fault lets a thread wait for the third page, reads the message and fills the
// page. The thread waits in a system call, where it holds up nobody.
func (c *check) fault() {
	page := unix.Getpagesize()
	last := c.memory[2*page:]
	if unix.Madvise(c.memory[:page], unix.MADV_POPULATE_WRITE) == unix.EINVAL {
		return // it came with Linux 5.14
	}
	c.touched = make(chan struct{})
	go func() {
		unix.Madvise(last, unix.MADV_POPULATE_WRITE)
		close(c.touched)
	}()
	memory := c.encode("uffd_msg", nil)
	n, err := unix.Read(c.fd, memory)
	for try := 0; try < 500 && (err == unix.EAGAIN || err == unix.EINTR); try++ {
		time.Sleep(10 * time.Millisecond)
		n, err = unix.Read(c.fd, memory)
	}
	if err != nil {
		c.expect(false, "no message of a fault in %d bytes: %v", len(memory), err)
		return
	}
	msg := c.decode("uffd_msg", memory)
	at, flags := msg["arg.pagefault.address"].Uint64(), msg["arg.pagefault.flags"]
	c.expect(n == len(memory), "a message has %d bytes, claimed %d", n, len(memory))
	c.expect(msg["event"] == c.constant("UFFD_EVENT_PAGEFAULT"), "a fault's event is %v", msg["event"])
	c.expect(at == address(last), "a fault's address is %#x, the page's %#x", at, address(last))
	c.expect(flags == c.constant("UFFD_PAGEFAULT_FLAG_WRITE"), "a write's flags are %v", flags)
	c.install("UFFDIO_ZEROPAGE", "zeropage", page, over(last))
}

// expectOperations expects the operations among those that the kernel wrote.
func (c *check) expectOperations(out values, operations ...string) {
	for _, name := range operations {
		bit := c.constant(name).Uint64()
		c.expect(out["ioctls"].Uint64()>>(bit&63)&1 == 1, "the kernel answers operations %v without %s", out["ioctls"], name)
	}
}

// install issues a request that fills memory, and expects the kernel to write
// a count of bytes, or a negated errno, into the member result.
func (c *check) install(name, result string, want int, in values) {
	in[result] = abi.Unsigned(0x5555)
	out := c.issue(name, in, unix.Errno(max(0, -want)))
	c.expect(out[result] == abi.Signed(int64(want)), "%s writes %v into %s, expected %d", name, out[result], result, want)
}

// issue issues a request that the model claims on the struct of its name, with
// these values, and returns those that are there then. The kernel takes a
// request by its whole number, in which the struct's size is encoded.
func (c *check) issue(name string, in values, want unix.Errno) (out values) {
	tag, request := strings.ToLower(name), c.constant(name).Uint64()
	memory := c.encode(tag, in)
	end := len(memory)
	memory = append(memory, bytes.Repeat([]byte{canary}, 64)...)
	errno := ioctl(c.fd, uintptr(request), unsafe.Pointer(unsafe.SliceData(memory)))
	c.expect(errno == want, "%s ends with %q, expected %q", name, errno, want)
	if size := int(request >> 16 & 0x1fff); errno != unix.EINVAL {
		c.expect(size == end, "%s takes %d bytes, struct %s is claimed to have %d", name, size, tag, end)
	}
	if i := slices.IndexFunc(memory[end:], func(b byte) bool { return b != canary }); i >= 0 {
		c.expect(false, "%s writes at offset %d, struct %s is claimed to end at %d", name, end+i, tag, end)
	}
	return c.decode(tag, memory[:end])
}

// canary is what stands behind a struct.
const canary = 0xa5

func (c *check) constant(name string) abi.Int {
	for _, k := range c.constants {
		if k.Name == name {
			return k.Value
		}
	}
	c.expect(false, "%s is not claimed", name)
	return abi.Int{}
}

// values are those of a struct's members, by their designators.
type values map[string]abi.Int

// over are the values of a range of memory.
func over(b []byte) values {
	return values{"range.start": abi.Unsigned(address(b)), "range.len": abi.Unsigned(uint64(len(b)))}
}

// encode returns the memory of a struct of these values, as the model lays it
// out.
func (c *check) encode(tag string, in values) []byte {
	memory := make([]byte, min(max(c.structs[tag].Size, 0), 4096))
	members := c.members(tag)
	for path, v := range in {
		b := bytesAt(memory, members[path])
		if b == nil {
			c.expect(false, "%s.%s is not claimed, or lies outside", tag, path)
		}
		copy(b, low(binary.NativeEndian.AppendUint64(nil, v.Uint64()), len(b)))
	}
	return memory
}

// decode returns the values of a struct in memory, with the signs that the
// model claims.
func (c *check) decode(tag string, memory []byte) values {
	out := values{}
	for path, f := range c.members(tag) {
		b, number := bytesAt(memory, f), make([]byte, 8)
		copy(low(number, len(b)), b)
		v := binary.NativeEndian.Uint64(number)
		out[path] = abi.Unsigned(v)
		if strings.HasPrefix(f.Kind, "int") {
			out[path] = abi.Signed(int64(v))
		}
	}
	return out
}

// members returns the members of a struct, and theirs, by their designators,
// where they lie in it.
func (c *check) members(tag string) map[string]abi.Field {
	all := map[string]abi.Field{}
	for _, f := range c.structs[tag].Fields {
		all[f.Name] = f
		if _, inner, ok := strings.Cut(f.Kind, " "); ok {
			for path, m := range c.members(inner) {
				m.Offset += f.Offset
				all[f.Name+"."+path] = m
			}
		}
	}
	return all
}

// bytesAt returns the bytes of a member that is a number, and none if it cannot
// be one, or lies outside.
func bytesAt(memory []byte, f abi.Field) []byte {
	if f.Offset < 0 || f.Size <= 0 || f.Size > 8 || f.Offset > int64(len(memory))-f.Size {
		return nil
	}
	return memory[f.Offset : f.Offset+f.Size]
}

// low returns the n bytes of a number that are its lowest.
func low(number []byte, n int) []byte {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 { // big-endian
		return number[len(number)-n:]
	}
	return number[:n]
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno
}

func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
