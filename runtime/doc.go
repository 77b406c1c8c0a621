// Package userfaultfd is Linux's userfaultfd(2) for Go, without cgo: it opens
// and negotiates, registers memory, resolves faults, reads messages, and
// tracks which pages are written or accessed. It stands on the binary
// interface in [github.com/zuffd/uffd].
//
// The package is in a directory called runtime and is not called so, because
// a file that uses it will often need the standard library's runtime too.
//
// # The life of a userfaultfd
//
// A userfaultfd belongs to the address space of the process that opened it.
// [Open] makes one and negotiates its features, which cannot be changed
// afterwards. [File.Register] names ranges of memory whose faults are to be
// delivered. A thread that then touches a page in a way that faults sleeps in
// the kernel, and a message tells of it ([File.Read]). Whoever holds the
// descriptor resolves the fault: with [File.Copy], [File.Zeropage],
// [File.Continue], [File.Move] or [File.Poison] for a page that is missing,
// with [File.WriteProtect] or [File.RWProtect] for one that is protected. The
// operation wakes the thread, which tries again.
//
// The descriptor can be in another process ([File.SendTo], [ReceiveFrom]):
// addresses are always those of the process that opened it. When the last
// descriptor is closed everything is undone, and threads that still wait find
// zeros.
//
// # Choosing a mode
//
//   - RegisterMissing: pages that were never there. Snapshots restored on
//     demand, migration after the switch, sandboxes.
//   - RegisterMinor: shared or hugetlb memory whose content is put in place
//     through a second mapping and then mapped with Continue. No copy is made
//     by the kernel, and two processes can share the work.
//   - RegisterWP: pages that are there and must not be written unnoticed. Live
//     snapshots, dirty tracking. With FeatureWPAsync no message is sent, and
//     [Pagemap.Scan] tells what was written.
//   - RegisterRWP: pages that are there and must not be accessed unnoticed:
//     which memory is in use. With FeatureRWPAsync no message is sent, and
//     [Pagemap.Scan] tells what was accessed.
//
// What works on which kind of memory, and what this kernel has, [Probe] tells,
// as does the command in uffdprobe.
//
// # Rules for handlers
//
// A fault can be delivered more than once: every signal that the waiting
// thread gets makes it fault anew. Resolving a page twice fails with
// unix.EEXIST, which is no failure of the handler's: the page is there, and
// the thread needs a [File.Wake].
//
// unix.EAGAIN without progress means that the address space is changing, and
// that a REMOVE, REMAP, UNMAP or FORK message is waiting to be read. Trying
// again before reading it never ends. Set the fault aside, read the messages,
// and come back to it, after a while even if no message came.
//
// Operations that fill pages carry partial progress on, and return what was
// done with the error that stopped them. [Error] says which operation, where
// and how far, and is the kernel's errno to [errors.Is].
//
// # What may block
//
// Reading blocks, unless a deadline or a context ends it; it costs no thread.
// Operations do not wait for goroutines of this program. Those on at most 64
// KiB do not tell Go's scheduler that they are in the kernel, as that would
// cost a fifth to a third of their time; so the source of a [File.Copy] should
// be in memory. System calls that discard, unmap or move registered memory
// ([Discard], [Mapping.Close]), and fork(2), do block until their message was
// read, when that event was asked for: another thread has to read.
//
// # The hazard of faulting in one's own process
//
// A goroutine that touches registered memory of its own process, so that a
// goroutine of the same process has to resolve the fault, can hang the whole
// program. The thread that faults keeps its processor (GOMAXPROCS counts
// those), since the Go scheduler knows nothing of the fault; and inside the
// runtime's assembly (copy, append, bytes.Equal, comparing strings, clear) it
// cannot be stopped, so that the next garbage collection waits for it for
// ever, and the handler with it. Measured with a handler that takes 5 ms a
// fault and allocates (P is GOMAXPROCS):
//
//	touch, one faulting goroutine        P=1       P=1, GC   P=2..4    P=2..4, GC
//	plain load, atomic                   35-41 ms  40 ms     5.2 ms    5.3-6.0 ms
//	copy, append, bytes.Equal, s1 == s2  hangs     hangs     5 ms      hangs
//	read(2), write(2), PopulateRead      5 ms      5 ms      5 ms      5 ms
//	PopulateRead first, then copy        5 ms      5 ms      5 ms      5 ms
//
// So serve another process's memory, or touch your own through the kernel
// first: [PopulateRead] and [PopulateWrite] let go of the processor while they
// wait. They fail with EFAULT where the userfaultfd was opened with
// UserModeOnly. Memory that no fault can be pending on (poisoned, or in place)
// is safe to touch, poisoned memory within [Guard].
//
// # Permissions
//
// userfaultfd(2) takes CAP_SYS_PTRACE, or the sysctl
// vm.unprivileged_userfaultfd set to 1, unless the userfaultfd is limited to
// faults of user mode ([Config].UserModeOnly). Whoever may open
// /dev/userfaultfd (Linux 6.1) needs neither. Open tries the system call and
// then the device, and where both refuse the error says what would help.
//
// # Kernels
//
// Nothing here depends on the release of the headers: bits of a newer kernel's
// are passed through and print as numbers. A feature that the running kernel
// lacks is an [UnsupportedError], which names the release that brought it.
package userfaultfd
