// Code generated from linux/userfaultfd.h for linux/loong64; DO NOT EDIT.

package uffd

import (
	"structs"
	"unsafe"
)

// Opening a userfaultfd. See userfaultfd(2).
const (
	// UFFD_USER_MODE_ONLY is a flag of userfaultfd(2) and USERFAULTFD_IOC_NEW,
	// beside O_CLOEXEC and O_NONBLOCK: only faults of user mode are delivered. A
	// fault that the kernel meets while it works for a process makes the system
	// call fail with EFAULT. With it the system call takes no privilege. Since
	// Linux 5.11.
	UFFD_USER_MODE_ONLY = 0x1

	// USERFAULTFD_IOC is the ioctl type of /dev/userfaultfd. Since Linux 6.1.
	USERFAULTFD_IOC = 0xaa

	// USERFAULTFD_IOC_NEW makes a new userfaultfd, issued on a descriptor of
	// /dev/userfaultfd. The argument is the flags of userfaultfd(2), by value;
	// the result is the descriptor. Whoever may open the device needs no other
	// privilege. Errors: EINVAL (unknown flag), EMFILE, ENFILE, ENOMEM. Since
	// Linux 6.1.
	USERFAULTFD_IOC_NEW = 0xaa00
)

// The handshake: what is asked for, and what the kernel has.
const (
	// UFFD_API is the version of the interface, which UffdioApi.Api must hold.
	// There has been only one. Since Linux 4.3.
	UFFD_API = 0xaa

	// UFFD_API_REGISTER_MODES is every registration mode of this header's
	// release. It says nothing of the running kernel. Since Linux 5.13.
	UFFD_API_REGISTER_MODES = 0xf

	// UFFD_API_FEATURES is every feature of this header's release. It says
	// nothing of the running kernel, which answers UFFDIO_API with its own set;
	// asking for all of these fails on every older kernel. Since Linux 4.3.
	UFFD_API_FEATURES = 0x7ffff

	// UFFD_API_IOCTLS is the set of operations on a userfaultfd as a whole that
	// this header's release has, a bit 1<<X_UFFDIO_x each. The running kernel
	// writes its own set into UffdioApi.Ioctls. Since Linux 4.3.
	UFFD_API_IOCTLS = 0x8000000000000403

	// UFFD_API_RANGE_IOCTLS is the set of operations on a range that this
	// header's release has, a bit 1<<X_UFFDIO_x each. The running kernel writes
	// the set that works on a range into UffdioRegister.Ioctls. Since Linux 4.3.
	UFFD_API_RANGE_IOCTLS = 0x3fc

	// UFFD_API_RANGE_IOCTLS_BASIC is the subset of UFFD_API_RANGE_IOCTLS that
	// hugetlb memory has: no zero page, and no moving. Since Linux 4.11.
	UFFD_API_RANGE_IOCTLS_BASIC = 0x3cc
)

