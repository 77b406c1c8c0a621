/*
 * userfaultfd(2): every constant and structure of its binary interface,
 * described in this project's own words.
 */
#ifndef _LINUX_USERFAULTFD_H
#define _LINUX_USERFAULTFD_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* Opening a userfaultfd. See userfaultfd(2). */

/*
 * UFFD_USER_MODE_ONLY is a flag of userfaultfd(2) and USERFAULTFD_IOC_NEW,
 * beside O_CLOEXEC and O_NONBLOCK: only faults of user mode are delivered. A
 * fault that the kernel meets while it works for a process makes the system
 * call fail with EFAULT. With it the system call takes no privilege. Since
 * Linux 5.11.
 */
#define UFFD_USER_MODE_ONLY 1

/*
 * USERFAULTFD_IOC is the ioctl type of /dev/userfaultfd. Since Linux 6.1.
 */
#define USERFAULTFD_IOC 0xAA

/*
 * USERFAULTFD_IOC_NEW makes a new userfaultfd, issued on a descriptor of
 * /dev/userfaultfd. The argument is the flags of userfaultfd(2), by value; the
 * result is the descriptor. Whoever may open the device needs no other
 * privilege. Errors: EINVAL (unknown flag), EMFILE, ENFILE, ENOMEM. Since
 * Linux 6.1.
 */
#define USERFAULTFD_IOC_NEW _IO(USERFAULTFD_IOC, 0x00)

/* The handshake: what is asked for, and what the kernel has. */

/*
 * UFFD_API is the version of the interface, which uffdio_api.api must hold.
 * There has been only one. Since Linux 4.3.
 */
#define UFFD_API ((__u64)0xAA)

/*
 * UFFD_API_REGISTER_MODES is every registration mode of this header's release.
 * It says nothing of the running kernel. Since Linux 5.13.
 */
#define UFFD_API_REGISTER_MODES \
	(UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP | \
	 UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_RWP)

/*
 * UFFD_API_FEATURES is every feature of this header's release. It says nothing
 * of the running kernel, which answers UFFDIO_API with its own set; asking for
 * all of these fails on every older kernel. Since Linux 4.3.
 */
#define UFFD_API_FEATURES \
	(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_EVENT_FORK | \
	 UFFD_FEATURE_EVENT_REMAP | UFFD_FEATURE_EVENT_REMOVE | \
	 UFFD_FEATURE_MISSING_HUGETLBFS | UFFD_FEATURE_MISSING_SHMEM | \
	 UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_SIGBUS | \
	 UFFD_FEATURE_THREAD_ID | UFFD_FEATURE_MINOR_HUGETLBFS | \
	 UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_EXACT_ADDRESS | \
	 UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_WP_UNPOPULATED | \
	 UFFD_FEATURE_POISON | UFFD_FEATURE_WP_ASYNC | UFFD_FEATURE_MOVE | \
	 UFFD_FEATURE_RWP | UFFD_FEATURE_RWP_ASYNC)

/*
 * UFFD_API_IOCTLS is the set of operations on a userfaultfd as a whole that
 * this header's release has, a bit 1<<_UFFDIO_x each. The running kernel
 * writes its own set into uffdio_api.ioctls. Since Linux 4.3.
 */
#define UFFD_API_IOCTLS \
	((__u64)1 << _UFFDIO_REGISTER | (__u64)1 << _UFFDIO_UNREGISTER | \
	 (__u64)1 << _UFFDIO_SET_MODE | (__u64)1 << _UFFDIO_API)

/*
 * UFFD_API_RANGE_IOCTLS is the set of operations on a range that this header's
 * release has, a bit 1<<_UFFDIO_x each. The running kernel writes the set
 * that works on a range into uffdio_register.ioctls. Since Linux 4.3.
 */
#define UFFD_API_RANGE_IOCTLS \
	((__u64)1 << _UFFDIO_WAKE | (__u64)1 << _UFFDIO_COPY | \
	 (__u64)1 << _UFFDIO_ZEROPAGE | (__u64)1 << _UFFDIO_MOVE | \
	 (__u64)1 << _UFFDIO_WRITEPROTECT | (__u64)1 << _UFFDIO_CONTINUE | \
	 (__u64)1 << _UFFDIO_POISON | (__u64)1 << _UFFDIO_RWPROTECT)

/*
 * UFFD_API_RANGE_IOCTLS_BASIC is the subset of UFFD_API_RANGE_IOCTLS that
 * hugetlb memory has: no zero page, and no moving. Since Linux 4.11.
 */
#define UFFD_API_RANGE_IOCTLS_BASIC \
	((__u64)1 << _UFFDIO_WAKE | (__u64)1 << _UFFDIO_COPY | \
	 (__u64)1 << _UFFDIO_WRITEPROTECT | (__u64)1 << _UFFDIO_CONTINUE | \
	 (__u64)1 << _UFFDIO_POISON | (__u64)1 << _UFFDIO_RWPROTECT)

