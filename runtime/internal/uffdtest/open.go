package uffdtest

import (
	"errors"
	"runtime"
	"testing"

	userfaultfd "github.com/zuffd/uffd/runtime"
	"github.com/zuffd/uffd/runtime/internal/sys"
	"github.com/zuffd/uffd/runtime/memory"
	"golang.org/x/sys/unix"
)

// Open opens a userfaultfd with features, or skips the test where the kernel
// lacks one or the user may not.
func Open(t testing.TB, features userfaultfd.Features) *userfaultfd.File {
	t.Helper()
	return OpenConfig(t, userfaultfd.Config{Features: features})
}

func OpenConfig(t testing.TB, c userfaultfd.Config) *userfaultfd.File {
	t.Helper()
	f, err := userfaultfd.Open(c)
	SkipUnsupported(t, err)
	if errors.Is(err, unix.EPERM) {
		t.Skipf("userfaultfd not permitted: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// SkipUnsupported skips the test for what the kernel does not have. A kernel
// that is new enough to have it fails the test, unless its architecture lacks
// it: the probe is wrong then, or the release.
func SkipUnsupported(t testing.TB, err error) {
	t.Helper()
	var missing *userfaultfd.UnsupportedError
	if !errors.As(err, &missing) {
		return
	}
	features, _ := userfaultfd.ParseFeatures(missing.Name)
	release := sys.Release()
	name := missing.Name
	for bit := userfaultfd.Features(1); bit != 0; bit <<= 1 {
		if features&bit != 0 && bit.Since() == missing.Since {
			name = "UFFD_FEATURE_" + bit.String() // one of the newest is reason enough
		}
	}
	switch {
	case sys.ReleaseLess(release, missing.Since):
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
		if sys.ReleaseLess(release, arm64WP) {
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

// Missing is the feature without which memory cannot be registered for
// missing pages.
func Missing(kind memory.Kind) userfaultfd.Features {
	switch kind {
	case memory.Shmem:
		return userfaultfd.FeatureMissingShmem
	case memory.Hugetlb, memory.HugetlbShared:
		return userfaultfd.FeatureMissingHugetlbfs
	}
	return 0
}

// Protectable is the feature without which memory cannot be write-protected.
func Protectable(kind memory.Kind) userfaultfd.Features {
	if kind == memory.Anonymous {
		return userfaultfd.FeaturePagefaultFlagWP
	}
	return userfaultfd.FeatureWPHugetlbfsShmem
}

// Minor is the feature without which memory cannot be registered for minor
// faults.
func Minor(kind memory.Kind) userfaultfd.Features {
	if kind == memory.Shmem {
		return userfaultfd.FeatureMinorShmem
	}
	return userfaultfd.FeatureMinorHugetlbfs
}

// Everything returns all the features that the kernel has.
func Everything(t testing.TB) userfaultfd.Features {
	t.Helper()
	return OpenConfig(t, userfaultfd.Config{Optional: ^userfaultfd.Features(0) &^ userfaultfd.FeatureSigbus}).Features()
}

// OperationsOn returns the operations that are to work on memory that is
// registered in a mode.
func OperationsOn(kind memory.Kind, mode userfaultfd.RegisterMode, kernel userfaultfd.Features) userfaultfd.Ioctls {
	ops := userfaultfd.IoctlWake | userfaultfd.IoctlCopy
	if kernel&userfaultfd.FeaturePoison != 0 {
		ops |= userfaultfd.IoctlPoison
	}
	if kind == memory.Anonymous || kind == memory.Shmem {
		ops |= userfaultfd.IoctlZeropage
		if kernel&userfaultfd.FeatureMove != 0 {
			ops |= userfaultfd.IoctlMove
		}
	}
	for _, o := range []struct {
		mode userfaultfd.RegisterMode
		op   userfaultfd.Ioctls
	}{
		{userfaultfd.RegisterWP, userfaultfd.IoctlWriteProtect},
		{userfaultfd.RegisterMinor, userfaultfd.IoctlContinue},
		{userfaultfd.RegisterRWP, userfaultfd.IoctlRWProtect},
	} {
		if mode&o.mode != 0 {
			ops |= o.op
		}
	}
	return ops
}