// Features, the bits of UffdioApi.Features. A program asks UFFDIO_API for
// those that it wants; the kernel answers with all that it has.
const (
	// UFFD_FEATURE_PAGEFAULT_FLAG_WP: write-protect faults, that is
	// UFFDIO_REGISTER_MODE_WP and UFFDIO_WRITEPROTECT, work on anonymous memory.
	// arm64 reports this bit before it has what it promises. Since Linux 5.7.
	UFFD_FEATURE_PAGEFAULT_FLAG_WP = 0x1

	// UFFD_FEATURE_EVENT_FORK: fork(2) delivers UFFD_EVENT_FORK with a
	// userfaultfd of the child, and waits until the event is read. Asking for it
	// takes CAP_SYS_PTRACE, else UFFDIO_API fails with EPERM. Since Linux 4.11.
	UFFD_FEATURE_EVENT_FORK = 0x2

	// UFFD_FEATURE_EVENT_REMAP: mremap(2) of registered memory delivers
	// UFFD_EVENT_REMAP, and the registration moves with the memory; without it
	// the memory is unregistered at its new place. Since Linux 4.11.
	UFFD_FEATURE_EVENT_REMAP = 0x4

	// UFFD_FEATURE_EVENT_REMOVE: madvise(2) with MADV_DONTNEED, MADV_REMOVE or
	// the like on registered memory delivers UFFD_EVENT_REMOVE, and waits until
	// the event is read. Since Linux 4.11.
	UFFD_FEATURE_EVENT_REMOVE = 0x8

	// UFFD_FEATURE_MISSING_HUGETLBFS: hugetlb memory can be registered with
	// UFFDIO_REGISTER_MODE_MISSING. Asking for it changes nothing. Since Linux
	// 4.11.
	UFFD_FEATURE_MISSING_HUGETLBFS = 0x10

	// UFFD_FEATURE_MISSING_SHMEM: shared memory (tmpfs, memfd_create(2), shared
	// anonymous mappings) can be registered with UFFDIO_REGISTER_MODE_MISSING.
	// Asking for it changes nothing. Since Linux 4.11.
	UFFD_FEATURE_MISSING_SHMEM = 0x20

	// UFFD_FEATURE_EVENT_UNMAP: munmap(2), and whatever else unmaps registered
	// memory, delivers UFFD_EVENT_UNMAP, and waits until the event is read.
	// Since Linux 4.11.
	UFFD_FEATURE_EVENT_UNMAP = 0x40

	// UFFD_FEATURE_SIGBUS: a fault raises SIGBUS in the faulting thread instead
	// of being delivered, so that no other thread need handle it. Since Linux
	// 4.14.
	UFFD_FEATURE_SIGBUS = 0x80

	// UFFD_FEATURE_THREAD_ID: a fault's message tells the id of the faulting
	// thread. Since Linux 4.14.
	UFFD_FEATURE_THREAD_ID = 0x100

	// UFFD_FEATURE_MINOR_HUGETLBFS: shared hugetlb memory can be registered with
	// UFFDIO_REGISTER_MODE_MINOR. Asking for it changes nothing. Since Linux
	// 5.13.
	UFFD_FEATURE_MINOR_HUGETLBFS = 0x200

	// UFFD_FEATURE_MINOR_SHMEM: shared memory can be registered with
	// UFFDIO_REGISTER_MODE_MINOR. Asking for it changes nothing. Since Linux
	// 5.14.
	UFFD_FEATURE_MINOR_SHMEM = 0x400

	// UFFD_FEATURE_EXACT_ADDRESS: a fault's message tells the address that was
	// accessed; without it, the first byte of its page. s390x, whose hardware
	// reports no more than the page, tells that with this feature too. Since
	// Linux 5.18.
	UFFD_FEATURE_EXACT_ADDRESS = 0x800

	// UFFD_FEATURE_WP_HUGETLBFS_SHMEM: shared and hugetlb memory can be
	// registered with UFFDIO_REGISTER_MODE_WP. Asking for it changes nothing.
	// Since Linux 5.19.
	UFFD_FEATURE_WP_HUGETLBFS_SHMEM = 0x1000

	// UFFD_FEATURE_WP_UNPOPULATED: UFFDIO_WRITEPROTECT protects pages of
	// anonymous memory that are not there yet, too. Shared and hugetlb memory
	// always behave so. Since Linux 6.4.
	UFFD_FEATURE_WP_UNPOPULATED = 0x2000

	// UFFD_FEATURE_POISON: UFFDIO_POISON works. Asking for it changes nothing.
	// Since Linux 6.6.
	UFFD_FEATURE_POISON = 0x4000

	// UFFD_FEATURE_WP_ASYNC: a write to a write-protected page delivers no
	// fault; the kernel lifts the protection by itself, and PAGEMAP_SCAN tells
	// which pages were written. It implies UFFD_FEATURE_WP_UNPOPULATED. Since
	// Linux 6.7.
	UFFD_FEATURE_WP_ASYNC = 0x8000

	// UFFD_FEATURE_MOVE: UFFDIO_MOVE works. Asking for it changes nothing. Since
	// Linux 6.8.
	UFFD_FEATURE_MOVE = 0x10000

	// UFFD_FEATURE_RWP: access protection, that is UFFDIO_REGISTER_MODE_RWP and
	// UFFDIO_RWPROTECT, works on anonymous, shared and hugetlb memory. Kernels
	// of 32-bit architectures do not have it. Since Linux 7.3.
	UFFD_FEATURE_RWP = 0x20000

	// UFFD_FEATURE_RWP_ASYNC: an access to an access-protected page delivers no
	// fault; the kernel lifts the protection by itself, and PAGEMAP_SCAN tells
	// which pages were accessed. UFFDIO_SET_MODE switches it. Since Linux 7.3.
	UFFD_FEATURE_RWP_ASYNC = 0x40000
)

// The numbers of the operations: bit 1 << n of UffdioApi.Ioctls and of
// UffdioRegister.Ioctls stands for operation n.
const (
	// X_UFFDIO_REGISTER is the number of UFFDIO_REGISTER. Since Linux 4.3.
	X_UFFDIO_REGISTER = 0x0

	// X_UFFDIO_UNREGISTER is the number of UFFDIO_UNREGISTER. Since Linux 4.3.
	X_UFFDIO_UNREGISTER = 0x1

	// X_UFFDIO_WAKE is the number of UFFDIO_WAKE. Since Linux 4.3.
	X_UFFDIO_WAKE = 0x2

	// X_UFFDIO_COPY is the number of UFFDIO_COPY. Since Linux 4.3.
	X_UFFDIO_COPY = 0x3

	// X_UFFDIO_ZEROPAGE is the number of UFFDIO_ZEROPAGE. Since Linux 4.3.
	X_UFFDIO_ZEROPAGE = 0x4

	// X_UFFDIO_MOVE is the number of UFFDIO_MOVE. Since Linux 6.8.
	X_UFFDIO_MOVE = 0x5

	// X_UFFDIO_WRITEPROTECT is the number of UFFDIO_WRITEPROTECT. Since Linux
	// 5.7.
	X_UFFDIO_WRITEPROTECT = 0x6

	// X_UFFDIO_CONTINUE is the number of UFFDIO_CONTINUE. Since Linux 5.13.
	X_UFFDIO_CONTINUE = 0x7

	// X_UFFDIO_POISON is the number of UFFDIO_POISON. Since Linux 6.6.
	X_UFFDIO_POISON = 0x8

	// X_UFFDIO_RWPROTECT is the number of UFFDIO_RWPROTECT. Since Linux 7.3.
	X_UFFDIO_RWPROTECT = 0x9

	// X_UFFDIO_SET_MODE is the number of UFFDIO_SET_MODE. Since Linux 7.3.
	X_UFFDIO_SET_MODE = 0xa

	// X_UFFDIO_API is the number of UFFDIO_API, the one that a later version of
	// the interface would keep. Since Linux 4.3.
	X_UFFDIO_API = 0x3f
)