/*
 * Features, the bits of uffdio_api.features. A program asks UFFDIO_API for
 * those that it wants; the kernel answers with all that it has.
 */

/*
 * UFFD_FEATURE_PAGEFAULT_FLAG_WP: write-protect faults, that is
 * UFFDIO_REGISTER_MODE_WP and UFFDIO_WRITEPROTECT, work on anonymous memory.
 * arm64 reports this bit before it has what it promises. Since Linux 5.7.
 */
#define UFFD_FEATURE_PAGEFAULT_FLAG_WP (1 << 0)

/*
 * UFFD_FEATURE_EVENT_FORK: fork(2) delivers UFFD_EVENT_FORK with a userfaultfd
 * of the child, and waits until the event is read. Asking for it takes
 * CAP_SYS_PTRACE, else UFFDIO_API fails with EPERM. Since Linux 4.11.
 */
#define UFFD_FEATURE_EVENT_FORK (1 << 1)

/*
 * UFFD_FEATURE_EVENT_REMAP: mremap(2) of registered memory delivers
 * UFFD_EVENT_REMAP, and the registration moves with the memory; without it the
 * memory is unregistered at its new place. Since Linux 4.11.
 */
#define UFFD_FEATURE_EVENT_REMAP (1 << 2)

/*
 * UFFD_FEATURE_EVENT_REMOVE: madvise(2) with MADV_DONTNEED, MADV_REMOVE or the
 * like on registered memory delivers UFFD_EVENT_REMOVE, and waits until the
 * event is read. Since Linux 4.11.
 */
#define UFFD_FEATURE_EVENT_REMOVE (1 << 3)

/*
 * UFFD_FEATURE_MISSING_HUGETLBFS: hugetlb memory can be registered with
 * UFFDIO_REGISTER_MODE_MISSING. Asking for it changes nothing. Since Linux
 * 4.11.
 */
#define UFFD_FEATURE_MISSING_HUGETLBFS (1 << 4)

/*
 * UFFD_FEATURE_MISSING_SHMEM: shared memory (tmpfs, memfd_create(2), shared
 * anonymous mappings) can be registered with UFFDIO_REGISTER_MODE_MISSING.
 * Asking for it changes nothing. Since Linux 4.11.
 */
#define UFFD_FEATURE_MISSING_SHMEM (1 << 5)

/*
 * UFFD_FEATURE_EVENT_UNMAP: munmap(2), and whatever else unmaps registered
 * memory, delivers UFFD_EVENT_UNMAP, and waits until the event is read. Since
 * Linux 4.11.
 */
#define UFFD_FEATURE_EVENT_UNMAP (1 << 6)

/*
 * UFFD_FEATURE_SIGBUS: a fault raises SIGBUS in the faulting thread instead of
 * being delivered, so that no other thread need handle it. Since Linux 4.14.
 */
#define UFFD_FEATURE_SIGBUS (1 << 7)

/*
 * UFFD_FEATURE_THREAD_ID: a fault's message tells the id of the faulting
 * thread. Since Linux 4.14.
 */
#define UFFD_FEATURE_THREAD_ID (1 << 8)

/*
 * UFFD_FEATURE_MINOR_HUGETLBFS: shared hugetlb memory can be registered with
 * UFFDIO_REGISTER_MODE_MINOR. Asking for it changes nothing. Since Linux 5.13.
 */
#define UFFD_FEATURE_MINOR_HUGETLBFS (1 << 9)

/*
 * UFFD_FEATURE_MINOR_SHMEM: shared memory can be registered with
 * UFFDIO_REGISTER_MODE_MINOR. Asking for it changes nothing. Since Linux 5.14.
 */
#define UFFD_FEATURE_MINOR_SHMEM (1 << 10)

/*
 * UFFD_FEATURE_EXACT_ADDRESS: a fault's message tells the address that was
 * accessed; without it, the first byte of its page. s390x, whose hardware
 * reports no more than the page, tells that with this feature too. Since Linux
 * 5.18.
 */
#define UFFD_FEATURE_EXACT_ADDRESS (1 << 11)

/*
 * UFFD_FEATURE_WP_HUGETLBFS_SHMEM: shared and hugetlb memory can be registered
 * with UFFDIO_REGISTER_MODE_WP. Asking for it changes nothing. Since Linux
 * 5.19.
 */
#define UFFD_FEATURE_WP_HUGETLBFS_SHMEM (1 << 12)

/*
 * UFFD_FEATURE_WP_UNPOPULATED: UFFDIO_WRITEPROTECT protects pages of anonymous
 * memory that are not there yet, too. Shared and hugetlb memory always behave
 * so. Since Linux 6.4.
 */
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)

