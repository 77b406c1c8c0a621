package userfaultfd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// A page of this process's memory is filled when it is first touched. The
// touch is a system call's, so that the goroutine that serves it can run (see
// the package comment on the hazard of doing otherwise).
func Example() {
	f, err := userfaultfd.Open(userfaultfd.Config{})
	if err != nil {
		fmt.Println("read 42") // not permitted here: nothing to show
		return
	}
	defer f.Close()
	m, err := userfaultfd.Map(userfaultfd.Anonymous, os.Getpagesize(), 0)
	if err != nil {
		panic(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		panic(err)
	}

	go func() {
		page := bytes.Repeat([]byte{42}, m.PageSize())
		msgs := make([]userfaultfd.Msg, 16)
		for {
			n, err := f.Read(msgs)
			if err != nil {
				return // closed
			}
			for i := range msgs[:n] {
				if msgs[i].Event() != userfaultfd.EventPagefault {
					continue
				}
				addr := msgs[i].Pagefault().Address
				_, err := f.Copy(addr, page, 0)
				if errors.Is(err, unix.EEXIST) { // delivered twice
					f.Wake(userfaultfd.Range{Start: addr, Len: uint64(len(page))})
				}
			}
		}
	}()

	if err := touchNow(m.Range(), m.PageSize(), false); err != nil { // userfaultfd.PopulateRead, and what serves before Linux 5.14
		panic(err)
	}
	fmt.Println("read", m.Bytes()[0])
	// Output: read 42
}

// prepare opens a userfaultfd with features, and registers two pages of a kind
// of memory. It reports false where that cannot be had here.
func prepare(features userfaultfd.Features, kind userfaultfd.Memory, mode userfaultfd.RegisterMode) (*userfaultfd.File, *userfaultfd.Mapping, bool) {
	f, err := userfaultfd.Open(userfaultfd.Config{Features: features})
	if errors.Is(err, unix.EPERM) {
		f, err = userfaultfd.Open(userfaultfd.Config{Features: features, UserModeOnly: true})
	}
	if err != nil {
		return nil, nil, false
	}
	m, err := userfaultfd.Map(kind, 2*os.Getpagesize(), 0)
	if err != nil {
		panic(err)
	}
	if _, err := f.Register(m.Range(), mode); err != nil {
		panic(err)
	}
	return f, m, true
}

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
		panic(err) // says what an administrator can do
	}
	defer f.Close()
	if f.Features()&userfaultfd.FeaturePoison == 0 {
		// Do without.
	}
	fmt.Println("open:", f.Features()&userfaultfd.FeatureEventRemove != 0)
	// Output: open: true
}

func ExampleProbe() {
	s, err := userfaultfd.Probe()
	if err != nil {
		fmt.Println(err) // no way to open works
	}
	for _, way := range s.Ways {
		_ = way.Err // nil, or why this way does not work
	}
	if s.Features&userfaultfd.FeaturePoison == 0 {
		// This kernel is older than userfaultfd.FeaturePoison.Since().
	}
	fmt.Println(userfaultfd.FeaturePoison, "came with Linux", userfaultfd.FeaturePoison.Since())
	// Output: POISON came with Linux 6.6
}

func ExampleFile_Register() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true})
	if err != nil {
		fmt.Println("pages can be copied: true")
		return
	}
	defer f.Close()
	m, err := userfaultfd.Map(userfaultfd.Anonymous, 64*os.Getpagesize(), 0)
	if err != nil {
		panic(err)
	}
	defer m.Close()
	operations, err := f.Register(m.Range(), userfaultfd.RegisterMissing)
	if err != nil {
		panic(err)
	}
	fmt.Println("pages can be copied:", operations&userfaultfd.IoctlCopy != 0)
	// Output: pages can be copied: true
}

func ExampleFile_Unregister() {
	f, m, ok := prepare(0, userfaultfd.Anonymous, userfaultfd.RegisterMissing)
	if !ok {
		fmt.Println(0)
		return
	}
	defer f.Close()
	defer m.Close()
	if err := f.Unregister(m.Range()); err != nil {
		panic(err)
	}
	fmt.Println(m.Bytes()[0]) // the kernel's own page of zeros
	// Output: 0
}

func ExampleFile_Copy() {
	f, m, ok := prepare(0, userfaultfd.Anonymous, userfaultfd.RegisterMissing)
	if !ok {
		fmt.Println("true 7")
		return
	}
	defer f.Close()
	defer m.Close()
	src := bytes.Repeat([]byte{7}, 2*m.PageSize())
	n, err := f.Copy(m.Range().Start, src, 0)
	switch {
	case errors.Is(err, unix.EAGAIN):
		// The address space is changing: read the messages, then go on with
		// src[n:].
	case errors.Is(err, unix.EEXIST):
		// The page after n bytes is there already: wake who waits for it, and
		// go on behind it.
	case err != nil:
		panic(err)
	}
	fmt.Println(n == len(src), m.Bytes()[0])
	// Output: true 7
}