// The operations: requests for ioctl(2) on a userfaultfd. See
// ioctl_userfaultfd(2). All fail with EINVAL before the handshake, and with
// EFAULT if the argument cannot be read or written.
const (
	// UFFDIO is the ioctl type of the operations. Since Linux 4.3.
	UFFDIO = 0xaa

	// UFFDIO_API is the handshake, which comes before all other operations and
	// succeeds once: it asks for features and learns what the kernel has. Its
	// argument is UffdioApi. Errors: EINVAL (unknown version or feature, or done
	// already; the argument is zeroed), EPERM (UFFD_FEATURE_EVENT_FORK without
	// CAP_SYS_PTRACE). See UFFDIO_API(2const). Since Linux 4.3.
	UFFDIO_API = 0xc018aa3f

	// UFFDIO_REGISTER asks for the faults of a range of memory; holes in it are
	// passed over. Its argument is UffdioRegister. To change the mode of a
	// range, unregister it first: registering it again in fewer modes takes none
	// away, and fails with EBUSY since Linux 7.3. Errors: EINVAL (not in whole
	// pages, empty, nothing mapped, memory that cannot be registered in this
	// mode, unknown mode), EBUSY (registered with another userfaultfd), ENOMEM
	// (no memory, or the process is gone), EPERM (a shared mapping that may
	// never be written). See UFFDIO_REGISTER(2const). Since Linux 4.3.
	UFFDIO_REGISTER = 0xc020aa00

	// UFFDIO_UNREGISTER ends the registration of a range and wakes the threads
	// that wait in it. Its argument is UffdioRange, which the kernel only reads;
	// that the request says otherwise is history. Errors: EINVAL (not in whole
	// pages, empty, nothing mapped, memory that cannot be registered), ENOMEM
	// (no memory, or the process is gone). See UFFDIO_UNREGISTER(2const). Since
	// Linux 4.3.
	UFFDIO_UNREGISTER = 0x8010aa01

	// UFFDIO_WAKE wakes the threads that wait for a fault in a range. Its
	// argument is UffdioRange, which the kernel only reads; that the request
	// says otherwise is history. Errors: EINVAL (not in whole pages, or empty).
	// See UFFDIO_WAKE(2const). Since Linux 4.3.
	UFFDIO_WAKE = 0x8010aa02

	// UFFDIO_COPY fills missing pages with bytes of the calling process, page by
	// page and each at once, and wakes the threads that wait for them. Its
	// argument is UffdioCopy. Errors: EAGAIN (stopped short: see
	// UffdioCopy.Copy), EINVAL (not in whole pages, empty, unknown mode), EEXIST
	// (a page is there already), ENOENT (not registered with this userfaultfd),
	// EFAULT (the source cannot be read), ENOMEM, ENOSPC (no room in the file
	// system, or no huge page), ESRCH (the process is gone; ENOSPC before Linux
	// 4.13). See UFFDIO_COPY(2const). Since Linux 4.3.
	UFFDIO_COPY = 0xc028aa03

	// UFFDIO_ZEROPAGE fills missing pages with zeros and wakes the threads that
	// wait for them; not on hugetlb memory. Its argument is UffdioZeropage.
	// Errors: EAGAIN (stopped short: see UffdioZeropage.Zeropage), EINVAL (not
	// in whole pages, empty, unknown mode, hugetlb), EEXIST (a page is there
	// already), ENOENT (not registered with this userfaultfd), ENOMEM, ESRCH
	// (the process is gone; ENOSPC before Linux 4.13). See
	// UFFDIO_ZEROPAGE(2const). Since Linux 4.3.
	UFFDIO_ZEROPAGE = 0xc020aa04

	// UFFDIO_MOVE fills missing pages of private anonymous memory with pages of
	// other such memory in the same process, which disappear there. Nothing is
	// copied. Only the process whose memory it is can do so. Its argument is
	// UffdioMove. Errors: EAGAIN (stopped short: see UffdioMove.Move), EINVAL
	// (not in whole pages, empty, unknown mode, mappings that are not private
	// and anonymous, or differ in protection or locking, a destination that is
	// not registered with this userfaultfd, another process's memory), EEXIST (a
	// page is there already), ENOENT (nothing is mapped, or a source page is
	// missing and UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES is not set), EBUSY (a source
	// page is shared or pinned), EPERM, ENOMEM. See UFFDIO_MOVE(2const). Since
	// Linux 6.8.
	UFFDIO_MOVE = 0xc028aa05

	// UFFDIO_WRITEPROTECT protects a range against writing, or lifts that
	// protection and wakes the threads that wait. Its argument is
	// UffdioWriteprotect. It tells no partial progress; doing it again is
	// harmless. Errors: EAGAIN (the address space is changing), EINVAL (not in
	// whole pages, empty, unknown mode), ENOENT (not registered with
	// UFFDIO_REGISTER_MODE_WP and this userfaultfd), ENOMEM, ESRCH (the process
	// is gone). See UFFDIO_WRITEPROTECT(2const). Since Linux 5.7.
	UFFDIO_WRITEPROTECT = 0xc018aa06

	// UFFDIO_CONTINUE resolves minor faults: it maps the pages that the page
	// cache holds for a range, and wakes the threads that wait for them. Its
	// argument is UffdioContinue. Errors: EAGAIN (stopped short: see
	// UffdioContinue.Mapped), EINVAL (not in whole pages, empty, unknown mode,
	// neither shared nor hugetlb), EEXIST (a page is mapped already), ENOENT
	// (not registered with this userfaultfd), EFAULT (no page in the page
	// cache), EHWPOISON (a page with a hardware error), ENOMEM, ESRCH (the
	// process is gone). See UFFDIO_CONTINUE(2const). Since Linux 5.13.
	UFFDIO_CONTINUE = 0xc020aa07

	// UFFDIO_POISON marks missing pages as poisoned: touching one raises SIGBUS,
	// as memory with a hardware error would, in this address space alone. It
	// wakes the threads that wait for them. Its argument is UffdioPoison.
	// Unmapping or discarding the pages takes the poison away; a child of
	// fork(2) inherits that of private memory. Errors: EAGAIN (stopped short:
	// see UffdioPoison.Updated), EINVAL (not in whole pages, empty, unknown
	// mode), EEXIST (a page is mapped or poisoned already), ENOENT (not
	// registered with this userfaultfd), ENOMEM, ESRCH (the process is gone).
	// See UFFDIO_POISON(2const). Since Linux 6.6.
	UFFDIO_POISON = 0xc020aa08

	// UFFDIO_RWPROTECT protects the pages of a range against every access, or
	// lifts that protection and wakes the threads that wait. Its argument is
	// UffdioRwprotect. It tells no partial progress; doing it again is harmless.
	// Errors: EAGAIN (the address space is changing), EINVAL (not in whole
	// pages, empty, unknown mode), ENOENT (not registered with
	// UFFDIO_REGISTER_MODE_RWP and this userfaultfd), ENOMEM, ESRCH (the process
	// is gone). See UFFDIO_RWPROTECT(2const). Since Linux 7.3.
	UFFDIO_RWPROTECT = 0xc018aa09

	// UFFDIO_SET_MODE switches features of a userfaultfd on and off while it is
	// in use. Its argument is UffdioSetMode. Errors: EINVAL (a bit in both sets,
	// one that cannot be switched, or UFFD_FEATURE_RWP_ASYNC for a userfaultfd
	// without UFFD_FEATURE_RWP), ESRCH (the process is gone). See
	// UFFDIO_SET_MODE(2const). Since Linux 7.3.
	UFFDIO_SET_MODE = 0x4010aa0a
)