/*
 * UFFD_FEATURE_POISON: UFFDIO_POISON works. Asking for it changes nothing.
 * Since Linux 6.6.
 */
#define UFFD_FEATURE_POISON (1 << 14)

/*
 * UFFD_FEATURE_WP_ASYNC: a write to a write-protected page delivers no fault;
 * the kernel lifts the protection by itself, and PAGEMAP_SCAN tells which pages
 * were written. It implies UFFD_FEATURE_WP_UNPOPULATED. Since Linux 6.7.
 */
#define UFFD_FEATURE_WP_ASYNC (1 << 15)

/*
 * UFFD_FEATURE_MOVE: UFFDIO_MOVE works. Asking for it changes nothing. Since
 * Linux 6.8.
 */
#define UFFD_FEATURE_MOVE (1 << 16)

/*
 * UFFD_FEATURE_RWP: access protection, that is UFFDIO_REGISTER_MODE_RWP and
 * UFFDIO_RWPROTECT, works on anonymous, shared and hugetlb memory. Kernels of
 * 32-bit architectures do not have it. Since Linux 7.3.
 */
#define UFFD_FEATURE_RWP (1 << 17)

/*
 * UFFD_FEATURE_RWP_ASYNC: an access to an access-protected page delivers no
 * fault; the kernel lifts the protection by itself, and PAGEMAP_SCAN tells
 * which pages were accessed. UFFDIO_SET_MODE switches it. Since Linux 7.3.
 */
#define UFFD_FEATURE_RWP_ASYNC (1 << 18)

/*
 * The numbers of the operations: bit 1 << n of uffdio_api.ioctls and of
 * uffdio_register.ioctls stands for operation n.
 */

/*
 * _UFFDIO_REGISTER is the number of UFFDIO_REGISTER. Since Linux 4.3.
 */
#define _UFFDIO_REGISTER 0x00

/*
 * _UFFDIO_UNREGISTER is the number of UFFDIO_UNREGISTER. Since Linux 4.3.
 */
#define _UFFDIO_UNREGISTER 0x01

/*
 * _UFFDIO_WAKE is the number of UFFDIO_WAKE. Since Linux 4.3.
 */
#define _UFFDIO_WAKE 0x02

/*
 * _UFFDIO_COPY is the number of UFFDIO_COPY. Since Linux 4.3.
 */
#define _UFFDIO_COPY 0x03

/*
 * _UFFDIO_ZEROPAGE is the number of UFFDIO_ZEROPAGE. Since Linux 4.3.
 */
#define _UFFDIO_ZEROPAGE 0x04

/*
 * _UFFDIO_MOVE is the number of UFFDIO_MOVE. Since Linux 6.8.
 */
#define _UFFDIO_MOVE 0x05

/*
 * _UFFDIO_WRITEPROTECT is the number of UFFDIO_WRITEPROTECT. Since Linux 5.7.
 */
#define _UFFDIO_WRITEPROTECT 0x06

/*
 * _UFFDIO_CONTINUE is the number of UFFDIO_CONTINUE. Since Linux 5.13.
 */
#define _UFFDIO_CONTINUE 0x07

/*
 * _UFFDIO_POISON is the number of UFFDIO_POISON. Since Linux 6.6.
 */
#define _UFFDIO_POISON 0x08

/*
 * _UFFDIO_RWPROTECT is the number of UFFDIO_RWPROTECT. Since Linux 7.3.
 */
#define _UFFDIO_RWPROTECT 0x09

/*
 * _UFFDIO_SET_MODE is the number of UFFDIO_SET_MODE. Since Linux 7.3.
 */
#define _UFFDIO_SET_MODE 0x0A

/*
 * _UFFDIO_API is the number of UFFDIO_API, the one that a later version of the
 * interface would keep. Since Linux 4.3.
 */
#define _UFFDIO_API 0x3F

/*
 * The operations: requests for ioctl(2) on a userfaultfd. See
 * ioctl_userfaultfd(2). All fail with EINVAL before the handshake, and with
 * EFAULT if the argument cannot be read or written.
 */

/*
 * UFFDIO is the ioctl type of the operations. Since Linux 4.3.
 */
#define UFFDIO 0xAA

/*
 * UFFDIO_API is the handshake, which comes before all other operations and
 * succeeds once: it asks for features and learns what the kernel has. Its
 * argument is uffdio_api. Errors: EINVAL (unknown version or feature, or done
 * already; the argument is zeroed), EPERM (UFFD_FEATURE_EVENT_FORK without
 * CAP_SYS_PTRACE). See UFFDIO_API(2const). Since Linux 4.3.
 */
#define UFFDIO_API _IOWR(UFFDIO, _UFFDIO_API, struct uffdio_api)

