// Package pager serves the page faults of another process: it restores virtual
// machines and checkpoints on demand, migrates them, and tracks what they
// write. It stands on package userfaultfd, which is in the directory above.
//
//	p, err := pager.New(file, pager.Config{
//		Regions: []pager.Region{{Range: guest, Source: snapshot}},
//	})
//	if err != nil { ... }
//	err = p.Serve(ctx)
//
// # What a handler owes
//
// A thread that touches a page which is not there sleeps in the kernel, and a
// message tells of it. From then on the handler owes that page. There are four
// ways to pay, and each page has a state that says which is right:
//
//   - Untouched: the page's content is in the source. It is copied in, or, where
//     the source has a hole, filled with zeros.
//   - Installed: the page was put in place, and yet a thread misses it. It was
//     discarded (nothing else takes a page away: what is swapped out, the kernel
//     brings back by itself), so it reads as zeros.
//   - Removed: the process discarded the page, and said so. It reads as zeros,
//     whatever the source holds.
//   - Poisoned: the content cannot be had. Whoever touches the page gets SIGBUS.
//
// Three things a handler must never do. It must not leave a thread waiting,
// which in a virtual machine stops a processor, and soon all of them. It must
// not make zeros up for a page that has content, since nothing ever tells the
// process that its memory is wrong. And it must not put old content where the
// process has discarded it.
//
// # Why that is hard
//
// The kernel's rules, each of which has broken handlers in production:
//
//   - Messages do not come in the order of what happened. A read hands out the
//     faults that wait before the events that do. So all messages are read, then
//     all events applied, and only then is any fault looked at.
//   - A discard goes on when its event was read. The page is taken away after
//     that. An install that was decided before the event was read, and issued
//     after it, lands on a discarded page, and the kernel has no way to see that
//     anything is wrong. Deciding and installing are therefore one step, which
//     the reading of messages never falls into, however many workers install.
//   - While an event waits to be read, every install fails with EAGAIN, without
//     progress. Trying again before reading never ends. And when it was read, the
//     thread that caused it may not have run yet: the fault is tried again when
//     messages were read, and by a timer, because none may come.
//   - EEXIST does not mean that all is well. Somebody else has put the page in
//     place, but the thread may have gone to sleep after that: it is woken.
//   - EEXIST of a huge page does not even mean that: the pool may be empty. A page
//     that is missed again after it has not come.
//   - UNMAP and REMAP are told after the fact, by the threads that did it. Memory
//     may have been moved to where other memory was before the UNMAP of that is
//     read, which then means what was there before.
//   - A thread can overtake another that has moved memory and has not told of it:
//     the REMAP of what was moved to where that memory was comes first, and the REMAP
//     that comes next from there is of what was there before. That MREMAP_DONTUNMAP
//     was said no message tells: a munmap(2) overtaken by such a move is not told
//     from a munmap of what has moved there.
//   - A FORK tells of an address space as it was copied, before or after what other
//     threads told meanwhile: what the child has is found out from what is registered
//     there, and what cannot be found out is poisoned when the child misses it.
//     Before Linux 5.16 that is so only of what shows that it was not told in order.
//     MREMAP_DONTUNMAP that a FORK overtakes leaves what was there for the child, and
//     nothing tells of MADV_WIPEONFORK.
//   - A mremap(2) of no bytes maps shared memory once more, and its REMAP does not
//     tell how much; MREMAP_DONTUNMAP leaves it where it was. A page that is taken
//     for new memory there, and filled with zeros, is a page of everybody's file.
//   - The kernel installs into one mapping at a time. Any mprotect(2) can have split
//     what was one, and the answer, ENOENT, is the same as for memory that is gone.
//   - One fault can come several times, since every signal makes the waiting
//     thread fault anew. Paying twice must do no harm.
//   - A woken thread that still misses its page just faults again. Waking too
//     often is safe always; waking too seldom is a hang.
//   - mremap(2) moves memory, and what was untouched in it; munmap(2) ends a
//     debt; fork(2) makes a second process with debts of its own, and a second
//     userfaultfd.
//
// # Failure
//
// A source that fails is asked again ([Retry]), and then the page, that one
// page, is poisoned: its reader gets SIGBUS at once. A short read is a failure.
// A panic in a source is a failure too, because a pager that dies takes the
// machines that it serves along; and so is memory that a source has mapped and that
// cannot be read (SIGBUS), of a file that was cut short, say. UFFDIO_POISON came with Linux 6.6; before
// that [Config.NoPoison] has to say what is to be done instead.
//
// # When the handler dies
//
// The kernel's answer to the closing of the last descriptor is the worst one
// possible: all waiting threads go on and find zeros, and so does whoever
// touches a missing page from then on. Nobody is told. A crash of the pager's
// process is such a closing, so keep a second descriptor in another process
// ([userfaultfd.File.Dup], or the one that the served process has itself:
// Firecracker keeps one). As long as it is open, threads wait instead of
// reading zeros, and whoever holds it can poison, kill, or start a successor:
// another pager on the same userfaultfd, which wakes everything first, because
// a thread whose message the dead one had read is in no queue any more, and
// faults again when it is woken.
//
// A pager that ends in order leaves nothing owed. If Serve's context is done it
// poisons what was not served, or hands over ([Config.OnStop]); [Pager.Detach]
// brings everything in and lets the memory go. It closes the descriptor only
// after that.
//
// What the successor of a dead pager cannot know is which pages were there.
// It need not: installing a page that is there fails with EEXIST. But it has
// to know which pages were discarded; [Pager.Pages] tells, in a form that can be
// stored, and [Config.Resume] takes it.
//
// # Speed
//
// A fault takes about 10 microseconds on one CPU, of which the pager's part is
// one, and 17 or more across CPUs, nearly all of the rest for waking the other CPU
// up (in a virtual machine, Linux 6.18). A C program that waits in poll(2) takes
// the same within a twentieth, and one that waits in read(2) a twelfth less across
// CPUs. A timer of the program, a deadline or time.After, has Go's poller sleep with
// a timeout, which takes a thirtieth of a fault; the pager has none where it is
// given a pidfd ([Config.Process]) and nothing is owed.
//
// Three things change that. Installing more pages at once ([Readahead]): 16
// pages cost seven times what one does, without the way there and back. Not
// faulting at all: [Pager.Populate] brings everything in, in the background, and
// [Pager.Replay] what was asked for the last time, which a [Recorder] noted. And
// polling ([Config.Spin]), which burns a processor.
//
// Sources that lend memory ([Lender]) are served by the goroutine that reads
// messages, without a switch and without a copy in between. All others are read
// by workers.
//
// Memory of one's own process is not served: a goroutine that faults keeps its
// processor, and a handler in the same program may never run. New refuses it
// ([ErrOwnMemory]); package demand has the ways that work. See the package
// userfaultfd for the hazard.
package pager
