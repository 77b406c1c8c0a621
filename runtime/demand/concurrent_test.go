package demand_test

import (
	"testing"
	"time"
	"unsafe"

	"github.com/zuffd/uffd/runtime/demand"
	"github.com/zuffd/uffd/runtime/internal/uffdtest"
	"golang.org/x/sys/unix"
)

// TestOneReadForAllThatWait holds a read while many goroutines want its chunk,
// and others other chunks.
func TestOneReadForAllThatWait(t *testing.T) {
	m, s := open(t, 64*chunk, demand.Config{ChunkSize: chunk, Budget: demand.NewBudget(16 * chunk)})
	reading, release := make(chan error, 1), make(chan struct{})
	s.set(func(s *source) {
		s.hold = func(off, n int64) {
			if off == 5*chunk {
				reading <- nil
				<-release
			}
		}
	})
	var all []<-chan error
	want := func() { all = append(all, uffdtest.During(func() error { return look(m, 5) })) }
	want()
	uffdtest.Within(t, "the read", reading)
	for range 15 {
		want()
	}
	all = append(all, uffdtest.During(func() error { _, err := m.ReadAt(make([]byte, 10), 5*chunk); return err }))
	for _, done := range all {
		uffdtest.Asleep(t, done)
	}
	for c := 8; c < 64; c++ { // evicting, too
		if err := uffdtest.Within(t, "a view of another chunk", uffdtest.During(func() error { return look(m, c) })); err != nil {
			t.Fatal(err)
		}
	}
	close(release)
	for _, done := range all {
		if err := uffdtest.Within(t, "the views", done); err != nil {
			t.Error(err)
		}
	}
	if n := s.seen[5*chunk]; n != 1 {
		t.Errorf("the chunk was read %d times", n)
	}
}

// TestOneGetsRoomForAll has many wait for room for the same chunk. Who comes
// second finds it there, and all that could be evicted for it is that chunk.
func TestOneGetsRoomForAll(t *testing.T) {
	defer demand.SetSilence(demand.SetSilence(time.Hour))
	m, s, _ := limited(t, 2, 1)
	holds, release := make(chan error, 1), make(chan struct{})
	all := []<-chan error{uffdtest.During(func() error {
		return m.View(func(b []byte) error {
			err := verify(chunkBytes(b, 0))
			holds <- err
			<-release
			return err
		})
	})}
	uffdtest.Within(t, "the view that holds the budget", holds)
	for range 4 {
		all = append(all, uffdtest.During(func() error { return look(m, 1) }))
		all = append(all, uffdtest.During(func() error { _, err := m.ReadAt(make([]byte, 10), chunk); return err }))
	}
	for _, done := range all {
		uffdtest.Asleep(t, done)
	}
	close(release)
	for _, done := range all {
		if err := uffdtest.Within(t, "the views", done); err != nil {
			t.Error(err)
		}
	}
	if n := s.seen[chunk]; n != 1 {
		t.Errorf("the chunk was read %d times", n)
	}
}

// TestPagesThatTheKernelTakes discards pages behind the package's back.
func TestPagesThatTheKernelTakes(t *testing.T) {
	m, s := open(t, 4*chunk, demand.Config{ChunkSize: chunk})
	if err := look(m, 0, 1, 2); err != nil {
		t.Fatal(err)
	}
	err := m.View(func(b []byte) error {
		if s.seen[chunk] == 1 {
			if err := unix.Madvise(b[chunk+page:][:page], unix.MADV_DONTNEED); err != nil {
				return err
			}
		}
		return verify(b[:2*chunk], 0)
	})
	if err != nil {
		t.Error(err)
	}
	if n := s.seen[chunk]; n != 2 {
		t.Errorf("the chunk was read %d times", n)
	}
}

// TestRepairThatFails has the source fail when a page is read again that the
// kernel has taken. That spoils neither what is in place nor what was copied.
func TestRepairThatFails(t *testing.T) {
	m, s := open(t, 4*chunk, demand.Config{ChunkSize: chunk, Window: chunk})
	err := m.View(func(b []byte) error {
		if err := verify(b[:2*chunk], 0); err != nil {
			return err
		}
		return unix.Madvise(b[chunk+page:][:page], unix.MADV_DONTNEED)
	})
	if err != nil {
		t.Fatal(err)
	}
	s.set(func(s *source) { s.fail = map[int64]error{0: errSource, chunk: errSource} })
	p := make([]byte, chunk)
	n, err := m.ReadAt(p, chunk)
	wantError(t, err, errSource, chunk)
	if int64(n) != page {
		t.Errorf("ReadAt: %d bytes, want %d", n, page)
	}
	check(t, p[:n], chunk)
	wantError(t, m.View(func(b []byte) error { b[0] = 1; return nil }), unix.EACCES, 0)
	for c := range int64(2) {
		slice, err := m.Slice(c*chunk, 10)
		if err != nil {
			t.Fatalf("a slice of what is in place: %v", err)
		}
		check(t, slice.Bytes(), c*chunk)
		slice.Release()
	}
	s.set(func(s *source) { s.fail = nil })
	if err := m.View(func(b []byte) error { return verify(b, 0) }); err != nil {
		t.Error(err)
	}
}

// resident asks the kernel how many bytes of a mapping are in memory.
func resident(t *testing.T, m *demand.Mapping) (n int64) {
	t.Helper()
	pages := make([]byte, (m.Size()+page-1)/page)
	m.View(func(b []byte) error {
		if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
			t.Fatal(errno)
		}
		return nil
	})
	for _, p := range pages {
		n += int64(p&1) * page
	}
	return n
}