/*
 * UFFDIO_REGISTER asks for the faults of a range of memory; holes in it are
 * passed over. Its argument is uffdio_register. To change the mode of a range,
 * unregister it first: registering it again in fewer modes takes none away, and
 * fails with EBUSY since Linux 7.3. Errors: EINVAL (not in whole pages, empty,
 * nothing mapped, memory that cannot be registered in this mode, unknown mode),
 * EBUSY (registered with another userfaultfd), ENOMEM (no memory, or the
 * process is gone), EPERM (a shared mapping that may never be written). See
 * UFFDIO_REGISTER(2const). Since Linux 4.3.
 */
#define UFFDIO_REGISTER _IOWR(UFFDIO, _UFFDIO_REGISTER, struct uffdio_register)

/*
 * UFFDIO_UNREGISTER ends the registration of a range and wakes the threads that
 * wait in it. Its argument is uffdio_range, which the kernel only reads; that
 * the request says otherwise is history. Errors: EINVAL (not in whole pages,
 * empty, nothing mapped, memory that cannot be registered), ENOMEM (no memory,
 * or the process is gone). See UFFDIO_UNREGISTER(2const). Since Linux 4.3.
 */
#define UFFDIO_UNREGISTER _IOR(UFFDIO, _UFFDIO_UNREGISTER, struct uffdio_range)

/*
 * UFFDIO_WAKE wakes the threads that wait for a fault in a range. Its argument
 * is uffdio_range, which the kernel only reads; that the request says otherwise
 * is history. Errors: EINVAL (not in whole pages, or empty). See
 * UFFDIO_WAKE(2const). Since Linux 4.3.
 */
#define UFFDIO_WAKE _IOR(UFFDIO, _UFFDIO_WAKE, struct uffdio_range)

/*
 * UFFDIO_COPY fills missing pages with bytes of the calling process, page by
 * page and each at once, and wakes the threads that wait for them. Its argument
 * is uffdio_copy. Errors: EAGAIN (stopped short: see uffdio_copy.copy), EINVAL
 * (not in whole pages, empty, unknown mode), EEXIST (a page is there already),
 * ENOENT (not registered with this userfaultfd), EFAULT (the source cannot be
 * read), ENOMEM, ENOSPC (no room in the file system, or no huge page), ESRCH
 * (the process is gone; ENOSPC before Linux 4.13). See UFFDIO_COPY(2const).
 * Since Linux 4.3.
 */
#define UFFDIO_COPY _IOWR(UFFDIO, _UFFDIO_COPY, struct uffdio_copy)

/*
 * UFFDIO_ZEROPAGE fills missing pages with zeros and wakes the threads that
 * wait for them; not on hugetlb memory. Its argument is uffdio_zeropage.
 * Errors: EAGAIN (stopped short: see uffdio_zeropage.zeropage), EINVAL (not in
 * whole pages, empty, unknown mode, hugetlb), EEXIST (a page is there already),
 * ENOENT (not registered with this userfaultfd), ENOMEM, ESRCH (the process is
 * gone; ENOSPC before Linux 4.13). See UFFDIO_ZEROPAGE(2const). Since Linux
 * 4.3.
 */
#define UFFDIO_ZEROPAGE _IOWR(UFFDIO, _UFFDIO_ZEROPAGE, struct uffdio_zeropage)

/*
 * UFFDIO_MOVE fills missing pages of private anonymous memory with pages of
 * other such memory in the same process, which disappear there. Nothing is
 * copied. Only the process whose memory it is can do so. Its argument is
 * uffdio_move. Errors: EAGAIN (stopped short: see uffdio_move.move), EINVAL
 * (not in whole pages, empty, unknown mode, mappings that are not private and
 * anonymous, or differ in protection or locking, a destination that is not
 * registered with this userfaultfd, another process's memory), EEXIST (a page
 * is there already), ENOENT (nothing is mapped, or a source page is missing and
 * UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES is not set), EBUSY (a source page is shared
 * or pinned), EPERM, ENOMEM. See UFFDIO_MOVE(2const). Since Linux 6.8.
 */
#define UFFDIO_MOVE _IOWR(UFFDIO, _UFFDIO_MOVE, struct uffdio_move)

/*
 * UFFDIO_WRITEPROTECT protects a range against writing, or lifts that
 * protection and wakes the threads that wait. Its argument is
 * uffdio_writeprotect. It tells no partial progress; doing it again is
 * harmless. Errors: EAGAIN (the address space is changing), EINVAL (not in
 * whole pages, empty, unknown mode), ENOENT (not registered with
 * UFFDIO_REGISTER_MODE_WP and this userfaultfd), ENOMEM, ESRCH (the process is
 * gone). See UFFDIO_WRITEPROTECT(2const). Since Linux 5.7.
 */
