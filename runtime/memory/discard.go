package memory

import (
	userfaultfd "github.com/zuffd/uffd/runtime"
	"golang.org/x/sys/unix"
)

// Discard takes the pages of r of this process away (MADV_DONTNEED), and
// poison with them; private memory is missing again. With FeatureEventRemove
// it waits until the REMOVE message was read.
//
// Errors: unix.EINVAL (alignment, locked memory), unix.ENOMEM (not mapped
// throughout). Huge pages can be discarded since Linux 5.18. See madvise(2).
func Discard(r userfaultfd.Range) error {
	if errno := madvise(r, unix.MADV_DONTNEED); errno != 0 {
		return &userfaultfd.Error{Op: "madvise", Range: r, Err: errno}
	}
	return nil
}
