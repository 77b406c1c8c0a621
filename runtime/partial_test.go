package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// TestPartialProgress has the kernel stop short: a seccomp listener takes the
// first two ioctls of an operation, does a page of the one and two of the
// other, and answers EAGAIN with the count, as the kernel does when something
// gets in its way. The operation is to carry on, each page from its own source.
func TestPartialProgress(t *testing.T) {
	// Long enough for the operation to let other goroutines run, whatever is
	// left.
	const pages = 24
	for _, op := range rangeOps {
		o, ok := counting[op.name]
		if !ok {
			continue // it tells no progress
		}
		t.Run(op.name, func(t *testing.T) {
			f := uffdtest.Open(t, op.features|uffdtest.Missing(op.memory))
			m := uffdtest.Map(t, op.memory, pages)
			src := uffdtest.Map(t, memory.Anonymous, pages)
			number(src.Bytes())
			if alias, err := m.Alias(); err == nil {
				defer alias.Close()
				number(alias.Bytes())
			}
			uffdtest.Register(t, f, m, op.register)
			var n uint64
			stops, err := stopShort(o, m.PageSize(), func() (err error) {
				n, err = op.call(f, m.Range(), src, 0)
				return err
			})
			if errors.Is(err, errors.ErrUnsupported) {
				t.Skip(err)
			}
			if n != m.Range().Len || err != nil || stops != 2 {
				t.Fatalf("%d, %v, stopped %d times; want %d, nil and 2", n, err, stops, m.Range().Len)
			}
			switch op.name {
			case "Zeropage":
				uffdtest.Filled(t, m.Bytes(), 0)
			case "Poison":
				for i := range pages {
					if err := memory.Guard(m.Range(), func() { sink = m.Bytes()[i*m.PageSize()] }); err == nil {
						t.Errorf("page %d is not poisoned", i)
					}
				}
			default:
				want := bytes.Clone(m.Bytes())
				number(want)
				if !bytes.Equal(m.Bytes(), want) {
					t.Error("pages have the content of others")
				}
			}
		})
	}
}

// number gives each page, and each word in it, a content of its own.
func number(b []byte) {
	words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
	for i := range words {
		words[i] = uint64(i)
	}
}

// A countingIoctl is an ioctl that counts bytes: which it is, and which words of
// its argument are the length and the count.
type countingIoctl struct {
	request       uintptr
	length, count int
}

var counting = map[string]countingIoctl{
	"Copy":     {uffd.UFFDIO_COPY, 2, 4},
	"Zeropage": {uffd.UFFDIO_ZEROPAGE, 1, 3},
	"Continue": {uffd.UFFDIO_CONTINUE, 1, 3},
	"Poison":   {uffd.UFFDIO_POISON, 1, 3},
	"Move":     {uffd.UFFDIO_MOVE, 2, 4},
}

// stopShort calls f on a thread of its own, makes the first of the ioctls end
// after one page and the second after two, and returns how many it stopped.
func stopShort(o countingIoctl, pageSize int, f func() error) (stops int, err error) {
	listener := make(chan int)
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its filter
		// A signal would end the call that is reported, and begin it anew.
		_, err := uffdtest.BlockSignals()
		fd := -1
		if err == nil {
			fd, err = listen(o.request)
		}
		if err != nil {
			done <- err
			close(listener)
			return
		}
		listener <- fd
		done <- f()
	}()
	fd, ok := <-listener
	if !ok {
		return 0, <-done
	}
	defer unix.Close(fd)
	for call := 1; ; call++ {
		if ended, err := awaitCall(fd, done); ended {
			return stops, err
		}
		stopped, err := answerCall(fd, o, call*pageSize, call <= 2)
		if err != nil {
			return stops, err
		}
		if stopped {
			stops++
		}
	}
}

// awaitCall waits until an ioctl is reported, or the operation has ended.
func awaitCall(fd int, done <-chan error) (ended bool, err error) {
	for {
		select {
		case err := <-done:
			return true, err
		default:
		}
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(p, 10); n == 1 && p[0].Revents&unix.POLLIN != 0 {
			return false, nil
		}
	}
}

// notification is struct seccomp_notif.
type notification struct {
	id         uint64
	pid, flags uint32
	nr, arch   uint32
	ip         uint64
	args       [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// answerCall receives a call, does n bytes of it and has it fail with EAGAIN, or
// lets the kernel do it.
func answerCall(fd int, o countingIoctl, n int, stop bool) (bool, error) {
	var call notification
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(&call))); errno != 0 {
		return false, fmt.Errorf("SECCOMP_IOCTL_NOTIF_RECV: %w", errno)
	}
	answer := response{id: call.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	if stop {
		answer.flags = 0
		answer.errno = -int32(unix.EAGAIN)
		if err := doPart(call, o, n); err != nil {
			return false, err
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&answer))); errno != 0 {
		return false, fmt.Errorf("SECCOMP_IOCTL_NOTIF_SEND: %w", errno)
	}
	return stop, nil
}

// doPart does the first n bytes of a call, and puts the count where the caller
// looks for it.
func doPart(call notification, o countingIoctl, n int) error {
	arg := make([]uint64, o.count+1)
	local := unix.Iovec{Base: (*byte)(unsafe.Pointer(&arg[0]))}
	local.SetLen(8 * len(arg))
	remote := unix.RemoteIovec{Base: uintptr(call.args[2]), Len: 8 * len(arg)}
	if _, err := unix.ProcessVMReadv(unix.Getpid(), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0); err != nil {
		return fmt.Errorf("process_vm_readv: %w", err)
	}
	whole := arg[o.length]
	arg[o.length] = uint64(n)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(call.args[0]), o.request, uintptr(unsafe.Pointer(&arg[0]))); errno != 0 {
		return fmt.Errorf("the first %d bytes: %w", n, errno)
	}
	arg[o.length] = whole
	if _, err := unix.ProcessVMWritev(unix.Getpid(), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0); err != nil {
		return fmt.Errorf("process_vm_writev: %w", err)
	}
	return nil
}

// listen has the kernel report this thread's ioctls of a number, and returns
// where it does.
func listen(request uintptr) (int, error) {
	const (
		number = 0  // offset of the system call's number in struct seccomp_data
		second = 24 // of its second argument
	)
	low := uint32(second)
	if x := uint16(1); *(*byte)(unsafe.Pointer(&x)) == 0 {
		low += 4
	}
	return installFilter([]unix.SockFilter{
		{Code: bpfLoad, K: number},
		{Code: bpfJump, K: unix.SYS_IOCTL, Jf: 3},
		{Code: bpfLoad, K: low},
		{Code: bpfJump, K: uint32(request), Jf: 1},
		{Code: bpfReturn, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: bpfReturn, K: unix.SECCOMP_RET_ALLOW},
	}, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
}

const (
	bpfLoad   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	bpfJump   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	bpfReturn = unix.BPF_RET | unix.BPF_K
)

// installFilter installs a seccomp filter for this thread, or for all of them
// with unix.SECCOMP_FILTER_FLAG_TSYNC. The goroutine is locked to its thread.
func installFilter(filter []unix.SockFilter, flags uintptr) (int, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return -1, fmt.Errorf("seccomp: %w", errno)
	}
	return int(fd), nil
}