// Modes of registration, the bits of UffdioRegister.Mode. At least one must
// be set.
const (
	// UFFDIO_REGISTER_MODE_MISSING: an access to a page that is not there is
	// delivered. Since Linux 4.3.
	UFFDIO_REGISTER_MODE_MISSING = 0x1

	// UFFDIO_REGISTER_MODE_WP: a write to a page that UFFDIO_WRITEPROTECT
	// protects is delivered. Since Linux 5.7.
	UFFDIO_REGISTER_MODE_WP = 0x2

	// UFFDIO_REGISTER_MODE_MINOR: an access to a page that is in the page cache
	// but not mapped here is delivered; for shared and hugetlb memory. Since
	// Linux 5.13.
	UFFDIO_REGISTER_MODE_MINOR = 0x4

	// UFFDIO_REGISTER_MODE_RWP: any access to a page that UFFDIO_RWPROTECT
	// protects is delivered. It takes UFFD_FEATURE_RWP, and excludes
	// UFFDIO_REGISTER_MODE_WP. Since Linux 7.3.
	UFFDIO_REGISTER_MODE_RWP = 0x8
)

// Modes of the operations that fill pages.
const (
	// UFFDIO_COPY_MODE_DONTWAKE, in UffdioCopy.Mode: leave the waiting threads
	// asleep until UFFDIO_WAKE. Since Linux 4.3.
	UFFDIO_COPY_MODE_DONTWAKE = 0x1

	// UFFDIO_COPY_MODE_WP, in UffdioCopy.Mode: map the pages write-protected. It
	// takes a range registered with UFFDIO_REGISTER_MODE_WP. Since Linux 5.7.
	UFFDIO_COPY_MODE_WP = 0x2

	// UFFDIO_ZEROPAGE_MODE_DONTWAKE, in UffdioZeropage.Mode: leave the waiting
	// threads asleep until UFFDIO_WAKE. Since Linux 4.3.
	UFFDIO_ZEROPAGE_MODE_DONTWAKE = 0x1

	// UFFDIO_MOVE_MODE_DONTWAKE, in UffdioMove.Mode: leave the waiting threads
	// asleep until UFFDIO_WAKE. Since Linux 6.8.
	UFFDIO_MOVE_MODE_DONTWAKE = 0x1

	// UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES, in UffdioMove.Mode: pass over pages that
	// are missing at the source, instead of failing with ENOENT. They count as
	// moved. Since Linux 6.8.
	UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES = 0x2

	// UFFDIO_CONTINUE_MODE_DONTWAKE, in UffdioContinue.Mode: leave the waiting
	// threads asleep until UFFDIO_WAKE. Since Linux 5.13.
	UFFDIO_CONTINUE_MODE_DONTWAKE = 0x1

	// UFFDIO_CONTINUE_MODE_WP, in UffdioContinue.Mode: map the pages
	// write-protected. It takes a range registered with UFFDIO_REGISTER_MODE_WP.
	// Since Linux 6.4.
	UFFDIO_CONTINUE_MODE_WP = 0x2

	// UFFDIO_POISON_MODE_DONTWAKE, in UffdioPoison.Mode: leave the waiting
	// threads asleep until UFFDIO_WAKE. Since Linux 6.6.
	UFFDIO_POISON_MODE_DONTWAKE = 0x1
)

// Modes of the operations that protect pages.
const (
	// UFFDIO_WRITEPROTECT_MODE_WP, in UffdioWriteprotect.Mode: protect; without
	// it, lift the protection. Since Linux 5.7.
	UFFDIO_WRITEPROTECT_MODE_WP = 0x1

	// UFFDIO_WRITEPROTECT_MODE_DONTWAKE, in UffdioWriteprotect.Mode: when
	// lifting the protection, leave the waiting threads asleep until
	// UFFDIO_WAKE. With UFFDIO_WRITEPROTECT_MODE_WP it is EINVAL. Since Linux
	// 5.7.
	UFFDIO_WRITEPROTECT_MODE_DONTWAKE = 0x2

	// UFFDIO_RWPROTECT_MODE_RWP, in UffdioRwprotect.Mode: protect; without it,
	// lift the protection. Since Linux 7.3.
	UFFDIO_RWPROTECT_MODE_RWP = 0x1

	// UFFDIO_RWPROTECT_MODE_DONTWAKE, in UffdioRwprotect.Mode: when lifting the
	// protection, leave the waiting threads asleep until UFFDIO_WAKE. Since
	// Linux 7.3.
	UFFDIO_RWPROTECT_MODE_DONTWAKE = 0x2
)