#define UFFDIO_WRITEPROTECT _IOWR(UFFDIO, _UFFDIO_WRITEPROTECT, struct uffdio_writeprotect)

/*
 * UFFDIO_CONTINUE resolves minor faults: it maps the pages that the page cache
 * holds for a range, and wakes the threads that wait for them. Its argument is
 * uffdio_continue. Errors: EAGAIN (stopped short: see uffdio_continue.mapped),
 * EINVAL (not in whole pages, empty, unknown mode, neither shared nor hugetlb),
 * EEXIST (a page is mapped already), ENOENT (not registered with this
 * userfaultfd), EFAULT (no page in the page cache), EHWPOISON (a page with a
 * hardware error), ENOMEM, ESRCH (the process is gone). See
 * UFFDIO_CONTINUE(2const). Since Linux 5.13.
 */
#define UFFDIO_CONTINUE _IOWR(UFFDIO, _UFFDIO_CONTINUE, struct uffdio_continue)

/*
 * UFFDIO_POISON marks missing pages as poisoned: touching one raises SIGBUS, as
 * memory with a hardware error would, in this address space alone. It wakes the
 * threads that wait for them. Its argument is uffdio_poison. Unmapping or
 * discarding the pages takes the poison away; a child of fork(2) inherits that
 * of private memory. Errors: EAGAIN (stopped short:
 * see uffdio_poison.updated), EINVAL (not in whole pages, empty, unknown mode),
 * EEXIST (a page is mapped or poisoned already), ENOENT (not registered with
 * this userfaultfd), ENOMEM, ESRCH (the process is gone). See
 * UFFDIO_POISON(2const). Since Linux 6.6.
 */
#define UFFDIO_POISON _IOWR(UFFDIO, _UFFDIO_POISON, struct uffdio_poison)

/*
 * UFFDIO_RWPROTECT protects the pages of a range against every access, or lifts
 * that protection and wakes the threads that wait. Its argument is
 * uffdio_rwprotect. It tells no partial progress; doing it again is harmless.
 * Errors: EAGAIN (the address space is changing), EINVAL (not in whole pages,
 * empty, unknown mode), ENOENT (not registered with UFFDIO_REGISTER_MODE_RWP
 * and this userfaultfd), ENOMEM, ESRCH (the process is gone). See
 * UFFDIO_RWPROTECT(2const). Since Linux 7.3.
 */
#define UFFDIO_RWPROTECT _IOWR(UFFDIO, _UFFDIO_RWPROTECT, struct uffdio_rwprotect)

/*
 * UFFDIO_SET_MODE switches features of a userfaultfd on and off while it is in
 * use. Its argument is uffdio_set_mode. Errors: EINVAL (a bit in both sets, one
 * that cannot be switched, or UFFD_FEATURE_RWP_ASYNC for a userfaultfd without
 * UFFD_FEATURE_RWP), ESRCH (the process is gone). See UFFDIO_SET_MODE(2const).
 * Since Linux 7.3.
 */
#define UFFDIO_SET_MODE _IOW(UFFDIO, _UFFDIO_SET_MODE, struct uffdio_set_mode)

/*
 * Modes of registration, the bits of uffdio_register.mode. At least one must be
 * set.
 */

/*
 * UFFDIO_REGISTER_MODE_MISSING: an access to a page that is not there is
 * delivered. Since Linux 4.3.
 */
#define UFFDIO_REGISTER_MODE_MISSING ((__u64)1 << 0)

/*
 * UFFDIO_REGISTER_MODE_WP: a write to a page that UFFDIO_WRITEPROTECT protects
 * is delivered. Since Linux 5.7.
 */
#define UFFDIO_REGISTER_MODE_WP ((__u64)1 << 1)

/*
 * UFFDIO_REGISTER_MODE_MINOR: an access to a page that is in the page cache but
 * not mapped here is delivered; for shared and hugetlb memory. Since Linux
 * 5.13.
 */
#define UFFDIO_REGISTER_MODE_MINOR ((__u64)1 << 2)

/*
 * UFFDIO_REGISTER_MODE_RWP: any access to a page that UFFDIO_RWPROTECT protects
 * is delivered. It takes UFFD_FEATURE_RWP, and excludes
 * UFFDIO_REGISTER_MODE_WP. Since Linux 7.3.
 */
#define UFFDIO_REGISTER_MODE_RWP ((__u64)1 << 3)

/* Modes of the operations that fill pages. */

/*
 * UFFDIO_COPY_MODE_DONTWAKE, in uffdio_copy.mode: leave the waiting threads
 * asleep until UFFDIO_WAKE. Since Linux 4.3.
 */
#define UFFDIO_COPY_MODE_DONTWAKE ((__u64)1 << 0)

/*
 * UFFDIO_COPY_MODE_WP, in uffdio_copy.mode: map the pages write-protected. It
 * takes a range registered with UFFDIO_REGISTER_MODE_WP. Since Linux 5.7.
 */
