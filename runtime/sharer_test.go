package userfaultfd_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// nowait is the release in which a read can be told not to wait, whatever
// sharers do to the open file.
const nowait = "6.10"

// sharers are the ways in which somebody else comes by the open file.
var sharers = map[string]func(f *userfaultfd.File) (fd int, err error){
	"Dup": func(f *userfaultfd.File) (int, error) {
		dup, err := f.Dup()
		if err != nil {
			return -1, err
		}
		defer dup.Close()
		return unix.Dup(int(dup.Fd())) // Fd makes it blocking, too
	},
	"SyscallConn": func(f *userfaultfd.File) (fd int, err error) {
		raw, err := f.SyscallConn()
		if err != nil {
			return -1, err
		}
		raw.Control(func(p uintptr) { fd, err = unix.Dup(int(p)) })
		return fd, err
	},
}

// TestSharerTakesNonblockAway has whoever shares the open file make it
// blocking under a reader. That must not stop the program, nor end a read, nor
// lose a message.
func TestSharerTakesNonblockAway(t *testing.T) {
	for how := range sharers {
		t.Run("by a descriptor of "+how+", and garbage is still collected", func(t *testing.T) {
			uffdtest.Open(t, 0)
			runChild(t, "made blocking", how)
		})
		t.Run("by a descriptor of "+how+", and messages still come", func(t *testing.T) {
			f := uffdtest.Open(t, 0)
			m := uffdtest.Map(t, memory.Anonymous, 1)
			uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
			fd, err := sharers[how](f)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			restored := false
			for range 5 {
				read := uffdtest.During(func() error {
					_, err := f.Read(make([]userfaultfd.Msg, 1))
					return err
				})
				uffdtest.Asleep(t, read) // in the poller, which does not like what it meets next
				if err := unix.SetNonblock(fd, false); err != nil {
					t.Fatal(err)
				}
				touched := uffdtest.Touch(m.Range(), m.PageSize(), false)
				if err := uffdtest.Within(t, "the read", read); err != nil {
					t.Fatal(err)
				}
				if _, err := f.Zeropage(m.Range(), 0); err != nil {
					t.Fatal(err)
				}
				if err := uffdtest.Within(t, "the touch", touched); err != nil {
					t.Fatal(err)
				}
				if err := memory.Discard(m.Range()); err != nil {
					t.Fatal(err)
				}
				flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
				if err != nil {
					t.Fatal(err)
				}
				restored = restored || flags&unix.O_NONBLOCK != 0
			}
			if !restored {
				t.Error("the open file is left blocking, so the reader polls from now on")
			}
		})
	}
	t.Run("over and over, and no read fails", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		fd, err := sharers["Dup"](f)
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		toggler := uffdtest.During(func() error {
			defer unix.Close(fd)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return nil
				default:
				}
				if err := unix.SetNonblock(fd, i%2 == 1); err != nil {
					return err
				}
			}
		})
		for range 200 {
			touched := uffdtest.Touch(m.Range(), m.PageSize(), false)
			read := uffdtest.During(func() error {
				_, err := f.Read(make([]userfaultfd.Msg, 1))
				return err
			})
			if err := uffdtest.Within(t, "the read", read); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Zeropage(m.Range(), 0); err != nil {
				t.Fatal(err)
			}
			if err := uffdtest.Within(t, "the touch", touched); err != nil {
				t.Fatal(err)
			}
			if err := memory.Discard(m.Range()); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		if err := uffdtest.Within(t, "the toggler", toggler); err != nil {
			t.Error(err)
		}
	})
	t.Run("and deadlines and Close still end a read", func(t *testing.T) {
		if sys.ReleaseLess(sys.Release(), nowait) {
			t.Skip("RWF_NOWAIT on a userfaultfd (Linux " + nowait + ")")
		}
		f := uffdtest.Open(t, 0)
		fd, err := sharers["SyscallConn"](f)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		for _, end := range []struct {
			how  func() error
			want error
		}{
			{func() error { return f.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
			{f.Close, os.ErrClosed},
		} {
			f.SetReadDeadline(time.Time{})
			if err := unix.SetNonblock(fd, false); err != nil {
				t.Fatal(err)
			}
			read := uffdtest.During(func() error {
				_, err := f.Read(make([]userfaultfd.Msg, 1))
				return err
			})
			uffdtest.Asleep(t, read)
			if err := end.how(); err != nil {
				t.Fatal(err)
			}
			if err := uffdtest.Within(t, "the read", read); !errors.Is(err, end.want) {
				t.Errorf("got %v, want %v", err, end.want)
			}
		}
	})
}

func init() {
	uffdtest.Children["made blocking"] = func(args []string) error {
		f, err := userfaultfd.Open(userfaultfd.Config{})
		if err != nil {
			return err
		}
		fd, err := sharers[args[0]](f)
		if err != nil {
			return err
		}
		if err := unix.SetNonblock(fd, false); err != nil {
			return err
		}
		read := uffdtest.During(func() error {
			_, err := f.Read(make([]userfaultfd.Msg, 1))
			return err
		})
		time.Sleep(20 * time.Millisecond)
		for range 3 {
			runtime.GC() // would wait for a reader that holds a processor
		}
		select {
		case err := <-read:
			return fmt.Errorf("the read ended: %v", err)
		default:
			return nil
		}
	}
}
