package uffdtest

import (
	"errors"
	"os"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"

	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// EachKind runs a test on every kind of memory.
func EachKind(t *testing.T, test func(t *testing.T, kind memory.Kind)) {
	EachOf(t, Kinds, test)
}

func EachOf(t *testing.T, kinds []memory.Kind, test func(t *testing.T, kind memory.Kind)) {
	for _, kind := range kinds {
		t.Run("on "+kind.String()+" memory", func(t *testing.T) { test(t, kind) })
	}
}

func Fill(p []byte) {
	for i := range p {
		p[i] = 1
	}
}

// Map maps pages of a kind of memory, or skips the test where the
// machine has too few huge pages. Transparent huge pages are kept out of it:
// they would make pages present that a test leaves missing.
func Map(t testing.TB, kind memory.Kind, pages int) *memory.Mapping {
	t.Helper()
	if kind == memory.Hugetlb || kind == memory.HugetlbShared {
		ReserveHugePages(t)
	}
	size := memory.PageSize(kind)
	m, err := memory.Map(kind, pages*size, 0)
	if errors.Is(err, unix.ENOMEM) && size > os.Getpagesize() {
		t.Skipf("hugetlb: fewer than %d huge pages free", pages)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeMapping(m) })
	if size == os.Getpagesize() {
		unix.Madvise(m.Bytes(), unix.MADV_NOHUGEPAGE)
	}
	return m
}

// Torn has the part of a mapping that a test unmaps or moves away itself. It
// must not be unmapped again: it may be somebody else's by then, the Go
// runtime's above all.
var Torn = map[*memory.Mapping]userfaultfd.Range{}

// closeMapping closes a mapping, or unmaps what is left of it.
func closeMapping(m *memory.Mapping) {
	gone := Torn[m]
	if gone.Len == 0 {
		m.Close()
		return
	}
	delete(Torn, m)
	whole := m.Range()
	for _, r := range []userfaultfd.Range{
		{Start: whole.Start, Len: gone.Start - whole.Start},
		{Start: gone.End(), Len: whole.End() - gone.End()},
	} {
		if r.Len > 0 {
			Munmap(r)
		}
	}
	if m.File() != nil {
		m.File().Close()
	}
}

func Munmap(r userfaultfd.Range) error {
	if _, _, errno := unix.Syscall(unix.SYS_MUNMAP, uintptr(r.Start), uintptr(r.Len), 0); errno != 0 {
		return errno
	}
	return nil
}

// Register registers all of m.
func Register(t testing.TB, f *userfaultfd.File, m *memory.Mapping, mode userfaultfd.RegisterMode) userfaultfd.Ioctls {
	t.Helper()
	ioctls, err := f.Register(m.Range(), mode)
	if err != nil {
		t.Fatal(err)
	}
	// Unmapping waits for its event to be read, so f is closed before m is.
	t.Cleanup(func() { f.Close() })
	return ioctls
}

// Filled fails the test unless the page has the byte throughout.
func Filled(t testing.TB, page []byte, want byte) {
	t.Helper()
	for i, b := range page {
		if b != want {
			t.Fatalf("byte %d is %#x, want %#x", i, b, want)
		}
	}
}

// Kinds are the kinds of memory that operations are tried on.
var Kinds = []memory.Kind{memory.Anonymous, memory.Shmem, memory.Hugetlb, memory.HugetlbShared}