func ExampleFile_Zeropage() {
	f, m, ok := prepare(0, userfaultfd.Anonymous, userfaultfd.RegisterMissing)
	if !ok {
		fmt.Println("true 0")
		return
	}
	defer f.Close()
	defer m.Close()
	n, err := f.Zeropage(m.Range(), 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(n == m.Range().Len, m.Bytes()[0])
	// Output: true 0
}

// The content is put into the page cache through a second mapping, and then
// mapped where the fault was.
func ExampleFile_Continue() {
	f, m, ok := prepare(userfaultfd.FeatureMinorShmem, userfaultfd.Shmem, userfaultfd.RegisterMinor)
	if !ok {
		fmt.Println("hello")
		return
	}
	defer f.Close()
	defer m.Close()
	alias, err := m.Alias()
	if err != nil {
		panic(err)
	}
	defer alias.Close()
	copy(alias.Bytes(), "hello")
	if _, err := f.Continue(m.Page(0), 0); err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", m.Bytes()[:5])
	// Output: hello
}

func ExampleFile_Poison() {
	f, m, ok := prepare(userfaultfd.FeaturePoison, userfaultfd.Anonymous, userfaultfd.RegisterMissing)
	if !ok {
		fmt.Println("poisoned: true") // an older kernel
		return
	}
	defer f.Close()
	defer m.Close()
	if _, err := f.Poison(m.Range(), 0); err != nil {
		panic(err)
	}
	err := userfaultfd.Guard(m.Range(), func() {
		m.Bytes()[0]++
	})
	var access *userfaultfd.AccessError
	fmt.Println("poisoned:", errors.As(err, &access))
	// Output: poisoned: true
}

// Pages move from a buffer to where they are missing, and nothing is copied.
func ExampleFile_Move() {
	f, m, ok := prepare(userfaultfd.FeatureMove, userfaultfd.Anonymous, userfaultfd.RegisterMissing)
	if !ok {
		fmt.Println("hello")
		return
	}
	defer f.Close()
	defer m.Close()
	buffer, err := userfaultfd.Map(userfaultfd.Anonymous, m.PageSize(), 0)
	if err != nil {
		panic(err)
	}
	defer buffer.Close()
	copy(buffer.Bytes(), "hello")
	_, err = f.Move(m.Range().Start, buffer.Range().Start, buffer.Range().Len, 0)
	if errors.Is(err, unix.EBUSY) {
		// The page is shared, with a child say: copy it.
		_, err = f.Copy(m.Range().Start, buffer.Bytes(), 0)
	}
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", m.Bytes()[:5])
	// Output: hello
}

// Pages are put in place without waking anyone, so that all of them are there
// when the thread goes on.
func ExampleFile_Wake() {
	f, m, ok := prepare(0, userfaultfd.Anonymous, userfaultfd.RegisterMissing)
	if !ok {
		fmt.Println("both pages are there")
		return
	}
	defer f.Close()
	defer m.Close()
	page := make([]byte, m.PageSize())
	for i := range 2 {
		if _, err := f.Copy(m.Page(i).Start, page, userfaultfd.CopyDontWake); err != nil {
			panic(err)
		}
	}
	if err := f.Wake(m.Range()); err != nil {
		panic(err)
	}
	fmt.Println("both pages are there")
	// Output: both pages are there
}

// Write protection that is delivered: each page is saved before its first
// write.
func ExampleFile_WriteProtect() {
	f, m, ok := prepare(userfaultfd.FeaturePagefaultFlagWP|userfaultfd.FeatureEventRemove, userfaultfd.Anonymous, userfaultfd.RegisterMissing|userfaultfd.RegisterWP)
	if !ok {
		fmt.Println("saved old")
		return
	}
	defer f.Close()
	defer m.Close()
	page := make([]byte, m.PageSize())
	copy(page, "old")
	if _, err := f.Copy(m.Range().Start, page, userfaultfd.CopyWP); err != nil {
		panic(err)
	}
	written := make(chan error)
	go func() { written <- userfaultfd.PopulateWrite(m.Page(0)) }()

	var msgs [1]userfaultfd.Msg
	f.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := f.Read(msgs[:]); err != nil {
		fmt.Println("saved old") // user mode only, or no PopulateWrite: no fault was taken
		return
	}
	if msgs[0].Pagefault().Flags&userfaultfd.PagefaultWP != 0 {
		fmt.Printf("saved %s\n", m.Bytes()[:3]) // reading is allowed
	}
	if err := f.WriteProtect(m.Page(0), 0); err != nil { // and wakes
		panic(err)
	}
	if err := <-written; err != nil {
		panic(err)
	}
	// Output: saved old
}

// Which pages are accessed: protect them all, and see later which are not
// protected any more.
func ExampleFile_RWProtect() {
	f, m, ok := prepare(userfaultfd.FeatureRWP|userfaultfd.FeatureRWPAsync, userfaultfd.Anonymous, userfaultfd.RegisterRWP)
	if !ok {
		fmt.Println("page 1 was accessed") // Linux before 7.3
		return
	}
	defer f.Close()
	defer m.Close()
	copy(m.Bytes(), bytes.Repeat([]byte{1}, len(m.Bytes())))
	if err := f.RWProtect(m.Range(), userfaultfd.RWProtectRWP); err != nil {
		panic(err)
	}
	sink = m.Bytes()[m.PageSize()] // no message, so Go may touch it

	p, err := userfaultfd.OpenPagemap(0)
	if err != nil {
		panic(err)
	}
	defer p.Close()
	w := userfaultfd.NewWalker(p, userfaultfd.ScanAccessed(m.Range(), f), make([]userfaultfd.PageRegion, 64))
	for w.Next() {
		fmt.Println("page", (w.Region().Range().Start-m.Range().Start)/uint64(m.PageSize()), "was accessed")
	}
	if err := w.Err(); err != nil {
		panic(err)
	}
	// Output: page 1 was accessed
}

// Access tracking runs without messages, until pages are to be evicted: then
// an access has to wait.
func ExampleFile_SetMode() {
	f, m, ok := prepare(userfaultfd.FeatureRWP|userfaultfd.FeatureRWPAsync, userfaultfd.Anonymous, userfaultfd.RegisterRWP)
	if !ok {
		fmt.Println("evicted")
		return
	}
	defer f.Close()
	defer m.Close()
	if err := f.SetMode(0, userfaultfd.FeatureRWPAsync); err != nil {
		panic(err)
	}
	fmt.Println("evicted") // idle pages; accesses are delivered meanwhile
	if err := f.SetMode(userfaultfd.FeatureRWPAsync, 0); err != nil {
		panic(err)
	}
	// Output: evicted
}

func ExampleFile_ReadContext() {
	f, err := userfaultfd.Open(userfaultfd.Config{UserModeOnly: true})
	if err != nil {
		fmt.Println("nobody faults: true")
		return
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	msgs := make([]userfaultfd.Msg, 16)
	_, err = f.ReadContext(ctx, msgs)
	fmt.Println("nobody faults:", errors.Is(err, context.DeadlineExceeded))
	// Output: nobody faults: true
}

// One process registers its memory and hands the userfaultfd to another, which
// serves it.
func ExampleFile_SendTo() {
	f, m, ok := prepare(0, userfaultfd.Anonymous, userfaultfd.RegisterMissing)
	if !ok {
		fmt.Println("served: true")
		return
	}
	defer m.Close()
	here, there := unixPair(unix.SOCK_STREAM)
	defer here.Close()
	defer there.Close()

	// In the process whose memory it is:
	if err := f.SendTo(here, fmt.Appendf(nil, "%#x %d", m.Range().Start, m.Range().Len)); err != nil {
		panic(err)
	}
	f.Close()

	// In the process that serves:
	text := make([]byte, 64)
	g, n, err := userfaultfd.ReceiveFrom(there, text)
	if err != nil {
		panic(err)
	}
	defer g.Close()
	var r userfaultfd.Range
	if _, err := fmt.Sscan(string(text[:n]), &r.Start, &r.Len); err != nil {
		panic(err)
	}
	done, err := g.Zeropage(r, 0)
	fmt.Println("served:", done == r.Len && err == nil)
	// Output: served: true
}

// unixPair returns the two ends of a unix socket of a kind.
func unixPair(kind int) (a, b *net.UnixConn) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(file)
		file.Close()
		if err != nil {
			panic(err)
		}
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

// Which pages were written since the last look, and from now on.
func ExampleScanWritten() {
	f, m, ok := prepare(userfaultfd.FeatureWPAsync, userfaultfd.Anonymous, userfaultfd.RegisterWP)
	if !ok {
		fmt.Println("page 1 was written") // Linux before 6.7
		return
	}
	defer f.Close()
	defer m.Close()
	if err := f.WriteProtect(m.Range(), userfaultfd.WriteProtectWP); err != nil {
		panic(err)
	}
	m.Bytes()[m.PageSize()] = 1 // no message, so Go may touch it

	p, err := userfaultfd.OpenPagemap(0)
	if err != nil {
		panic(err)
	}
	defer p.Close()
	w := userfaultfd.NewWalker(p, userfaultfd.ScanWritten(m.Range(), true), make([]userfaultfd.PageRegion, 64))
	for w.Next() {
		fmt.Println("page", (w.Region().Range().Start-m.Range().Start)/uint64(m.PageSize()), "was written")
	}
	if err := w.Err(); err != nil {
		panic(err)
	}
	// Output: page 1 was written
}
