package userfaultfd

import (
	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/runtime/internal/sys"
)

// A RegisterMode says which faults of a range are delivered. Modes combine
// where the kernel and the kind of memory allow it.
type RegisterMode uint64

// The modes of [File.Register].
const (
	RegisterMissing RegisterMode = uffd.UFFDIO_REGISTER_MODE_MISSING // a page that is not there
	RegisterWP      RegisterMode = uffd.UFFDIO_REGISTER_MODE_WP      // a write to a write-protected page; since Linux 5.7
	RegisterMinor   RegisterMode = uffd.UFFDIO_REGISTER_MODE_MINOR   // a page in the page cache but not mapped; shmem and hugetlb; since Linux 5.13
	RegisterRWP     RegisterMode = uffd.UFFDIO_REGISTER_MODE_RWP     // any access to an access-protected page; since Linux 7.3
)

var registerModeNames = sys.BitNames{Prefix: "UFFDIO_REGISTER_MODE_", Names: [64]string{"MISSING", "WP", "MINOR", "RWP"}}

// String returns the names without UFFDIO_REGISTER_MODE_, joined by "|".
func (m RegisterMode) String() string { return registerModeNames.Format(uint64(m)) }

// A CopyMode modifies [File.Copy].
type CopyMode uint64

// The modes of [File.Copy].
const (
	CopyDontWake CopyMode = uffd.UFFDIO_COPY_MODE_DONTWAKE // leave the waiting threads asleep until [File.Wake]
	CopyWP       CopyMode = uffd.UFFDIO_COPY_MODE_WP       // map the pages write-protected; takes RegisterWP; since Linux 5.7
)

// A ZeropageMode modifies [File.Zeropage].
type ZeropageMode uint64

// The mode of [File.Zeropage].
const ZeropageDontWake ZeropageMode = uffd.UFFDIO_ZEROPAGE_MODE_DONTWAKE // leave the waiting threads asleep until [File.Wake]

// A ContinueMode modifies [File.Continue].
type ContinueMode uint64

// The modes of [File.Continue].
const (
	ContinueDontWake ContinueMode = uffd.UFFDIO_CONTINUE_MODE_DONTWAKE // leave the waiting threads asleep until [File.Wake]
	ContinueWP       ContinueMode = uffd.UFFDIO_CONTINUE_MODE_WP       // map the pages write-protected; takes RegisterWP; since Linux 6.4
)

// A PoisonMode modifies [File.Poison].
type PoisonMode uint64

// The mode of [File.Poison].
const PoisonDontWake PoisonMode = uffd.UFFDIO_POISON_MODE_DONTWAKE // leave the waiting threads asleep until [File.Wake]

// A MoveMode modifies [File.Move].
type MoveMode uint64

// The modes of [File.Move].
const (
	MoveDontWake      MoveMode = uffd.UFFDIO_MOVE_MODE_DONTWAKE        // leave the waiting threads asleep until [File.Wake]
	MoveAllowSrcHoles MoveMode = uffd.UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES // skip pages that the source has not, instead of ENOENT
)

// A WriteUnprotectMode modifies [File.WriteUnprotect].
type WriteUnprotectMode uint64

// The mode of [File.WriteUnprotect].
const WriteUnprotectDontWake WriteUnprotectMode = uffd.UFFDIO_WRITEPROTECT_MODE_DONTWAKE // leave the waiting threads asleep until [File.Wake]

// An RWUnprotectMode modifies [File.RWUnprotect].
type RWUnprotectMode uint64

// The mode of [File.RWUnprotect].
const RWUnprotectDontWake RWUnprotectMode = uffd.UFFDIO_RWPROTECT_MODE_DONTWAKE // leave the waiting threads asleep until [File.Wake]