// The kinds of messages, the values of UffdMsg.Event. They begin at 0x12, so
// that memory of zeros is no message.
const (
	// UFFD_EVENT_PAGEFAULT: a thread waits for a page; see UffdMsgPagefault.
	// Since Linux 4.3.
	UFFD_EVENT_PAGEFAULT = 0x12

	// UFFD_EVENT_FORK: the process has forked; see UffdMsgFork. Since Linux
	// 4.11.
	UFFD_EVENT_FORK = 0x13

	// UFFD_EVENT_REMAP: mremap(2) has moved registered memory; see UffdMsgRemap.
	// Since Linux 4.11.
	UFFD_EVENT_REMAP = 0x14

	// UFFD_EVENT_REMOVE: pages of registered memory are being discarded; see
	// UffdMsgRemove. Until the event is read, the operations that fill or
	// protect pages fail with EAGAIN; after it the pages are missing. Since
	// Linux 4.11.
	UFFD_EVENT_REMOVE = 0x15

	// UFFD_EVENT_UNMAP: registered memory is no longer mapped; see
	// UffdMsgRemove. Since Linux 4.11.
	UFFD_EVENT_UNMAP = 0x16
)

// What kind of access has faulted, the bits of UffdMsgPagefault.Flags. None
// at all is a read of a missing page.
const (
	// UFFD_PAGEFAULT_FLAG_WRITE: the access was a write. Since Linux 4.3.
	UFFD_PAGEFAULT_FLAG_WRITE = 0x1

	// UFFD_PAGEFAULT_FLAG_WP: the page is write-protected by
	// UFFDIO_WRITEPROTECT. Since Linux 5.7.
	UFFD_PAGEFAULT_FLAG_WP = 0x2

	// UFFD_PAGEFAULT_FLAG_MINOR: the page is in the page cache but not mapped;
	// UFFDIO_CONTINUE maps it. Since Linux 5.13.
	UFFD_PAGEFAULT_FLAG_MINOR = 0x4

	// UFFD_PAGEFAULT_FLAG_RWP: the page is protected against every access by
	// UFFDIO_RWPROTECT. Since Linux 7.3.
	UFFD_PAGEFAULT_FLAG_RWP = 0x8
)

// UffdMsg is a message, of which read(2) on a userfaultfd returns as many as
// there are and as the buffer has room for, each whole. The kernel writes
// all of it. Since Linux 4.3.
type UffdMsg struct {
	_ structs.HostLayout

	// Which message this is: a UFFD_EVENT_* value.
	Event uint8 // offset 0, 1 byte

	// Zero.
	Reserved1 uint8 // offset 1, 1 byte

	// Zero.
	Reserved2 uint16 // offset 2, 2 bytes

	// Zero.
	Reserved3 uint32 // offset 4, 4 bytes

	// What the message says; Event tells which member holds it.
	Arg [3]uint64 // offset 8, 24 bytes
}

// Pagefault returns Arg as the C union's member pagefault. Of
// UFFD_EVENT_PAGEFAULT: a thread waits for a page.
func (s *UffdMsg) Pagefault() *UffdMsgPagefault {
	return (*UffdMsgPagefault)(unsafe.Pointer(&s.Arg))
}

// Fork returns Arg as the C union's member fork. Of UFFD_EVENT_FORK: the
// process has a child. Since Linux 4.11.
func (s *UffdMsg) Fork() *UffdMsgFork {
	return (*UffdMsgFork)(unsafe.Pointer(&s.Arg))
}

// Remap returns Arg as the C union's member remap. Of UFFD_EVENT_REMAP:
// memory has moved. Since Linux 4.11.
func (s *UffdMsg) Remap() *UffdMsgRemap {
	return (*UffdMsgRemap)(unsafe.Pointer(&s.Arg))
}

// Remove returns Arg as the C union's member remove. Of UFFD_EVENT_REMOVE
// and UFFD_EVENT_UNMAP: memory is discarded, or no longer mapped. Since
// Linux 4.11.
func (s *UffdMsg) Remove() *UffdMsgRemove {
	return (*UffdMsgRemove)(unsafe.Pointer(&s.Arg))
}

// Reserved returns Arg as the C union's member reserved. Of no message.
func (s *UffdMsg) Reserved() *UffdMsgReserved {
	return (*UffdMsgReserved)(unsafe.Pointer(&s.Arg))
}

func _(UffdMsg UffdMsg) {
	_ = [32]struct{}([unsafe.Sizeof(UffdMsg)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdMsg.Event)]struct{}{}), (*uint8)(&UffdMsg.Event)
	_, _ = [1]struct{}([unsafe.Offsetof(UffdMsg.Reserved1)]struct{}{}), (*uint8)(&UffdMsg.Reserved1)
	_, _ = [2]struct{}([unsafe.Offsetof(UffdMsg.Reserved2)]struct{}{}), (*uint16)(&UffdMsg.Reserved2)
	_, _ = [4]struct{}([unsafe.Offsetof(UffdMsg.Reserved3)]struct{}{}), (*uint32)(&UffdMsg.Reserved3)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdMsg.Arg)]struct{}{}), (*[3]uint64)(&UffdMsg.Arg)
}

