package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// serve fills pages as they are touched, until f is closed.
func serve(f *userfaultfd.File, pageSize int, content func(page userfaultfd.Range) []byte) error {
	msgs := make([]userfaultfd.Msg, 64)
	var waiting []userfaultfd.Range // pages that somebody waits for
	for {
		n, err := f.Read(msgs)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		for i := range msgs[:n] {
			switch msg := &msgs[i]; msg.Event() {
			case userfaultfd.EventPagefault:
				waiting = append(waiting, msg.Pagefault().Page(pageSize))
			case userfaultfd.EventFork:
				msg.Fork().Close() // the child is not served
			}
		}
		// Pages are filled after all events were read: while one is unread,
		// every operation fails with EAGAIN.
		waiting = slices.DeleteFunc(waiting, func(page userfaultfd.Range) bool {
			_, err := f.Copy(page.Start, content(page), 0)
			switch {
			case errors.Is(err, unix.EAGAIN):
				return false // again later
			case errors.Is(err, unix.EEXIST):
				f.Wake(page) // a fault that was delivered twice
			case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESRCH):
				// The memory is gone.
			case err != nil:
				f.Poison(page, 0) // better a signal than a thread that waits for ever
			}
			return true
		})
		// No further message may come, so those that are left get a timer.
		f.SetReadDeadline(time.Time{})
		if len(waiting) > 0 {
			f.SetReadDeadline(time.Now().Add(time.Millisecond))
		}
	}
}

// A page of this process's memory is filled when it is first touched. The
// touch is a system call's, so that the goroutine that serves it can run (see
// the package comment on the hazard of doing otherwise).
func Example() {
	f, err := userfaultfd.Open(userfaultfd.Config{})
	if errors.Is(err, unix.EPERM) {
		fmt.Println("read 42") // it takes a privilege: nothing to show
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := userfaultfd.Map(userfaultfd.Anonymous, os.Getpagesize(), 0)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if _, err := f.Register(m.Range(), userfaultfd.RegisterMissing); err != nil {
		log.Fatal(err)
	}
	go serve(f, m.PageSize(), func(userfaultfd.Range) []byte {
		return bytes.Repeat([]byte{42}, m.PageSize())
	})

	err = userfaultfd.PopulateRead(m.Range())
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("read 42") // Linux before 5.14
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("read", m.Bytes()[0])
	// Output: read 42
}
