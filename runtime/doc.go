// Package userfaultfd is Linux's userfaultfd(2) for Go, without cgo: it opens
// a userfaultfd, registers memory with it, reads its messages and resolves its
// faults. It stands on the binary interface in [github.com/zuffd/uffd].
//
// The package is in a directory called runtime and is not called so, because a
// file that uses it will often need the standard library's runtime too. Beside
// it are memory (one's own, to be registered), pagemap (which pages were
// written) and probe (what this kernel has).
//
// # The life of a userfaultfd
//
// A userfaultfd belongs to the address space of the process that opened it.
// [Open] negotiates its features, which nobody can change afterwards, whoever
// comes to serve it. [File.Register] names memory whose faults are to be
// delivered. A thread that faults there sleeps, and a message tells of it
// ([File.Read]). Whoever holds the descriptor resolves the fault, by an
// operation that also wakes the thread: [File.Copy], [File.Zeropage],
// [File.Continue], [File.Move] or [File.Poison] for a missing page,
// [File.WriteUnprotect] or [File.RWUnprotect] for a protected one.
//
// The descriptor may be in another process ([File.SendTo], [ReceiveFrom]).
// Addresses are always those of the process that opened it. Its exit ends no
// read: watch its pidfd or the socket. When the last descriptor is closed,
// threads that still wait find zeros, as if nothing were wrong.
//
// # Choosing a mode
//
//   - RegisterMissing: pages that are not there. Snapshots restored on demand,
//     migration, sandboxes.
//   - RegisterMinor: shared memory whose pages are there, written through a
//     second mapping, and not yet mapped. Nothing is copied.
//   - RegisterWP: pages that must not be written unnoticed. Live snapshots, and
//     with FeatureWPAsync dirty tracking without messages: it begins with
//     [File.WriteProtect]. Pages put in place with CopyWP stay clean.
//   - RegisterRWP: pages that must not be accessed unnoticed; with
//     FeatureRWPAsync, which memory is in use.
//
// # Rules for handlers
//
// A fault can come more than once: each signal to the waiting thread makes it
// fault anew. The second resolution fails with unix.EEXIST. That is no failure,
// but the thread may still sleep: [File.Wake] it.
//
// unix.EAGAIN without progress means that a REMOVE, REMAP, UNMAP or FORK
// message waits to be read. Trying again before that never ends. Set the fault
// aside, read, and come back to it; after a while ([File.SetReadDeadline]) even
// if no message came.
//
// Messages change what the handler owes. Removed memory reads as zeros from
// then on. What was kept for unmapped addresses is void, and moved memory is
// served at its new place. Read all messages before resolving any fault: the
// kernel hands out faults before the events that caused them.
//
// A page that cannot be had is poisoned, so that its reader gets SIGBUS: no
// thread may wait for ever, and none should find zeros. Poison can meet EAGAIN
// too.
//
// # What may block
//
// Reading blocks, and costs no thread. Operations wait for no goroutine. Those
// on at most 64 KiB keep their processor while they work, as telling the
// scheduler would cost up to a third of their time, so the source of a
// [File.Copy] should be in memory. madvise(2), munmap(2), mremap(2) and fork(2)
// of registered memory wait until their message was read, if it was asked for.
//
// # The hazard of one's own memory
//
// A goroutine that touches registered memory, for another goroutine of the
// same process to resolve the fault, can hang the program. The scheduler knows
// nothing of the fault, so the thread keeps its processor (P of them, by
// GOMAXPROCS). Inside the runtime's assembly it cannot be stopped either: the
// next garbage collection waits for it, and stops the handler. Measured with a
// handler that takes 5 ms:
//
//	touch, by one goroutine              P=1       P=1, GC   P=2..4    P=2..4, GC
//	plain load, atomic                   35-41 ms  40 ms     5.2 ms    5.3-6.0 ms
//	copy, append, bytes.Equal, s1 == s2  hangs     hangs     5 ms      hangs
//	read(2), write(2), populating        5 ms      5 ms      5 ms      5 ms
//
// So serve another process, or touch your own memory through the kernel first
// (memory.PopulateRead), which takes a userfaultfd without UserModeOnly. Memory
// that is in place, or poisoned, is safe to touch. Note that _ = b[i] touches
// nothing: the compiler drops the load.
//
// Do not ask for FORK events of your own process. os/exec shares memory with
// its child and causes none, except with clone flags that make it fork; then it
// waits for the message with its processor and syscall.ForkLock in hand, and
// the reader may never run. Keep memory from children with MADV_DONTFORK, or
// have another process read.
//
// # Permissions and kernels
//
// userfaultfd(2) takes CAP_SYS_PTRACE or the sysctl vm.unprivileged_userfaultfd,
// unless it is limited to faults of user mode ([Config]); /dev/userfaultfd
// (Linux 6.1) takes permission on that file. What the kernel lacks is an
// [UnsupportedError]; bits of newer kernels are passed through.
package userfaultfd