// UffdMsgPagefault is the member arg.pagefault of the C struct uffd_msg. Of
// UFFD_EVENT_PAGEFAULT: a thread waits for a page.
type UffdMsgPagefault struct {
	_ structs.HostLayout

	// Why: UFFD_PAGEFAULT_FLAG_* bits.
	Flags uint64 // offset 0, 8 bytes

	// Where: the address of the page's first byte, or of the byte itself with
	// UFFD_FEATURE_EXACT_ADDRESS.
	Address uint64 // offset 8, 8 bytes

	// Who: the faulting thread's id in the PID namespace of the reader, with
	// UFFD_FEATURE_THREAD_ID; else 0. Since Linux 4.14.
	Ptid uint32 // offset 16, 4 bytes
}

func _(UffdMsgPagefault UffdMsgPagefault) {
	_ = [24]struct{}([unsafe.Sizeof(UffdMsgPagefault)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdMsgPagefault.Flags)]struct{}{}), (*uint64)(&UffdMsgPagefault.Flags)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdMsgPagefault.Address)]struct{}{}), (*uint64)(&UffdMsgPagefault.Address)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdMsgPagefault.Ptid)]struct{}{}), (*uint32)(&UffdMsgPagefault.Ptid)
}

// UffdMsgFork is the member arg.fork of the C struct uffd_msg. Of
// UFFD_EVENT_FORK: the process has a child. Since Linux 4.11.
type UffdMsgFork struct {
	_ structs.HostLayout

	// A descriptor, opened in the reading process, of the child's userfaultfd,
	// with the same features and registrations. The reader has to close it.
	Ufd uint32 // offset 0, 4 bytes
}

func _(UffdMsgFork UffdMsgFork) {
	_ = [4]struct{}([unsafe.Sizeof(UffdMsgFork)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdMsgFork.Ufd)]struct{}{}), (*uint32)(&UffdMsgFork.Ufd)
}

// UffdMsgRemap is the member arg.remap of the C struct uffd_msg. Of
// UFFD_EVENT_REMAP: memory has moved. Since Linux 4.11.
type UffdMsgRemap struct {
	_ structs.HostLayout

	// The address that it had.
	From uint64 // offset 0, 8 bytes

	// The address that it has.
	To uint64 // offset 8, 8 bytes

	// Its length in bytes, a multiple of the page size.
	Len uint64 // offset 16, 8 bytes
}

func _(UffdMsgRemap UffdMsgRemap) {
	_ = [24]struct{}([unsafe.Sizeof(UffdMsgRemap)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdMsgRemap.From)]struct{}{}), (*uint64)(&UffdMsgRemap.From)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdMsgRemap.To)]struct{}{}), (*uint64)(&UffdMsgRemap.To)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdMsgRemap.Len)]struct{}{}), (*uint64)(&UffdMsgRemap.Len)
}

// UffdMsgRemove is the member arg.remove of the C struct uffd_msg. Of
// UFFD_EVENT_REMOVE and UFFD_EVENT_UNMAP: memory is discarded, or no longer
// mapped. Since Linux 4.11.
type UffdMsgRemove struct {
	_ structs.HostLayout

	// The address of its first byte.
	Start uint64 // offset 0, 8 bytes

	// The address after its last byte.
	End uint64 // offset 8, 8 bytes
}

func _(UffdMsgRemove UffdMsgRemove) {
	_ = [16]struct{}([unsafe.Sizeof(UffdMsgRemove)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdMsgRemove.Start)]struct{}{}), (*uint64)(&UffdMsgRemove.Start)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdMsgRemove.End)]struct{}{}), (*uint64)(&UffdMsgRemove.End)
}

// UffdMsgReserved is the member arg.reserved of the C struct uffd_msg. Of no
// message.
type UffdMsgReserved struct {
	_ structs.HostLayout

	// Zero.
	Reserved1 uint64 // offset 0, 8 bytes

	// Zero.
	Reserved2 uint64 // offset 8, 8 bytes

	// Zero.
	Reserved3 uint64 // offset 16, 8 bytes
}

func _(UffdMsgReserved UffdMsgReserved) {
	_ = [24]struct{}([unsafe.Sizeof(UffdMsgReserved)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdMsgReserved.Reserved1)]struct{}{}), (*uint64)(&UffdMsgReserved.Reserved1)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdMsgReserved.Reserved2)]struct{}{}), (*uint64)(&UffdMsgReserved.Reserved2)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdMsgReserved.Reserved3)]struct{}{}), (*uint64)(&UffdMsgReserved.Reserved3)
}

// UffdioApi is the argument of UFFDIO_API. Since Linux 4.3.
type UffdioApi struct {
	_ structs.HostLayout

	// Set by the caller: UFFD_API. The kernel writes it back.
	Api uint64 // offset 0, 8 bytes

	// Set by the caller: the UFFD_FEATURE_* bits that are to be switched on.
	// Written by the kernel: all that it has, whatever was asked for.
	Features uint64 // offset 8, 8 bytes

	// Written by the kernel: the operations on a userfaultfd as a whole, a bit
	// 1<<X_UFFDIO_x each.
	Ioctls uint64 // offset 16, 8 bytes
}

func _(UffdioApi UffdioApi) {
	_ = [24]struct{}([unsafe.Sizeof(UffdioApi)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioApi.Api)]struct{}{}), (*uint64)(&UffdioApi.Api)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdioApi.Features)]struct{}{}), (*uint64)(&UffdioApi.Features)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioApi.Ioctls)]struct{}{}), (*uint64)(&UffdioApi.Ioctls)
}

