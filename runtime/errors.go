package userfaultfd

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/zuffd/uffd/runtime/internal/sys"
	"golang.org/x/sys/unix"
)

// An Error is an operation that failed: which, where, how far it came, and
// why. [errors.Is] finds the cause, which is the kernel's unix.Errno as it
// was, [os.ErrClosed], [os.ErrDeadlineExceeded] or a context's error.
type Error struct {
	Op    string // "UFFDIO_POISON", "userfaultfd", "read", "madvise", ...
	Range Range  // as the caller gave it; zero where there is none
	Done  uint64 // bytes that were done before the failure, from Range.Start on
	Err   error
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Error says the operation, the range, the progress, the cause, and what the
// cause means for this operation.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("userfaultfd: ")
	b.WriteString(e.Op)
	if e.Range != (Range{}) {
		fmt.Fprintf(&b, " %v (%d bytes)", e.Range, e.Range.Len)
	}
	if e.Done > 0 {
		fmt.Fprintf(&b, " after %d bytes", e.Done)
	}
	var errno unix.Errno
	isErrno := errors.As(e.Err, &errno)
	cause := fmt.Sprint(e.Err)
	if isErrno && errno == unix.EHWPOISON {
		cause = strings.Replace(cause, errno.Error(), "EHWPOISON", 1) // for which Go has a number only
	}
	b.WriteString(": " + cause)
	if isErrno {
		if why := meaning(e.Op, errno); why != "" {
			fmt.Fprintf(&b, ": %s", why)
		}
	} else if errors.Is(e.Err, os.ErrClosed) {
		b.WriteString(": it was closed, or never opened")
	}
	return b.String()
}

// meanings says what an errno means, for one operation ("UFFDIO_COPY EEXIST")
// or, failing that, for every UFFDIO operation on a range (" EEXIST").
var meanings = map[string]string{
	" EAGAIN":                    "the address space is changing: read the pending events, then try again",
	" EINVAL":                    "the range is not in whole pages of its mapping, is empty or is not registered for this, or the mode has a bit that this kernel does not know",
	" EEXIST":                    "a page is mapped there already: wake the waiting threads",
	" ENOENT":                    "the range is not, or no longer, registered with this userfaultfd",
	" ENOMEM":                    "the kernel could not allocate memory",
	" ESRCH":                     "the process that the memory belonged to has exited",
	" EFAULT":                    "the kernel could not access the memory",
	" EPERM":                     "the kernel does not permit it",
	" ENOTTY":                    "the descriptor is no userfaultfd, or this kernel does not know the operation",
	"UFFDIO_REGISTER EBUSY":      "the range is registered with another userfaultfd, or with this one in more modes: unregister it first",
	"UFFDIO_REGISTER EINVAL":     "the range is not in whole pages, is empty, holds nothing mapped or memory of a kind that cannot be registered in this mode, or the mode is unknown",
	"UFFDIO_REGISTER ENOMEM":     "the process that the memory belonged to has exited, or the kernel could not allocate memory",
	"UFFDIO_REGISTER EPERM":      "the memory may never be written: a shared mapping of a file that is not open, or is sealed, for writing",
	"UFFDIO_UNREGISTER EINVAL":   "the range is not in whole pages, is empty, or holds nothing mapped or memory of a kind that cannot be registered",
	"UFFDIO_UNREGISTER ENOMEM":   "the process that the memory belonged to has exited, or the kernel could not allocate memory",
	"UFFDIO_WAKE EINVAL":         "the range is not in whole pages, or is empty",
	"UFFDIO_COPY EFAULT":         "the source could not be read",
	"UFFDIO_COPY ENOSPC":         "the file system behind the memory, or its huge page pool, is full; with Linux older than 4.13: the process has exited",
	"UFFDIO_ZEROPAGE ENOSPC":     "the file system behind the memory is full; with Linux older than 4.13: the process has exited",
	"UFFDIO_CONTINUE EFAULT":     "there is no page in the page cache to map",
	"UFFDIO_CONTINUE EHWPOISON":  "the page in the page cache is poisoned",
	"UFFDIO_WRITEPROTECT ENOENT": "the range is not, or no longer, registered in write-protect mode with this userfaultfd",
	"UFFDIO_RWPROTECT ENOENT":    "the range is not, or no longer, registered in RWP mode with this userfaultfd",
	"UFFDIO_MOVE EBUSY":          "a source page is shared or pinned: copy it instead",
	"UFFDIO_MOVE EINVAL":         "a range is not in whole pages or is empty, the mode is unknown, the mappings differ in protection, kind or locking or are not private anonymous memory, the destination is not registered with this userfaultfd, or the memory is another process's",
	"UFFDIO_MOVE ENOENT":         "nothing is mapped there, or a source page is missing",
	"UFFDIO_API EINVAL":          "the features are unknown to this kernel, or the handshake was already done",
	"UFFDIO_API EPERM":           "fork events take CAP_SYS_PTRACE",
	"UFFDIO_SET_MODE EINVAL":     "a bit is in both sets, is no mode that can be switched, or its feature was not asked for when opening",
	"madvise EFAULT":             "a fault in the range could not be resolved; user-mode-only userfaultfds fail this way at once",
	"madvise EHWPOISON":          "a page in the range is poisoned",
	"madvise EINVAL":             "the range is not in whole pages, or holds memory that this advice is not for, locked memory say",
	"madvise ENOMEM":             "the range is not wholly mapped",
	"PAGEMAP_SCAN EPERM":         "a page in the range is not registered for asynchronous write-protection",
}

func meaning(op string, errno unix.Errno) string {
	name := unix.ErrnoName(errno)
	if why, ok := meanings[op+" "+name]; ok {
		return why
	}
	if strings.HasPrefix(op, "UFFDIO_") {
		return meanings[" "+name]
	}
	return ""
}

// An UnsupportedError is something that the running kernel does not have.
// It is [errors.ErrUnsupported] and unix.EINVAL to [errors.Is].
type UnsupportedError struct {
	Name  string // "UFFD_FEATURE_POISON"; several are joined by "|"
	Since string // the Linux release that has all of it ("6.6"); empty where unknown
	Hint  string // what else may be the reason; empty where nothing is
}

// Error names what is missing and the release that brought it.
func (e *UnsupportedError) Error() string {
	s := "userfaultfd: the running kernel has no " + e.Name
	if e.Since != "" {
		s += ", which came with Linux " + e.Since
	} else {
		s += ", which no release known to this package has"
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Is reports whether target is [errors.ErrUnsupported] or unix.EINVAL, the
// kernel's own answer to a bit that it does not know.
func (e *UnsupportedError) Is(target error) bool {
	return target == errors.ErrUnsupported || target == unix.EINVAL
}

// unsupported returns the error for features that the kernel lacks.
func unsupported(missing Features) error {
	hint := ""
	if since := missing.Since(); since != "" && !sys.ReleaseLess(sys.Release(), since) {
		hint = "this kernel is new enough (" + sys.Release() + "), so it was built without it or its architecture lacks it"
	}
	return &UnsupportedError{Name: featureNames.FormatFull(uint64(missing)), Since: missing.Since(), Hint: hint}
}
