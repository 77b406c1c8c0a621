package userfaultfd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
	"github.com/zuffd/uffd/runtime/pagemap"
	"golang.org/x/sys/unix"
)

// Ask for what the program cannot do without, and for what it can use.
func ExampleOpen() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeatureEventRemove,
		Optional:     userfaultfd.FeaturePoison | userfaultfd.FeatureMove,
		UserModeOnly: true, // takes no privilege
	})
	var missing *userfaultfd.UnsupportedError
	if errors.As(err, &missing) {
		fmt.Println("open: true") // missing.Name came with Linux missing.Since
		return
	}
	if err != nil {
		log.Fatal(err) // says what an administrator can do
	}
	defer f.Close()
	if f.Features()&userfaultfd.FeaturePoison == 0 {
		// Do without.
	}
	fmt.Println("open:", f.Features()&userfaultfd.FeatureEventRemove != 0)
	// Output: open: true
}

func ExampleFile_Register() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true}) // takes no privilege
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("pages can be copied: true") // Linux before 5.11
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 64*os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	operations, err := f.Register(m.Range(), userfaultfd.RegisterMissing)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("pages can be copied:", operations&userfaultfd.IoctlCopy != 0)
	// Output: pages can be copied: true
}

func ExampleFile_Unregister() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true}) // takes no privilege
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("0") // Linux before 5.11
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}

	if err := f.Unregister(m.Range()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Bytes()[0]) // the kernel's own page of zeros
	// Output: 0
}

func ExampleFile_Copy() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true}) // takes no privilege
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("true 7") // Linux before 5.11
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 2*os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}

	src := bytes.Repeat([]byte{7}, len(m.Bytes()))
	n, err := f.Copy(m.Range().Start, src, 0)
	switch {
	case errors.Is(err, unix.EAGAIN):
		// The address space is changing: read the messages, then go on with
		// src[n:].
	case errors.Is(err, unix.EEXIST):
		// The page after n bytes is there already: wake who waits for it, and
		// go on behind it.
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println(n == len(src), m.Bytes()[0])
	// Output: true 7
}

func ExampleFile_Zeropage() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true}) // takes no privilege
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("true 0") // Linux before 5.11
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 2*os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}

	n, err := f.Zeropage(m.Range(), 0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n == m.Range().Len, m.Bytes()[0])
	// Output: true 0
}

// The content is put into the page cache through a second mapping, and then
// mapped where the fault was.
func ExampleFile_Continue() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeatureMinorShmem,
		UserModeOnly: true, // takes no privilege
	})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("hello") // Linux before 5.14
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Shmem, os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMinor); err != nil {
		log.Fatal(err)
	}

	alias, err := m.Alias()
	if err != nil {
		log.Fatal(err)
	}
	defer alias.Close()
	copy(alias.Bytes(), "hello")
	if _, err := f.Continue(m.Range(), 0); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", m.Bytes()[:5])
	// Output: hello
}

func ExampleFile_Poison() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeaturePoison,
		UserModeOnly: true, // takes no privilege
	})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("poisoned: true") // Linux before 6.6
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}

	if _, err := f.Poison(m.Range(), 0); err != nil {
		log.Fatal(err)
	}
	err = memory.Guard(m.Range(), func() {
		m.Bytes()[0]++
	})
	var access *memory.AccessError
	fmt.Println("poisoned:", errors.As(err, &access))
	// Output: poisoned: true
}

// Pages move from a buffer to where they are missing, and nothing is copied.
func ExampleFile_Move() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeatureMove,
		UserModeOnly: true, // takes no privilege
	})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("hello") // Linux before 6.8
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}

	buffer, err := memory.Map(memory.Anonymous, m.PageSize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer buffer.Close()
	copy(buffer.Bytes(), "hello")
	_, err = f.Move(m.Range().Start, buffer.Range().Start, buffer.Range().Len, 0)
	if errors.Is(err, unix.EBUSY) {
		// The page is shared, with a child say: copy it.
		_, err = f.Copy(m.Range().Start, buffer.Bytes(), 0)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", m.Bytes()[:5])
	// Output: hello
}

// Pages are put in place without waking anyone, so that all of them are there
// when the thread goes on.
func ExampleFile_Wake() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true}) // takes no privilege
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("both pages are there") // Linux before 5.11
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 2*os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}

	page := make([]byte, m.PageSize())
	for i := range 2 {
		if _, err := f.Copy(m.Page(i).Start, page, userfaultfd.CopyDontWake); err != nil {
			log.Fatal(err)
		}
	}
	if err := f.Wake(m.Range()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("both pages are there")
	// Output: both pages are there
}