// UffdioRange is a range of addresses in the process that the userfaultfd
// belongs to, and the argument of UFFDIO_UNREGISTER and UFFDIO_WAKE. The
// caller sets it. Since Linux 4.3.
type UffdioRange struct {
	_ structs.HostLayout

	// The address of the first byte, a multiple of the page size.
	Start uint64 // offset 0, 8 bytes

	// The length in bytes, a multiple of the page size and not 0.
	Len uint64 // offset 8, 8 bytes
}

func _(UffdioRange UffdioRange) {
	_ = [16]struct{}([unsafe.Sizeof(UffdioRange)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioRange.Start)]struct{}{}), (*uint64)(&UffdioRange.Start)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdioRange.Len)]struct{}{}), (*uint64)(&UffdioRange.Len)
}

// UffdioRegister is the argument of UFFDIO_REGISTER. Since Linux 4.3.
type UffdioRegister struct {
	_ structs.HostLayout

	// Set by the caller: the memory, in whole pages of its mapping, which are
	// larger for hugetlb memory.
	Range UffdioRange // offset 0, 16 bytes

	// Set by the caller: UFFDIO_REGISTER_MODE_* bits, at least one.
	Mode uint64 // offset 16, 8 bytes

	// Written by the kernel, never read: the operations that work on this range,
	// a bit 1<<X_UFFDIO_x each.
	Ioctls uint64 // offset 24, 8 bytes
}

func _(UffdioRegister UffdioRegister) {
	_ = [32]struct{}([unsafe.Sizeof(UffdioRegister)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioRegister.Range)]struct{}{}), (*UffdioRange)(&UffdioRegister.Range)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioRegister.Mode)]struct{}{}), (*uint64)(&UffdioRegister.Mode)
	_, _ = [24]struct{}([unsafe.Offsetof(UffdioRegister.Ioctls)]struct{}{}), (*uint64)(&UffdioRegister.Ioctls)
}

// UffdioCopy is the argument of UFFDIO_COPY. Since Linux 4.3.
type UffdioCopy struct {
	_ structs.HostLayout

	// Set by the caller: the address of the pages to fill, a multiple of the
	// page size.
	Dst uint64 // offset 0, 8 bytes

	// Set by the caller: the address of the bytes in the calling process, at any
	// alignment.
	Src uint64 // offset 8, 8 bytes

	// Set by the caller: bytes, a multiple of the page size at Dst and not 0.
	Len uint64 // offset 16, 8 bytes

	// Set by the caller: UFFDIO_COPY_MODE_* bits.
	Mode uint64 // offset 24, 8 bytes

	// Written by the kernel, never read: the bytes copied, or a negated errno
	// where there are none. Fewer than Len come with EAGAIN; the caller goes on
	// from there.
	Copy int64 // offset 32, 8 bytes
}

func _(UffdioCopy UffdioCopy) {
	_ = [40]struct{}([unsafe.Sizeof(UffdioCopy)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioCopy.Dst)]struct{}{}), (*uint64)(&UffdioCopy.Dst)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdioCopy.Src)]struct{}{}), (*uint64)(&UffdioCopy.Src)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioCopy.Len)]struct{}{}), (*uint64)(&UffdioCopy.Len)
	_, _ = [24]struct{}([unsafe.Offsetof(UffdioCopy.Mode)]struct{}{}), (*uint64)(&UffdioCopy.Mode)
	_, _ = [32]struct{}([unsafe.Offsetof(UffdioCopy.Copy)]struct{}{}), (*int64)(&UffdioCopy.Copy)
}

// UffdioZeropage is the argument of UFFDIO_ZEROPAGE. Since Linux 4.3.
type UffdioZeropage struct {
	_ structs.HostLayout

	// Set by the caller: the pages to fill.
	Range UffdioRange // offset 0, 16 bytes

	// Set by the caller: UFFDIO_ZEROPAGE_MODE_* bits.
	Mode uint64 // offset 16, 8 bytes

	// Written by the kernel, never read: the bytes filled, or a negated errno
	// where there are none. Fewer than Range.Len come with EAGAIN; the caller
	// goes on from there.
	Zeropage int64 // offset 24, 8 bytes
}

func _(UffdioZeropage UffdioZeropage) {
	_ = [32]struct{}([unsafe.Sizeof(UffdioZeropage)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioZeropage.Range)]struct{}{}), (*UffdioRange)(&UffdioZeropage.Range)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioZeropage.Mode)]struct{}{}), (*uint64)(&UffdioZeropage.Mode)
	_, _ = [24]struct{}([unsafe.Offsetof(UffdioZeropage.Zeropage)]struct{}{}), (*int64)(&UffdioZeropage.Zeropage)
}

// UffdioWriteprotect is the argument of UFFDIO_WRITEPROTECT. The kernel
// writes nothing into it. Since Linux 5.7.
type UffdioWriteprotect struct {
	_ structs.HostLayout

	// Set by the caller: the pages to protect, or to lift protection from.
	Range UffdioRange // offset 0, 16 bytes

	// Set by the caller: UFFDIO_WRITEPROTECT_MODE_* bits.
	Mode uint64 // offset 16, 8 bytes
}

func _(UffdioWriteprotect UffdioWriteprotect) {
	_ = [24]struct{}([unsafe.Sizeof(UffdioWriteprotect)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioWriteprotect.Range)]struct{}{}), (*UffdioRange)(&UffdioWriteprotect.Range)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioWriteprotect.Mode)]struct{}{}), (*uint64)(&UffdioWriteprotect.Mode)
}

