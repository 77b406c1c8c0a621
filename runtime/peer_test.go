package userfaultfd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// peerPages is how many pages each side's memory has, here as in peer.c.
const peerPages = 8

// peerPage returns the content of page i: as peer.c has it, zeros if i is odd.
func peerPage(i, size int) []byte {
	page := make([]byte, size)
	if i%2 == 0 {
		for j := range page {
			page[j] = byte(i*31 + j*7 + j/256 + 5)
		}
	}
	return page
}

// finished waits for a peer to end, which it does by itself within its own
// deadline, and fails the test unless it is content.
func finished(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v", strings.Join(cmd.Args[1:], " "), err)
	}
}

// received is what a peer that opened a userfaultfd has sent.
type received struct {
	f       *userfaultfd.File
	memory  userfaultfd.Range
	tid     uint32
	payload int
}

func receive(t *testing.T, conn *net.UnixConn) received {
	t.Helper()
	var r received
	buf := make([]byte, 1<<17)
	f, n, err := userfaultfd.ReceiveFrom(conn, buf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := fmt.Sscanf(string(buf[:n]), "%v %d %d", &r.memory.Start, &r.memory.Len, &r.tid); err != nil {
		t.Fatalf("cannot read the message %.40q: %v", buf[:n], err)
	}
	r.f, r.payload = f, n
	return r
}

func TestPeerOpensAndWeServe(t *testing.T) {
	uffdtest.Open(t, userfaultfd.FeatureThreadID)
	program := uffdtest.CompileC(t, "peer.c")
	for _, mode := range []string{"blocking", "nonblocking"} {
		for _, c := range []struct{ fds, payload int }{{1, 64}, {1, 40000}, {2, 64}, {5, 4096}} {
			t.Run(fmt.Sprintf("%s, one of %d descriptors beside %d bytes", mode, c.fds, c.payload), func(t *testing.T) {
				cmd, conn := uffdtest.StartWithSocket(t, program, "open", mode, strconv.Itoa(c.fds), strconv.Itoa(c.payload))
				r := receive(t, conn)
				// A stream may bring a long message in parts, the descriptor
				// with the first.
				if _, err := io.CopyN(io.Discard, conn, int64(c.payload-r.payload)); err != nil {
					t.Errorf("%d of %d bytes came with the descriptor, then: %v", r.payload, c.payload, err)
				}
				if got := r.f.Features(); got != userfaultfd.FeatureThreadID {
					t.Errorf("features %v, want those that the peer negotiated: THREAD_ID", got)
				}
				servePeer(t, r)
				finished(t, cmd)
			})
		}
	}
}

// servePeer resolves every page of a peer's memory once.
func servePeer(t *testing.T, r received) {
	t.Helper()
	size := os.Getpagesize()
	if r.memory.Len != uint64(peerPages*size) {
		t.Fatalf("the peer has %d bytes of memory, want %d pages", r.memory.Len, peerPages)
	}
	buf := make([]userfaultfd.Msg, 4)
	for resolved := 0; resolved < peerPages; {
		r.f.SetReadDeadline(time.Now().Add(uffdtest.Deadline))
		n, err := r.f.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if buf[i].Event() != userfaultfd.EventPagefault {
				t.Fatalf("got %v, want a fault", &buf[i])
			}
			p := buf[i].Pagefault()
			if !r.memory.Contains(p.Address) {
				t.Fatalf("a fault at %#x, outside %v", p.Address, r.memory)
			}
			if p.ThreadID != r.tid {
				t.Errorf("the fault is thread %d's, want %d's", p.ThreadID, r.tid)
			}
			page := int(p.Address-r.memory.Start) / size
			want := userfaultfd.PagefaultFlags(0)
			if page/2%2 == 1 {
				want = userfaultfd.PagefaultWrite
			}
			if p.Flags != want {
				t.Errorf("page %d: flags %v, want %v", page, p.Flags, want)
			}
			var err error
			if page%2 == 1 {
				_, err = r.f.Zeropage(userfaultfd.Range{Start: p.Address, Len: uint64(size)}, 0)
			} else {
				_, err = r.f.Copy(p.Address, peerPage(page, size), 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			resolved++
		}
	}
}

func TestPeerServesUs(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("a C program of 64 bits cannot copy into one of 32 (any Linux)")
	}
	program := uffdtest.CompileC(t, "peer.c")
	for _, blocking := range []bool{true, false} {
		for _, length := range []int{64, 1 << 20} {
			t.Run(fmt.Sprintf("blocking %v, beside %d bytes", blocking, length), func(t *testing.T) {
				f := uffdtest.OpenConfig(t, userfaultfd.Config{Blocking: blocking})
				m := uffdtest.Map(t, memory.Anonymous, peerPages)
				uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
				cmd, conn := uffdtest.StartWithSocket(t, program, "serve", strconv.Itoa(peerPages))
				if err := f.SendTo(conn, describe(m, length)); err != nil {
					t.Fatal(err)
				}
				var touched [peerPages]<-chan error
				for i := range touched {
					touched[i] = uffdtest.Touch(m.Page(i), m.PageSize(), i%3 == 0)
				}
				for i := range touched {
					if err := uffdtest.Within(t, fmt.Sprintf("touching page %d", i), touched[i]); err != nil {
						t.Errorf("touching page %d: %v", i, err)
					}
					page := m.Bytes()[i*m.PageSize():][:m.PageSize()]
					want := peerPage(i, m.PageSize())
					if i%3 == 0 && errors.Is(memory.PopulateWrite(m.Page(i)), errors.ErrUnsupported) {
						want[0] = 0 // what Touch has written
					}
					if !bytes.Equal(page, want) {
						t.Errorf("page %d begins % x, want % x", i, page[:8], want[:8])
					}
				}
				finished(t, cmd)
			})
		}
	}
}

// describe returns a message of so many bytes that says where m is, and how long
// the message is.
func describe(m *memory.Mapping, length int) []byte {
	p := fmt.Appendf(nil, "%#x %d %d ", m.Range().Start, m.Range().Len, length)
	return append(p, bytes.Repeat([]byte{'.'}, length-len(p))...)
}

func TestPeerDies(t *testing.T) {
	program := uffdtest.CompileC(t, "peer.c")
	for _, mode := range []string{"blocking", "nonblocking"} {
		t.Run("with a fault of its "+mode+" descriptor pending: every operation is ESRCH", func(t *testing.T) {
			uffdtest.Open(t, userfaultfd.FeatureThreadID)
			cmd, conn := uffdtest.StartWithSocket(t, program, "hang", mode)
			r := receive(t, conn)
			uffdtest.Next(t, r.f)
			cmd.Process.Kill()
			cmd.Wait()
			page := userfaultfd.Range{Start: r.memory.Start, Len: uint64(os.Getpagesize())}
			if n, err := r.f.Copy(page.Start, make([]byte, page.Len), 0); n != 0 || !errors.Is(err, unix.ESRCH) {
				t.Errorf("Copy: %d, %v; want 0 and ESRCH", n, err)
			}
			if n, err := r.f.Zeropage(page, 0); n != 0 || !errors.Is(err, unix.ESRCH) {
				t.Errorf("Zeropage: %d, %v; want 0 and ESRCH", n, err)
			}
			if err := r.f.Unregister(page); !errors.Is(err, unix.ENOMEM) {
				t.Errorf("Unregister: %v; want ENOMEM", err)
			}
			if err := r.f.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if _, _, err := userfaultfd.ReceiveFrom(conn, make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("receiving from the dead peer: %v, want EOF", err)
			}
		})
	}
	t.Run("with a fault of ours taken: we can still resolve it", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		m := uffdtest.Map(t, memory.Anonymous, 1)
		uffdtest.Register(t, f, m, userfaultfd.RegisterMissing)
		cmd, conn := uffdtest.StartWithSocket(t, program, "take")
		if err := f.SendTo(conn, nil); err != nil {
			t.Fatal(err)
		}
		touched := uffdtest.Touch(m.Range(), m.PageSize(), false)
		finished(t, cmd)
		uffdtest.Asleep(t, touched)
		if _, err := f.Copy(m.Range().Start, bytes.Repeat([]byte{3}, m.PageSize()), 0); err != nil {
			t.Fatal(err)
		}
		if err := uffdtest.Within(t, "the touch", touched); err != nil {
			t.Fatal(err)
		}
		uffdtest.Filled(t, m.Bytes(), 3)
	})
	t.Run("before it receives: SendTo fails", func(t *testing.T) {
		f := uffdtest.Open(t, 0)
		cmd, conn := uffdtest.StartWithSocket(t, program, "bare")
		finished(t, cmd)
		if err := f.SendTo(conn, nil); !errors.Is(err, unix.EPIPE) {
			t.Errorf("SendTo: %v, want EPIPE", err)
		}
	})
}

func TestPeerSendsNoDescriptor(t *testing.T) {
	cmd, conn := uffdtest.StartWithSocket(t, uffdtest.CompileC(t, "peer.c"), "bare")
	p := make([]byte, 64)
	_, n, err := userfaultfd.ReceiveFrom(conn, p)
	if !errors.Is(err, unix.ENOTTY) || string(p[:n]) != "no descriptor" {
		t.Errorf("got %v beside %q, want ENOTTY beside \"no descriptor\"", err, p[:n])
	}
	finished(t, cmd)
}