#define UFFDIO_COPY_MODE_WP ((__u64)1 << 1)

/*
 * UFFDIO_ZEROPAGE_MODE_DONTWAKE, in uffdio_zeropage.mode: leave the waiting
 * threads asleep until UFFDIO_WAKE. Since Linux 4.3.
 */
#define UFFDIO_ZEROPAGE_MODE_DONTWAKE ((__u64)1 << 0)

/*
 * UFFDIO_MOVE_MODE_DONTWAKE, in uffdio_move.mode: leave the waiting threads
 * asleep until UFFDIO_WAKE. Since Linux 6.8.
 */
#define UFFDIO_MOVE_MODE_DONTWAKE ((__u64)1 << 0)

/*
 * UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES, in uffdio_move.mode: pass over pages that
 * are missing at the source, instead of failing with ENOENT. They count as
 * moved. Since Linux 6.8.
 */
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES ((__u64)1 << 1)

/*
 * UFFDIO_CONTINUE_MODE_DONTWAKE, in uffdio_continue.mode: leave the waiting
 * threads asleep until UFFDIO_WAKE. Since Linux 5.13.
 */
#define UFFDIO_CONTINUE_MODE_DONTWAKE ((__u64)1 << 0)

/*
 * UFFDIO_CONTINUE_MODE_WP, in uffdio_continue.mode: map the pages
 * write-protected. It takes a range registered with UFFDIO_REGISTER_MODE_WP.
 * Since Linux 6.4.
 */
#define UFFDIO_CONTINUE_MODE_WP ((__u64)1 << 1)

/*
 * UFFDIO_POISON_MODE_DONTWAKE, in uffdio_poison.mode: leave the waiting threads
 * asleep until UFFDIO_WAKE. Since Linux 6.6.
 */
#define UFFDIO_POISON_MODE_DONTWAKE ((__u64)1 << 0)

/* Modes of the operations that protect pages. */

/*
 * UFFDIO_WRITEPROTECT_MODE_WP, in uffdio_writeprotect.mode: protect; without
 * it, lift the protection. Since Linux 5.7.
 */
#define UFFDIO_WRITEPROTECT_MODE_WP ((__u64)1 << 0)

/*
 * UFFDIO_WRITEPROTECT_MODE_DONTWAKE, in uffdio_writeprotect.mode: when lifting
 * the protection, leave the waiting threads asleep until UFFDIO_WAKE. With
 * UFFDIO_WRITEPROTECT_MODE_WP it is EINVAL. Since Linux 5.7.
 */
#define UFFDIO_WRITEPROTECT_MODE_DONTWAKE ((__u64)1 << 1)

/*
 * UFFDIO_RWPROTECT_MODE_RWP, in uffdio_rwprotect.mode: protect; without it,
 * lift the protection. Since Linux 7.3.
 */
#define UFFDIO_RWPROTECT_MODE_RWP ((__u64)1 << 0)

/*
 * UFFDIO_RWPROTECT_MODE_DONTWAKE, in uffdio_rwprotect.mode: when lifting the
 * protection, leave the waiting threads asleep until UFFDIO_WAKE. Since Linux
 * 7.3.
 */
#define UFFDIO_RWPROTECT_MODE_DONTWAKE ((__u64)1 << 1)

/*
 * The kinds of messages, the values of uffd_msg.event. They begin at 0x12, so
 * that memory of zeros is no message.
 */

/*
 * UFFD_EVENT_PAGEFAULT: a thread waits for a page; see uffd_msg.arg.pagefault.
 * Since Linux 4.3.
 */
#define UFFD_EVENT_PAGEFAULT 0x12

/*
 * UFFD_EVENT_FORK: the process has forked; see uffd_msg.arg.fork. Since Linux
 * 4.11.
 */
#define UFFD_EVENT_FORK 0x13

/*
 * UFFD_EVENT_REMAP: mremap(2) has moved registered memory; see
 * uffd_msg.arg.remap. Since Linux 4.11.
 */
#define UFFD_EVENT_REMAP 0x14

/*
 * UFFD_EVENT_REMOVE: pages of registered memory are being discarded; see
 * uffd_msg.arg.remove. Until the event is read, the operations that fill or
 * protect pages fail with EAGAIN; after it the pages are missing. Since Linux
 * 4.11.
 */
#define UFFD_EVENT_REMOVE 0x15

/*
 * UFFD_EVENT_UNMAP: registered memory is no longer mapped; see
 * uffd_msg.arg.remove. Since Linux 4.11.
 */
#define UFFD_EVENT_UNMAP 0x16

/*
 * What kind of access has faulted, the bits of uffd_msg.arg.pagefault.flags.
 * None at all is a read of a missing page.
 */

