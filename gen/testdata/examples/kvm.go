// Kvm opens /dev/kvm and asks it two things, with bindings of linux/kvm.h.
package main

import (
	"fmt"
	"log"
	"os"
	"syscall"
	"unsafe"
)

//go:generate go run github.com/zuffd/uffd/gen -sysroot /usr/include -arch amd64 -pkg main -name kvm linux/kvm.h

func main() {
	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		log.Fatal(err)
	}
	version, err := ioctl(kvm, KVM_GET_API_VERSION)
	if err != nil {
		log.Fatal(err)
	}
	size, err := ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE)
	if err != nil {
		log.Fatal(err)
	}
	if version != KVM_API_VERSION || size < int(unsafe.Sizeof(KvmRun{})) {
		log.Fatalf("the kernel has version %d, and %d bytes for a struct kvm_run of %d", version, size, unsafe.Sizeof(KvmRun{}))
	}
	fmt.Println("KVM version", version)
}

// ioctl issues a request that takes no argument.
func ioctl(f *os.File, request uintptr) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
