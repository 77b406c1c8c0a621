// Fuse mounts a file system of its own and shakes hands with the kernel, with
// bindings of linux/fuse.h.
package main

import (
	"fmt"
	"log"
	"os"
	"syscall"
	"unsafe"
)

//go:generate go run github.com/zuffd/uffd/gen -sysroot /usr/include -arch amd64 -pkg main -name fuse linux/fuse.h

func main() {
	dir, err := os.MkdirTemp("", "fuse")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(dir)
	fuse, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		log.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", fuse.Fd(), os.Getuid(), os.Getgid())
	if err := syscall.Mount("example", dir, "fuse", 0, options); err != nil {
		log.Fatal("mount: ", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)

	// The kernel's first request is FUSE_INIT. The memory is aligned for what
	// is read into it.
	var request struct {
		header FuseInHeader
		init   FuseInitIn
		rest   [FUSE_MIN_READ_BUFFER]byte
	}
	n, err := syscall.Read(int(fuse.Fd()), unsafe.Slice((*byte)(unsafe.Pointer(&request)), unsafe.Sizeof(request)))
	if err != nil {
		log.Fatal("read: ", err)
	}
	if request.header.Opcode != uint32(FUSE_INIT) || int(request.header.Len) != n {
		log.Fatalf("request %+v in %d bytes", request.header, n)
	}
	var reply struct {
		header FuseOutHeader
		init   FuseInitOut
	}
	reply.header = FuseOutHeader{Len: uint32(unsafe.Sizeof(reply)), Unique: request.header.Unique}
	reply.init = FuseInitOut{Major: FUSE_KERNEL_VERSION, Minor: min(request.init.Minor, FUSE_KERNEL_MINOR_VERSION), Max_write: 4096}
	if _, err := syscall.Write(int(fuse.Fd()), unsafe.Slice((*byte)(unsafe.Pointer(&reply)), unsafe.Sizeof(reply))); err != nil {
		log.Fatal("write: ", err)
	}
	fmt.Printf("FUSE version %d\n", request.init.Major)
}