/*
 * UFFD_PAGEFAULT_FLAG_WRITE: the access was a write. Since Linux 4.3.
 */
#define UFFD_PAGEFAULT_FLAG_WRITE (1 << 0)

/*
 * UFFD_PAGEFAULT_FLAG_WP: the page is write-protected by UFFDIO_WRITEPROTECT.
 * Since Linux 5.7.
 */
#define UFFD_PAGEFAULT_FLAG_WP (1 << 1)

/*
 * UFFD_PAGEFAULT_FLAG_MINOR: the page is in the page cache but not mapped;
 * UFFDIO_CONTINUE maps it. Since Linux 5.13.
 */
#define UFFD_PAGEFAULT_FLAG_MINOR (1 << 2)

/*
 * UFFD_PAGEFAULT_FLAG_RWP: the page is protected against every access by
 * UFFDIO_RWPROTECT. Since Linux 7.3.
 */
#define UFFD_PAGEFAULT_FLAG_RWP (1 << 3)

/*
 * uffd_msg is a message, of which read(2) on a userfaultfd returns as many as
 * there are and as the buffer has room for, each whole. The kernel writes all
 * of it. Since Linux 4.3.
 */
struct uffd_msg {
	/* Which message this is: a UFFD_EVENT_* value. */
	__u8 event;

	/* Zero. */
	__u8 reserved1;
	/* Zero. */
	__u16 reserved2;
	/* Zero. */
	__u32 reserved3;

	/* What the message says; uffd_msg.event tells which member holds it. */
	union {
		/* Of UFFD_EVENT_PAGEFAULT: a thread waits for a page. */
		struct {
			/* Why: UFFD_PAGEFAULT_FLAG_* bits. */
			__u64 flags;
			/*
			 * Where: the address of the page's first byte, or of
			 * the byte itself with UFFD_FEATURE_EXACT_ADDRESS.
			 */
			__u64 address;
			/* What features add to it. Since Linux 4.14. */
			union {
				/*
				 * Who: the faulting thread's id in the PID
				 * namespace of the reader, with
				 * UFFD_FEATURE_THREAD_ID; else 0. Since Linux
				 * 4.14.
				 */
				__u32 ptid;
			} feat;
		} pagefault;

		/* Of UFFD_EVENT_FORK: the process has a child. Since Linux 4.11. */
		struct {
			/*
			 * A descriptor, opened in the reading process, of the
			 * child's userfaultfd, with the same features and
			 * registrations. The reader has to close it.
			 */
			__u32 ufd;
		} fork;

		/* Of UFFD_EVENT_REMAP: memory has moved. Since Linux 4.11. */
		struct {
			/* The address that it had. */
			__u64 from;
			/* The address that it has. */
			__u64 to;
			/* Its length in bytes, a multiple of the page size. */
			__u64 len;
		} remap;

		/*
		 * Of UFFD_EVENT_REMOVE and UFFD_EVENT_UNMAP: memory is
		 * discarded, or no longer mapped. Since Linux 4.11.
		 */
		struct {
			/* The address of its first byte. */
			__u64 start;
			/* The address after its last byte. */
			__u64 end;
		} remove;

		/* Of no message. */
		struct {
			/* Zero. */
			__u64 reserved1;
			/* Zero. */
			__u64 reserved2;
			/* Zero. */
			__u64 reserved3;
		} reserved;
	} arg;
} __attribute__((packed));

/*
 * uffdio_api is the argument of UFFDIO_API. Since Linux 4.3.
 */
struct uffdio_api {
	/* Set by the caller: UFFD_API. The kernel writes it back. */
	__u64 api;
	/*
	 * Set by the caller: the UFFD_FEATURE_* bits that are to be switched
	 * on. Written by the kernel: all that it has, whatever was asked for.
	 */
	__u64 features;
	/*
	 * Written by the kernel: the operations on a userfaultfd as a whole, a
	 * bit 1<<_UFFDIO_x each.
	 */
	__u64 ioctls;
};

/*
 * uffdio_range is a range of addresses in the process that the userfaultfd
 * belongs to, and the argument of UFFDIO_UNREGISTER and UFFDIO_WAKE. The caller
 * sets it. Since Linux 4.3.
 */
struct uffdio_range {
	/* The address of the first byte, a multiple of the page size. */
	__u64 start;
	/* The length in bytes, a multiple of the page size and not 0. */
	__u64 len;
};

/*
 * uffdio_register is the argument of UFFDIO_REGISTER. Since Linux 4.3.
 */
struct uffdio_register {
	/*
	 * Set by the caller: the memory, in whole pages of its mapping, which
	 * are larger for hugetlb memory.
	 */
	struct uffdio_range range;
	/* Set by the caller: UFFDIO_REGISTER_MODE_* bits, at least one. */
	__u64 mode;
	/*
	 * Written by the kernel, never read: the operations that work on this
	 * range, a bit 1<<_UFFDIO_x each.
	 */
	__u64 ioctls;
};

