package btf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/kernels"
	"github.com/zuffd/uffd/verify/linux"
)

// Ask holds the structs of the claims against the running kernel's, those of
// the newest kernels for amd64 and arm64, and those of whatever kernel of
// Debian's is in the cache besides, since verify/vm has fetched it.
func Ask(ctx context.Context, root string, all claim.All) []claim.Answer {
	release, name, err := linux.Running()
	running := answer("the running "+name, runtime.GOARCH)
	running.Unasked = errors.Join(err, hold(&running, Running, release, all[runtime.GOARCH]))
	if errors.Is(running.Unasked, fs.ErrNotExist) {
		running.Unasked, running.Absent = nil, "CONFIG_DEBUG_INFO_BTF is off, or /sys is not mounted"
	}
	answers := []claim.Answer{running}
	cache, err := debian.Open()
	if err != nil {
		answers[0].Note = fmt.Sprintf("Debian's kernels are not asked: %v", err)
		return answers
	}
	var missing []string
	for _, k := range kernels.Debian {
		a := answer(k.Name(), k.Arch)
		cache.Offline = k.Release != all.Edition().String()
		a.Unasked = askImage(ctx, &a, k, cache, all[k.Arch])
		switch {
		case cache.Offline && errors.Is(a.Unasked, debian.ErrOffline):
			missing = append(missing, k.Name())
		case a.Unasked == nil && slices.ContainsFunc(answers, func(b claim.Answer) bool { return a.Oracle == b.Oracle }):
			// what it takes the place of has been replaced by one that is asked
		default:
			answers = append(answers, a)
		}
	}
	if len(missing) > 0 {
		answers[0].Note = fmt.Sprintf("not asked, as they are not in the cache: %d of Debian's %d kernels (%s), which make vm fetches", len(missing), len(kernels.Debian), strings.Join(missing, " "))
	}
	return answers
}

func answer(name, arch string) claim.Answer {
	return claim.Answer{Kind: "BTF", Oracle: name, About: "the structs of the model and the files for " + arch}
}

func askImage(ctx context.Context, a *claim.Answer, k kernels.Kernel, cache *debian.Cache, claims []*claim.Claim) error {
	image, err := k.Image(ctx, cache)
	if err != nil {
		return err
	}
	_, version, _ := strings.Cut(image.Package, " ")
	release, err := abi.ParseRelease(version)
	if err != nil {
		return err
	}
	a.Oracle, a.Note = strings.TrimPrefix(strings.TrimPrefix(image.Package, "linux-image-"), "linux-binary-"), image.Instead
	return hold(a, image.Path, release, claims)
}

// hold holds claims against the types in a file.
func hold(a *claim.Answer, path string, release abi.Release, claims []*claim.Claim) error {
	types, err := Open(path)
	if err == nil {
		a.Hold(claims, func(c *claim.Claim) (claim.Truth, error) { return types.Truth(release, c) })
		err = a.Unasked
	}
	return err
}

// Truth returns what a kernel of a release knows of the structs of a claim. It
// knows them by their tags, and those inside them only as such.
func (k *Kernel) Truth(release abi.Release, c *claim.Claim) (claim.Truth, error) {
	var names []string
	for _, s := range c.Model.Structs {
		names = append(names, s.Name)
	}
	m, err := k.Model(names...)
	return claim.Truth{Linux: release, Model: m, OnlyTypes: true}, err
}