// A live snapshot: every page is protected, and saved before it is written
// for the first time. Here nobody writes.
func ExampleFile_WriteProtect() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeaturePagefaultFlagWP,
		UserModeOnly: true, // takes no privilege
	})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("saved 2 pages") // not on every architecture
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 2*os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterWP); err != nil {
		log.Fatal(err)
	}

	copy(m.Bytes(), bytes.Repeat([]byte{1}, len(m.Bytes())))
	if err := f.WriteProtect(m.Range()); err != nil {
		log.Fatal(err)
	}
	// Another goroutine would read messages meanwhile, and do the same for
	// each page that a fault with PagefaultWP tells of.
	saved := 0
	for i := range 2 {
		// Reading is allowed. Save m.Bytes() of the page here.
		if err := f.WriteUnprotect(m.Page(i), 0); err != nil {
			log.Fatal(err)
		}
		saved++
	}
	fmt.Println("saved", saved, "pages")
	// Output: saved 2 pages
}

// Which pages are accessed: protect them all, and see later which are not
// protected any more.
func ExampleFile_RWProtect() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeatureRWP | userfaultfd.FeatureRWPAsync,
		UserModeOnly: true, // takes no privilege
	})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("page 1 was accessed") // Linux before 7.3
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, 2*os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterRWP); err != nil {
		log.Fatal(err)
	}

	copy(m.Bytes(), bytes.Repeat([]byte{1}, len(m.Bytes())))
	if err := f.RWProtect(m.Range()); err != nil {
		log.Fatal(err)
	}
	m.Bytes()[m.PageSize()]++ // no message, so Go may touch it

	p, err := pagemap.Open(0)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	for region, err := range p.Walk(pagemap.Accessed(m.Range()), make([]pagemap.Region, 64)) {
		if err != nil {
			log.Fatal(err)
		}
		// Protect it again, and then look at it: no access is lost.
		if err := f.RWProtect(region.Range()); err != nil {
			log.Fatal(err)
		}
		page := (region.Range().Start - m.Range().Start) / uint64(m.PageSize())
		fmt.Println("page", page, "was accessed")
	}
	// Output: page 1 was accessed
}

// Access tracking runs without messages, until pages are to be evicted: then
// an access has to wait.
func ExampleFile_SetMode() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features:     userfaultfd.FeatureRWP | userfaultfd.FeatureRWPAsync,
		UserModeOnly: true, // takes no privilege
	})
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("evicted") // Linux before 7.3
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterRWP); err != nil {
		log.Fatal(err)
	}

	if err := f.SetMode(0, userfaultfd.FeatureRWPAsync); err != nil {
		log.Fatal(err)
	}
	fmt.Println("evicted") // idle pages; accesses are delivered meanwhile
	if err := f.SetMode(userfaultfd.FeatureRWPAsync, 0); err != nil {
		log.Fatal(err)
	}
	// Output: evicted
}

// A context ends reads by way of the deadline. So does the end of a process:
// nothing else tells a reader of it.
func ExampleFile_SetReadDeadline() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true}) // takes no privilege
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("the process has ended") // Linux before 5.11
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	// The process that is served, and might have sent us f. Here it is this
	// program once more, with nothing to do.
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	defer cmd.Wait()
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		defer unix.Close(pidfd)
		for {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
			if err != unix.EINTR {
				return
			}
		}
	}()

	stop := context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = f.Read(make([]userfaultfd.Msg, 16))
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		fmt.Println("the process has ended")
	}
	// Output: the process has ended
}

// One process registers its memory and hands the userfaultfd to another, which
// serves it. Here both are one.
func ExampleReceiveFrom() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true}) // takes no privilege
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("served: true") // Linux before 5.11
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := memory.Map(memory.Anonymous, os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}

	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(file)
		file.Close()
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		ends[i] = c.(*net.UnixConn)
	}

	// In the process whose memory it is:
	if err := f.SendTo(ends[0], fmt.Appendf(nil, "%#x %d", m.Range().Start, m.Range().Len)); err != nil {
		log.Fatal(err)
	}

	// In the process that serves:
	text := make([]byte, 64)
	g, n, err := userfaultfd.ReceiveFrom(ends[1], text)
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	var r userfaultfd.Range
	if _, err := fmt.Sscan(string(text[:n]), &r.Start, &r.Len); err != nil {
		log.Fatal(err)
	}
	done, err := g.Zeropage(r, 0)
	fmt.Println("served:", done == r.Len && err == nil)
	// Output: served: true
}
