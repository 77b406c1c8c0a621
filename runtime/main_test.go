package userfaultfd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// children are the programs that this test binary is when it is run again as
// a child: what must fault, hang or lose a privilege does so there.
var children = map[string]func(args []string) error{}

const childEnv = "UFFD_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		if err := children[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The poller has descriptors of its own from the first pipe on.
	if r, w, err := os.Pipe(); err == nil {
		r.Close()
		w.Close()
	}
	before := descriptors()
	code := m.Run()
	giveHugePagesBack()
	if after := descriptors(); code == 0 && after > before {
		fmt.Fprintf(os.Stderr, "descriptors leaked: %d before the tests, %d after\n%s", before, after, listDescriptors())
		code = 1
	}
	os.Exit(code)
}

func descriptors() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(all)
}

func listDescriptors() string {
	var b strings.Builder
	all, _ := os.ReadDir("/proc/self/fd")
	for _, d := range all {
		link, _ := os.Readlink("/proc/self/fd/" + d.Name())
		fmt.Fprintf(&b, "%s %s\n", d.Name(), link)
	}
	return b.String()
}

// deadline is how long a test that may hang is let run.
const deadline = 10 * time.Second

// child returns a command that runs this binary as one of children. It is
// killed at the deadline.
func child(t testing.TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	if children[name] == nil {
		t.Fatalf("no child %q", name)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	timer := time.AfterFunc(deadline, func() {
		if cmd.Process != nil {
			cmd.Process.Kill()
		}
	})
	t.Cleanup(func() { timer.Stop() })
	return cmd
}

// open opens a userfaultfd with features, or skips the test where the kernel
// lacks one or the user may not.
func open(t testing.TB, features userfaultfd.Features) *userfaultfd.File {
	t.Helper()
	return openConfig(t, userfaultfd.Config{Features: features})
}

func openConfig(t testing.TB, c userfaultfd.Config) *userfaultfd.File {
	t.Helper()
	f, err := userfaultfd.Open(c)
	skipUnsupported(t, err)
	if errors.Is(err, unix.EPERM) {
		t.Skipf("userfaultfd not permitted: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// skipUnsupported skips the test for what the kernel does not have. A kernel
// that is new enough to have it fails the test, unless its architecture lacks
// it: the probe is wrong then, or the release.
func skipUnsupported(t testing.TB, err error) {
	t.Helper()
	var missing *userfaultfd.UnsupportedError
	if !errors.As(err, &missing) {
		return
	}
	features, _ := userfaultfd.ParseFeatures(missing.Name)
	release := userfaultfd.KernelRelease()
	name := missing.Name
	for bit := userfaultfd.Features(1); bit != 0; bit <<= 1 {
		if features&bit != 0 && bit.Since() == missing.Since {
			name = "UFFD_FEATURE_" + bit.String() // one of the newest is reason enough
		}
	}
	switch {
	case userfaultfd.ReleaseLess(release, missing.Since):
		t.Skipf("%s (Linux %s)", name, missing.Since)
	case features&lacking(release) != 0:
		t.Skipf("%s (Linux %s, not on %s)", name, missing.Since, runtime.GOARCH)
	}
	t.Errorf("Linux %s should have it: %v", release, err)
	t.SkipNow()
}

// lacking returns the features that kernels of a release do not have on this
// architecture, although they are old enough.
func lacking(release string) userfaultfd.Features {
	const (
		wp = userfaultfd.FeaturePagefaultFlagWP | userfaultfd.FeatureWPHugetlbfsShmem |
			userfaultfd.FeatureWPUnpopulated | userfaultfd.FeatureWPAsync |
			userfaultfd.FeatureRWP | userfaultfd.FeatureRWPAsync
		minor = userfaultfd.FeatureMinorHugetlbfs | userfaultfd.FeatureMinorShmem
	)
	switch runtime.GOARCH {
	case "amd64":
		return 0
	case "arm64":
		if userfaultfd.ReleaseLess(release, arm64WP) {
			return wp
		}
		return 0
	case "riscv64":
		return wp
	}
	return wp | minor
}

// arm64WP is the release in which arm64 learned to write-protect.
const arm64WP = "6.10"

// mapMemory maps pages of a kind of memory, or skips the test where the
// machine has too few huge pages. Transparent huge pages are kept out of it:
// they would make pages present that a test leaves missing.
func mapMemory(t testing.TB, kind userfaultfd.Memory, pages int) *userfaultfd.Mapping {
	t.Helper()
	if kind == userfaultfd.Hugetlb || kind == userfaultfd.HugetlbShared {
		reserveHugePages(t)
	}
	size := pageSize(kind)
	m, err := userfaultfd.Map(kind, pages*size, 0)
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

// torn has the part of a mapping that a test unmaps or moves away itself. It
// must not be unmapped again: it may be somebody else's by then, the Go
// runtime's above all.
var torn = map[*userfaultfd.Mapping]userfaultfd.Range{}

// closeMapping closes a mapping, or unmaps what is left of it.
func closeMapping(m *userfaultfd.Mapping) {
	gone := torn[m]
	if gone.Len == 0 {
		m.Close()
		return
	}
	delete(torn, m)
	whole := m.Range()
	for _, r := range []userfaultfd.Range{
		{Start: whole.Start, Len: gone.Start - whole.Start},
		{Start: gone.End(), Len: whole.End() - gone.End()},
	} {
		if r.Len > 0 {
			munmap(r)
		}
	}
	if m.File() != nil {
		m.File().Close()
	}
}

func munmap(r userfaultfd.Range) error {
	if _, _, errno := unix.Syscall(unix.SYS_MUNMAP, uintptr(r.Start), uintptr(r.Len), 0); errno != 0 {
		return errno
	}
	return nil
}

// pageSize returns the size of a kind of memory's pages, 0 where the kernel has
// none.
func pageSize(kind userfaultfd.Memory) int {
	if kind == userfaultfd.Hugetlb || kind == userfaultfd.HugetlbShared {
		size, _ := hugePages()
		return size
	}
	return os.Getpagesize()
}

// hugePages returns the default size of huge pages, in bytes, and how many the
// system's pool has.
func hugePages() (size, total int) {
	b, _ := os.ReadFile("/proc/meminfo")
	for line := range strings.Lines(string(b)) {
		fmt.Sscanf(line, "Hugepagesize: %d kB", &size)
		fmt.Sscanf(line, "HugePages_Total: %d", &total)
	}
	return size << 10, total
}

// reserveHugePages puts pages into the pool if there are too few for tests, or
// skips the test where the kernel has no such pages.
func reserveHugePages(t testing.TB) {
	t.Helper()
	size, total := hugePages()
	if size == 0 {
		t.Skip("hugetlb: this kernel has no huge pages")
	}
	const enough = 8
	if total < enough && size <= 32<<20 && os.Getuid() == 0 {
		if hugePagesBefore < 0 {
			hugePagesBefore = total
		}
		setHugePages(enough)
	}
}

// hugePagesBefore is how many pages the pool had before tests put more into
// it, -1 if they did not.
var hugePagesBefore = -1

func setHugePages(n int) { os.WriteFile("/proc/sys/vm/nr_hugepages", []byte(fmt.Sprint(n)), 0) }

func giveHugePagesBack() {
	if hugePagesBefore >= 0 {
		setHugePages(hugePagesBefore)
	}
}

// register registers all of m.
func register(t testing.TB, f *userfaultfd.File, m *userfaultfd.Mapping, mode userfaultfd.RegisterMode) userfaultfd.Ioctls {
	t.Helper()
	ioctls, err := f.Register(m.Range(), mode)
	if err != nil {
		t.Fatal(err)
	}
	// Unmapping waits for its event to be read, so f is closed before m is.
	t.Cleanup(func() { f.Close() })
	return ioctls
}

// touch touches every page of r through the kernel, in a goroutine of its own:
// the thread waits in a system call, so that Go goes on.
func touch(r userfaultfd.Range, pageSize int, write bool) <-chan error {
	done := make(chan error, 1)
	go func() { done <- touchNow(r, pageSize, write) }()
	return done
}

func touchNow(r userfaultfd.Range, pageSize int, write bool) error {
	populate := userfaultfd.PopulateRead
	if write {
		populate = userfaultfd.PopulateWrite
	}
	err := populate(r)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	// Before Linux 5.14, let the kernel read a byte of each page, or write it.
	// Signals would make it fault anew, and find what was put there meanwhile.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, &old); err != nil {
		return err
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	for a := r.Start; a < r.End(); a += uint64(pageSize) {
		if err := carry(a, write); err != nil {
			return err
		}
	}
	return nil
}

// carry moves the byte at an address of this process into a pipe, and back to
// the address if write is set. A page to be written that is not in memory is
// written a zero, since reading it would be another fault.
func carry(addr uint64, write bool) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if write && !resident(addr) {
		if _, err := unix.Write(p[1], []byte{0}); err != nil {
			return err
		}
	} else if _, _, errno := unix.Syscall(unix.SYS_WRITE, uintptr(p[1]), uintptr(addr), 1); errno != 0 {
		return errno
	}
	if write {
		if _, _, errno := unix.Syscall(unix.SYS_READ, uintptr(p[0]), uintptr(addr), 1); errno != 0 {
			return errno
		}
	}
	return nil
}

// resident reports whether the page at an address is in memory.
func resident(addr uint64) bool {
	var in [1]byte
	page := uint64(os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(addr&^(page-1)), uintptr(page), uintptr(unsafe.Pointer(&in)))
	return errno == 0 && in[0]&1 != 0
}

// next reads one message, which is to come within the deadline.
func next(t testing.TB, f *userfaultfd.File) *userfaultfd.Msg {
	t.Helper()
	f.SetReadDeadline(time.Now().Add(deadline))
	var buf [1]userfaultfd.Msg
	if _, err := f.Read(buf[:]); err != nil {
		t.Fatalf("waiting for a message: %v", err)
	}
	return &buf[0]
}

// fault reads messages until one is a fault, and returns it.
func fault(t testing.TB, f *userfaultfd.File) userfaultfd.Pagefault {
	t.Helper()
	m := next(t, f)
	if m.Event() != userfaultfd.EventPagefault {
		t.Fatalf("got %v, want a fault", m)
	}
	return m.Pagefault()
}

// within waits for what a goroutine sends.
func within(t testing.TB, what string, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(deadline):
		t.Fatalf("%s: nothing after %v", what, deadline)
		return nil
	}
}

// filled fails the test unless the page has the byte throughout.
func filled(t testing.TB, page []byte, want byte) {
	t.Helper()
	for i, b := range page {
		if b != want {
			t.Fatalf("byte %d is %#x, want %#x", i, b, want)
		}
	}
}

// memories are the kinds of memory that operations are tried on.
var memories = []userfaultfd.Memory{userfaultfd.Anonymous, userfaultfd.Shmem, userfaultfd.Hugetlb, userfaultfd.HugetlbShared}

// missing is the feature without which memory cannot be registered for
// missing pages.
func missing(kind userfaultfd.Memory) userfaultfd.Features {
	switch kind {
	case userfaultfd.Shmem:
		return userfaultfd.FeatureMissingShmem
	case userfaultfd.Hugetlb, userfaultfd.HugetlbShared:
		return userfaultfd.FeatureMissingHugetlbfs
	}
	return 0
}

// protectable is the feature without which memory cannot be write-protected.
func protectable(kind userfaultfd.Memory) userfaultfd.Features {
	if kind == userfaultfd.Anonymous {
		return userfaultfd.FeaturePagefaultFlagWP
	}
	return userfaultfd.FeatureWPHugetlbfsShmem
}

// minor is the feature without which memory cannot be registered for minor
// faults.
func minor(kind userfaultfd.Memory) userfaultfd.Features {
	if kind == userfaultfd.Shmem {
		return userfaultfd.FeatureMinorShmem
	}
	return userfaultfd.FeatureMinorHugetlbfs
}
