package userfaultfd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// A handler fills memory as it is touched. It does all that a handler has to,
// a page at a time.
type handler struct {
	file     *userfaultfd.File // with FeaturePoison and the REMOVE, REMAP and UNMAP events
	memory   userfaultfd.Range
	pageSize int
	content  func(offset uint64) ([]byte, error) // a page of it

	waiting []userfaultfd.Range // pages that somebody waits for
	zeros   map[uint64]bool     // pages that were removed, by address
}

// serve serves until ctx is done, the process is gone or the file is closed.
// The end of the process does not end it by itself: cancel ctx when its pidfd
// becomes readable, or its socket is closed.
func (h *handler) serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { h.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	msgs := make([]userfaultfd.Msg, 64)
	for {
		// Pages that could not be filled are tried again soon, since no
		// message may come that makes us.
		deadline := time.Time{}
		if len(h.waiting) > 0 {
			deadline = time.Now().Add(time.Millisecond)
		}
		if err := h.file.SetReadDeadline(deadline); err != nil {
			return err
		}
		if ctx.Err() != nil { // looked at after the deadline was set, or that could undo the end
			return ctx.Err()
		}
		n, err := h.file.Read(msgs)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		for i := range msgs[:n] {
			h.take(&msgs[i])
		}
		if n == len(msgs) {
			continue // faults come before the events that caused them: read all
		}
		var failed error
		h.waiting = slices.DeleteFunc(h.waiting, func(page userfaultfd.Range) bool {
			done, err := h.resolve(page)
			failed = errors.Join(failed, err)
			return done
		})
		if failed != nil {
			return failed
		}
	}
}

// take notes what a message says.
func (h *handler) take(msg *userfaultfd.Msg) {
	switch msg.Event() {
	case userfaultfd.EventPagefault:
		page := msg.Pagefault().Page(h.pageSize)
		if !slices.Contains(h.waiting, page) {
			h.waiting = append(h.waiting, page)
		}
	case userfaultfd.EventRemove:
		h.eachPage(msg.Remove(), func(addr uint64) { h.zeros[addr] = true })
	case userfaultfd.EventUnmap:
		h.eachPage(msg.Unmap(), func(addr uint64) { delete(h.zeros, addr) })
	case userfaultfd.EventRemap:
		// Memory that moves is another chapter. This handler asks for what
		// it serves not to be moved.
	case userfaultfd.EventFork:
		msg.Fork().Close() // the child is not served, and finds zeros
	}
}

func (h *handler) eachPage(r userfaultfd.Range, do func(addr uint64)) {
	for addr := r.Start; addr < r.End(); addr += uint64(h.pageSize) {
		do(addr)
	}
}

// resolve fills a page, or poisons it if it cannot be had. It is not done where
// the kernel says EAGAIN, whatever was tried.
func (h *handler) resolve(page userfaultfd.Range) (done bool, err error) {
	var src []byte
	if !h.zeros[page.Start] {
		src, err = h.content(page.Start - h.memory.Start)
	}
	switch {
	case err != nil:
		log.Printf("the page at %#x is lost: %v", page.Start, err)
		_, err = h.file.Poison(page, 0)
	case src == nil:
		_, err = h.file.Zeropage(page, 0)
	default:
		_, err = h.file.Copy(page.Start, src, 0)
	}
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false, nil // a message is waiting: read it first
	case errors.Is(err, unix.EEXIST):
		return true, h.file.Wake(page) // there already, yet somebody may sleep
	case errors.Is(err, unix.ENOENT):
		return true, nil // unmapped meanwhile
	}
	return err == nil, err // unix.ESRCH: the process is gone
}

// Memory is filled as it is touched, by a handler that is complete but serves
// one page at a time, one after the other.
//
// Here the memory is this process's own, and it is touched by a system call, so
// that the goroutine that serves it can run (see the package comment on the
// hazard of doing otherwise).
func Example() {
	f, err := userfaultfd.Open(userfaultfd.Config{
		Features: userfaultfd.FeaturePoison | userfaultfd.FeatureEventRemove | userfaultfd.FeatureEventUnmap,
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("read 42 and then 0") // nothing to show
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
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}

	h := &handler{
		file: f, memory: m.Range(), pageSize: m.PageSize(),
		content: func(uint64) ([]byte, error) { return bytes.Repeat([]byte{42}, m.PageSize()), nil },
		zeros:   map[uint64]bool{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- h.serve(ctx) }()

	if err := memory.PopulateRead(m.Range()); err != nil {
		log.Fatal(err)
	}
	first := m.Bytes()[0]
	if err := memory.Discard(m.Range()); err != nil { // waits until the handler knows
		log.Fatal(err)
	}
	if err := memory.PopulateRead(m.Range()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("read", first, "and then", m.Bytes()[0])

	m.Close()
	cancel()
	if err := <-served; !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
	// Output: read 42 and then 0
}
