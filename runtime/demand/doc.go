// Package demand is any [io.ReaderAt] as memory: a file, an object in a store,
// something compressed or encrypted. Pages are read when they are touched, by
// the goroutine that touches them, and evicted when a budget is used up.
//
//	m, err := demand.Map(source, size, demand.Config{Budget: demand.NewBudget(64 << 20)})
//	...
//	err = m.View(func(b []byte) error {
//		i, found = sort.Find(n, func(i int) int { return bytes.Compare(key, record(b, i)) })
//		return nil
//	})
//
// # Which way to read
//
//   - pread ([os.File.ReadAt]): where the code knows what it will read, and reads
//     it once. Nothing is simpler, and nothing is faster.
//   - mmap: a local file that nobody truncates, on a disk that does not fail, and
//     no need to say what stays in memory. A page that cannot be read is a
//     SIGBUS, which ends the program.
//   - this package: code that wants memory, to search, to parse, to follow
//     offsets, over a source that is no file, or may fail, or is larger than
//     what it may take. A page that is in place costs what a slice costs. A
//     failure is an error, of the view that met it.
//
// # Four ways to the memory
//
// [Mapping.View] runs a function over the memory, and runs it again, from the
// start, when it has met a missing page. It is the way for short functions that
// compute something. What a View takes is what its function takes, times the
// number of its restarts: [Mapping.Prefetch] spares them, before the view or
// within it, and a sequence of small views is better than a large one.
//
// [Mapping.ReadAt], [Mapping.WriteTo] and [Mapping.Section] are for code that
// takes readers. They run nothing again.
//
// [Mapping.Slice] puts a part in place and holds it there, for code that cannot
// be run again, and for system calls.
//
// [MapServed] is for code that cannot be run again and touches anything: the
// faults of its memory are served by another process, which is this program,
// started anew. It has neither budget nor errors: a page that cannot be had is
// SIGBUS. Never serve it by package pager in this process: that hangs as soon as
// a collection meets a fault.
//
// # How it works, and why it cannot hang
//
// The memory is registered with a userfaultfd that has FeatureSigbus: nobody
// serves its faults. A missing page is a SIGBUS at once, which Go turns into a
// panic with the address ([debug.SetPanicOnFault]); View recovers it, reads the
// chunk into a buffer with ordinary Go code, has the kernel copy it into place,
// and calls the function again. Nothing ever waits inside a fault. A goroutine
// that served the faults of another one would hang the program: a thread that
// waits in a fault keeps its processor, and a collection waits for the thread
// (see package userfaultfd on the hazard of one's own memory). Here there is no
// second thread, process or line of assembly, and no privilege is needed.
//
// What has failed is known to the package, and asked for on the way of a miss.
// No page is poisoned (UFFDIO_POISON, since Linux 6.6), so kernels without it
// behave the same.
//
// # What a view must not do
//
// Its function may be left at any access to the memory, and is then called
// again. So it must be repeatable:
//
//   - Results are built anew in each run. What is outside the function is not
//     counted up, appended to or sent to. A sync.Once within it is done after the
//     first run, whether that came to its end or not.
//   - Locks are unlocked by defer, or taken outside.
//   - Memory that it writes, in a writable mapping, may not depend on what it has
//     written there: b[0]++ is done twice. [Mapping.WriteAt] and slices are for
//     the rest.
//
// And an access must be one that can be left:
//
//   - Only by this goroutine. Others that the function starts need views of their
//     own; so does what runs in an iterator that [iter.Pull] pulls. Their access
//     ends the program.
//   - No channel send straight out of the memory (c <- *(*T)(unsafe.Pointer(&b[0]))):
//     the Go runtime holds a lock while it copies, and ends the program.
//   - No insertion of a map key whose bytes lie in the memory (through
//     unsafe.String): a page that is evicted between hashing and comparing leaves
//     the map marked as being written. Conversions like string(b[i:j]) copy, and
//     are safe. The rule for both: what goes into the runtime's own structures is
//     copied out first.
//   - No system call, and no C function, on the memory: write(2) fails with EFAULT
//     where a page is missing. Take a Slice, ReadAt or WriteTo.
//   - No recover of what it did not panic with. Code that makes errors of panics,
//     such as text/template, is fine as long as the error is returned. But fmt
//     prints the panic of a String or Error method, and goes on.
//   - No slice of the memory, and no string or pointer into it, that outlives the
//     run.
//   - Go pointers are not to be stored in it.
//
// Loads, copy, append, comparisons, conversions, hashes and ciphers in assembly,
// bytes, strings, sort, formatting are fine.
//
// # Kernels
//
// Linux 4.14 has what is needed, 5.11 lets everybody have it; Linux 5.10 takes
// CAP_SYS_PTRACE or vm.unprivileged_userfaultfd, whose default it was. Writable
// mappings take Linux 6.7, on amd64 or, from 6.10 on, arm64.
package demand
