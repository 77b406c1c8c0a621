// Package uffd is the binary interface of Linux's userfaultfd(2), and of the
// PAGEMAP_SCAN ioctl that goes with it: every constant, ioctl number and
// structure of Linux 7.3, without cgo, for 386, amd64, arm, arm64, loong64,
// mips64le, ppc64le, riscv64 and s390x.
//
// The package has no functions of its own. Programs that want to open a
// userfaultfd and use it safely find that in
// [github.com/zuffd/uffd/runtime]; this package is for those who issue the
// system calls themselves.
//
// # Names
//
// Constants keep their C names, and structures and their fields follow
// golang.org/x/sys/unix: struct uffdio_poison is [UffdioPoison], its field
// range is Range. A name that begins with an underscore in C has an X before
// it, since Go would not export it otherwise: _UFFDIO_POISON is
// [X_UFFDIO_POISON]. Those are the bit numbers of the sets of operations that
// the kernel answers UFFDIO_API and UFFDIO_REGISTER with:
//
//	if register.Ioctls&(1<<uffd.X_UFFDIO_POISON) != 0 {
//		// UFFDIO_POISON works on this range.
//	}
//
// A union is memory of its size with a method for each member, which returns
// a pointer to it: [UffdMsg.Pagefault], [UffdMsg.Fork].
//
// # Releases
//
// A comment on each symbol tells the release of Linux that brought it. What
// the running kernel has is learnt by asking it (UFFDIO_API), not from these
// constants.
//
// # Layout
//
// Every file asserts the size of each structure, and the offset and type of
// each field, when it is compiled: GOARCH=arm64 go vet on any machine tests
// the layout of arm64. The files are generated from the headers directory by
// the command in gen; verify holds them against C compilers and kernels.
package uffd

//go:generate go run ./gen -arch all linux/userfaultfd.h
//go:generate go run ./gen -arch all -name pagemap linux/fs.h