// UffdioContinue is the argument of UFFDIO_CONTINUE. Since Linux 5.13.
type UffdioContinue struct {
	_ structs.HostLayout

	// Set by the caller: the pages to map.
	Range UffdioRange // offset 0, 16 bytes

	// Set by the caller: UFFDIO_CONTINUE_MODE_* bits.
	Mode uint64 // offset 16, 8 bytes

	// Written by the kernel, never read: the bytes mapped, or a negated errno
	// where there are none. Fewer than Range.Len come with EAGAIN; the caller
	// goes on from there.
	Mapped int64 // offset 24, 8 bytes
}

func _(UffdioContinue UffdioContinue) {
	_ = [32]struct{}([unsafe.Sizeof(UffdioContinue)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioContinue.Range)]struct{}{}), (*UffdioRange)(&UffdioContinue.Range)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioContinue.Mode)]struct{}{}), (*uint64)(&UffdioContinue.Mode)
	_, _ = [24]struct{}([unsafe.Offsetof(UffdioContinue.Mapped)]struct{}{}), (*int64)(&UffdioContinue.Mapped)
}

// UffdioPoison is the argument of UFFDIO_POISON. Since Linux 6.6.
type UffdioPoison struct {
	_ structs.HostLayout

	// Set by the caller: the pages to poison.
	Range UffdioRange // offset 0, 16 bytes

	// Set by the caller: UFFDIO_POISON_MODE_* bits.
	Mode uint64 // offset 16, 8 bytes

	// Written by the kernel, never read: the bytes poisoned, or a negated errno
	// where there are none. Fewer than Range.Len come with EAGAIN; the caller
	// goes on from there.
	Updated int64 // offset 24, 8 bytes
}

func _(UffdioPoison UffdioPoison) {
	_ = [32]struct{}([unsafe.Sizeof(UffdioPoison)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioPoison.Range)]struct{}{}), (*UffdioRange)(&UffdioPoison.Range)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioPoison.Mode)]struct{}{}), (*uint64)(&UffdioPoison.Mode)
	_, _ = [24]struct{}([unsafe.Offsetof(UffdioPoison.Updated)]struct{}{}), (*int64)(&UffdioPoison.Updated)
}

// UffdioRwprotect is the argument of UFFDIO_RWPROTECT. The kernel writes
// nothing into it. Since Linux 7.3.
type UffdioRwprotect struct {
	_ structs.HostLayout

	// Set by the caller: the pages to protect, or to lift protection from.
	Range UffdioRange // offset 0, 16 bytes

	// Set by the caller: UFFDIO_RWPROTECT_MODE_* bits.
	Mode uint64 // offset 16, 8 bytes
}

func _(UffdioRwprotect UffdioRwprotect) {
	_ = [24]struct{}([unsafe.Sizeof(UffdioRwprotect)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioRwprotect.Range)]struct{}{}), (*UffdioRange)(&UffdioRwprotect.Range)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioRwprotect.Mode)]struct{}{}), (*uint64)(&UffdioRwprotect.Mode)
}

// UffdioMove is the argument of UFFDIO_MOVE. Since Linux 6.8.
type UffdioMove struct {
	_ structs.HostLayout

	// Set by the caller: the address of the pages to fill, a multiple of the
	// page size, registered.
	Dst uint64 // offset 0, 8 bytes

	// Set by the caller: the address of the pages to take, a multiple of the
	// page size, in the same process.
	Src uint64 // offset 8, 8 bytes

	// Set by the caller: bytes, a multiple of the page size and not 0.
	Len uint64 // offset 16, 8 bytes

	// Set by the caller: UFFDIO_MOVE_MODE_* bits.
	Mode uint64 // offset 24, 8 bytes

	// Written by the kernel, never read: the bytes moved, or a negated errno
	// where there are none. Fewer than Len come with EAGAIN; the caller goes on
	// from there.
	Move int64 // offset 32, 8 bytes
}

func _(UffdioMove UffdioMove) {
	_ = [40]struct{}([unsafe.Sizeof(UffdioMove)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioMove.Dst)]struct{}{}), (*uint64)(&UffdioMove.Dst)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdioMove.Src)]struct{}{}), (*uint64)(&UffdioMove.Src)
	_, _ = [16]struct{}([unsafe.Offsetof(UffdioMove.Len)]struct{}{}), (*uint64)(&UffdioMove.Len)
	_, _ = [24]struct{}([unsafe.Offsetof(UffdioMove.Mode)]struct{}{}), (*uint64)(&UffdioMove.Mode)
	_, _ = [32]struct{}([unsafe.Offsetof(UffdioMove.Move)]struct{}{}), (*int64)(&UffdioMove.Move)
}

// UffdioSetMode is the argument of UFFDIO_SET_MODE. The kernel writes
// nothing into it. Since Linux 7.3.
type UffdioSetMode struct {
	_ structs.HostLayout

	// Set by the caller: the UFFD_FEATURE_* bits to switch on. Only
	// UFFD_FEATURE_RWP_ASYNC can be.
	Enable uint64 // offset 0, 8 bytes

	// Set by the caller: those to switch off; no bit is in both.
	Disable uint64 // offset 8, 8 bytes
}

func _(UffdioSetMode UffdioSetMode) {
	_ = [16]struct{}([unsafe.Sizeof(UffdioSetMode)]struct{}{})
	_, _ = [0]struct{}([unsafe.Offsetof(UffdioSetMode.Enable)]struct{}{}), (*uint64)(&UffdioSetMode.Enable)
	_, _ = [8]struct{}([unsafe.Offsetof(UffdioSetMode.Disable)]struct{}{}), (*uint64)(&UffdioSetMode.Disable)
}
