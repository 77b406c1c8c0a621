package userfaultfd

import (
	"math/bits"

	"github.com/zuffd/uffd"
	"github.com/zuffd/uffd/runtime/internal/sys"
)

// Features is a set of UFFD_FEATURE_* bits: what a kernel offers, or what a
// userfaultfd was opened with. Bits that this package has no name for are
// kept, passed through and printed as numbers. See [uffd.UffdioApi].
type Features uint64

// The features, each by the name of its UFFD_FEATURE_* constant in package
// uffd, where its effect is described.
const (
	FeaturePagefaultFlagWP  Features = uffd.UFFD_FEATURE_PAGEFAULT_FLAG_WP  // since Linux 5.7
	FeatureEventFork        Features = uffd.UFFD_FEATURE_EVENT_FORK         // since Linux 4.11; takes CAP_SYS_PTRACE
	FeatureEventRemap       Features = uffd.UFFD_FEATURE_EVENT_REMAP        // since Linux 4.11
	FeatureEventRemove      Features = uffd.UFFD_FEATURE_EVENT_REMOVE       // since Linux 4.11
	FeatureMissingHugetlbfs Features = uffd.UFFD_FEATURE_MISSING_HUGETLBFS  // since Linux 4.11
	FeatureMissingShmem     Features = uffd.UFFD_FEATURE_MISSING_SHMEM      // since Linux 4.11
	FeatureEventUnmap       Features = uffd.UFFD_FEATURE_EVENT_UNMAP        // since Linux 4.11
	FeatureSigbus           Features = uffd.UFFD_FEATURE_SIGBUS             // since Linux 4.14
	FeatureThreadID         Features = uffd.UFFD_FEATURE_THREAD_ID          // since Linux 4.14
	FeatureMinorHugetlbfs   Features = uffd.UFFD_FEATURE_MINOR_HUGETLBFS    // since Linux 5.13
	FeatureMinorShmem       Features = uffd.UFFD_FEATURE_MINOR_SHMEM        // since Linux 5.14
	FeatureExactAddress     Features = uffd.UFFD_FEATURE_EXACT_ADDRESS      // since Linux 5.18
	FeatureWPHugetlbfsShmem Features = uffd.UFFD_FEATURE_WP_HUGETLBFS_SHMEM // since Linux 5.19
	FeatureWPUnpopulated    Features = uffd.UFFD_FEATURE_WP_UNPOPULATED     // since Linux 6.4
	FeaturePoison           Features = uffd.UFFD_FEATURE_POISON             // since Linux 6.6
	FeatureWPAsync          Features = uffd.UFFD_FEATURE_WP_ASYNC           // since Linux 6.7
	FeatureMove             Features = uffd.UFFD_FEATURE_MOVE               // since Linux 6.8
	FeatureRWP              Features = uffd.UFFD_FEATURE_RWP                // since Linux 7.3
	FeatureRWPAsync         Features = uffd.UFFD_FEATURE_RWP_ASYNC          // since Linux 7.3; brings FeatureRWP
)

var featureNames = sys.BitNames{Prefix: "UFFD_FEATURE_", Names: [64]string{
	"PAGEFAULT_FLAG_WP", "EVENT_FORK", "EVENT_REMAP", "EVENT_REMOVE",
	"MISSING_HUGETLBFS", "MISSING_SHMEM", "EVENT_UNMAP", "SIGBUS",
	"THREAD_ID", "MINOR_HUGETLBFS", "MINOR_SHMEM", "EXACT_ADDRESS",
	"WP_HUGETLBFS_SHMEM", "WP_UNPOPULATED", "POISON", "WP_ASYNC",
	"MOVE", "RWP", "RWP_ASYNC",
}}

// featureSince is the Linux release that brought the feature of each bit.
var featureSince = [64]string{
	"5.7", "4.11", "4.11", "4.11",
	"4.11", "4.11", "4.11", "4.14",
	"4.14", "5.13", "5.14", "5.18",
	"5.19", "6.4", "6.6", "6.7",
	"6.8", "7.3", "7.3",
}

// ParseFeatures reads what [Features.String] prints: names in either case,
// with or without UFFD_FEATURE_, and numbers, separated by "|" or ",".
func ParseFeatures(s string) (Features, error) {
	v, err := featureNames.Parse(s)
	return Features(v), err
}

// String returns the names without UFFD_FEATURE_, joined by "|".
func (f Features) String() string { return featureNames.Format(uint64(f)) }

// MarshalText returns what String returns.
func (f Features) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what [ParseFeatures] reads.
func (f *Features) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFeatures(string(b))
	return err
}

// Since returns the Linux release that first had all of f ("6.6"), or ""
// where a bit of f is in no release that this package knows.
func (f Features) Since() string {
	since := ""
	for rest := uint64(f); rest != 0; rest &= rest - 1 {
		s := featureSince[bits.TrailingZeros64(rest)]
		if s == "" {
			return ""
		}
		if since == "" || sys.ReleaseLess(since, s) {
			since = s
		}
	}
	return since
}