/*
 * uffdio_copy is the argument of UFFDIO_COPY. Since Linux 4.3.
 */
struct uffdio_copy {
	/*
	 * Set by the caller: the address of the pages to fill, a multiple of
	 * the page size.
	 */
	__u64 dst;
	/*
	 * Set by the caller: the address of the bytes in the calling process,
	 * at any alignment.
	 */
	__u64 src;
	/*
	 * Set by the caller: bytes, a multiple of the page size at
	 * uffdio_copy.dst and not 0.
	 */
	__u64 len;
	/* Set by the caller: UFFDIO_COPY_MODE_* bits. */
	__u64 mode;
	/*
	 * Written by the kernel, never read: the bytes copied, or a negated
	 * errno where there are none. Fewer than uffdio_copy.len come with
	 * EAGAIN; the caller goes on from there.
	 */
	__s64 copy;
};

/*
 * uffdio_zeropage is the argument of UFFDIO_ZEROPAGE. Since Linux 4.3.
 */
struct uffdio_zeropage {
	/* Set by the caller: the pages to fill. */
	struct uffdio_range range;
	/* Set by the caller: UFFDIO_ZEROPAGE_MODE_* bits. */
	__u64 mode;
	/*
	 * Written by the kernel, never read: the bytes filled, or a negated
	 * errno where there are none. Fewer than range.len come with EAGAIN;
	 * the caller goes on from there.
	 */
	__s64 zeropage;
};

/*
 * uffdio_writeprotect is the argument of UFFDIO_WRITEPROTECT. The kernel writes
 * nothing into it. Since Linux 5.7.
 */
struct uffdio_writeprotect {
	/* Set by the caller: the pages to protect, or to lift protection from. */
	struct uffdio_range range;
	/* Set by the caller: UFFDIO_WRITEPROTECT_MODE_* bits. */
	__u64 mode;
};

/*
 * uffdio_continue is the argument of UFFDIO_CONTINUE. Since Linux 5.13.
 */
struct uffdio_continue {
	/* Set by the caller: the pages to map. */
	struct uffdio_range range;
	/* Set by the caller: UFFDIO_CONTINUE_MODE_* bits. */
	__u64 mode;
	/*
	 * Written by the kernel, never read: the bytes mapped, or a negated
	 * errno where there are none. Fewer than range.len come with EAGAIN;
	 * the caller goes on from there.
	 */
	__s64 mapped;
};

/*
 * uffdio_poison is the argument of UFFDIO_POISON. Since Linux 6.6.
 */
struct uffdio_poison {
	/* Set by the caller: the pages to poison. */
	struct uffdio_range range;
	/* Set by the caller: UFFDIO_POISON_MODE_* bits. */
	__u64 mode;
	/*
	 * Written by the kernel, never read: the bytes poisoned, or a negated
	 * errno where there are none. Fewer than range.len come with EAGAIN;
	 * the caller goes on from there.
	 */
	__s64 updated;
};

/*
 * uffdio_rwprotect is the argument of UFFDIO_RWPROTECT. The kernel writes
 * nothing into it. Since Linux 7.3.
 */
struct uffdio_rwprotect {
	/* Set by the caller: the pages to protect, or to lift protection from. */
	struct uffdio_range range;
	/* Set by the caller: UFFDIO_RWPROTECT_MODE_* bits. */
	__u64 mode;
};

/*
 * uffdio_move is the argument of UFFDIO_MOVE. Since Linux 6.8.
 */
struct uffdio_move {
	/*
	 * Set by the caller: the address of the pages to fill, a multiple of
	 * the page size, registered.
	 */
	__u64 dst;
	/*
	 * Set by the caller: the address of the pages to take, a multiple of
	 * the page size, in the same process.
	 */
	__u64 src;
	/* Set by the caller: bytes, a multiple of the page size and not 0. */
	__u64 len;
	/* Set by the caller: UFFDIO_MOVE_MODE_* bits. */
	__u64 mode;
	/*
	 * Written by the kernel, never read: the bytes moved, or a negated
	 * errno where there are none. Fewer than uffdio_move.len come with
	 * EAGAIN; the caller goes on from there.
	 */
	__s64 move;
};

/*
 * uffdio_set_mode is the argument of UFFDIO_SET_MODE. The kernel writes nothing
 * into it. Since Linux 7.3.
 */
struct uffdio_set_mode {
	/*
	 * Set by the caller: the UFFD_FEATURE_* bits to switch on. Only
	 * UFFD_FEATURE_RWP_ASYNC can be.
	 */
	__u64 enable;
	/* Set by the caller: those to switch off; no bit is in both. */
	__u64 disable;
};

#endif
