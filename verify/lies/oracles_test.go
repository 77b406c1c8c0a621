package lies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"testing"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/claim"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/linux"
	"github.com/zuffd/uffd/verify/live"
)

const root = "../.."

// loaded are the honest claims.
var loaded = sync.OnceValues(func() (claim.All, error) { return claim.Load(context.Background(), root) })

// honest returns the claim of linux/userfaultfd.h for this machine, each time
// with a model of its own to lie in.
func honest(t *testing.T) *claim.Claim {
	t.Helper()
	all, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	if len(all[runtime.GOARCH]) == 0 {
		t.Skipf("there are no bindings for %s", runtime.GOARCH)
	}
	c := *all[runtime.GOARCH][0]
	text, err := json.Marshal(c.Model)
	if err != nil {
		t.Fatal(err)
	}
	c.Model = new(abi.Model)
	if err := json.Unmarshal(text, c.Model); err != nil {
		t.Fatal(err)
	}
	return &c
}

// An oracle says what of a claim is wrong.
type oracle struct {
	name        string
	contradicts func(c *claim.Claim) (wrong []string, err error)
}

// holding is an oracle that holds what it knows against claims.
func holding(name string, truths ...claim.Truth) oracle {
	return oracle{name, func(c *claim.Claim) (wrong []string, err error) {
		for _, truth := range truths {
			wrong = append(wrong, c.Hold(truth).Wrong...)
		}
		return wrong, nil
	}}
}

// oracles returns those that can be asked here, of this machine: the compiler
// on headers/; the kernel's headers of this release, and of others; the running
// kernel's types; the running kernel. Those that cannot are logged, with what
// to do about it; fewer than two are not enough.
func oracles(t *testing.T) (all []oracle) {
	t.Helper()
	add := func(o oracle, err error) {
		if err != nil {
			missing(t, o.name, err)
		} else {
			all = append(all, o)
		}
	}
	add(compiler(t))
	edition, others, err := kernelHeaders(t)
	add(edition, err)
	add(others, err)
	add(kernelTypes(t))
	add(liveKernel(t))
	if len(all) < 2 {
		t.Skip("fewer than two oracles can be asked")
	}
	return all
}

func compiler(t *testing.T) (oracle, error) {
	c, _ := arch.For(runtime.GOARCH)
	if err := c.Missing(); err != nil {
		return oracle{name: "compiler"}, err
	}
	truth, err := cc.Headers(root, c, honest(t))
	return holding("compiler", truth), err
}

func kernelHeaders(t *testing.T) (edition, others oracle, err error) {
	edition.name, others.name = "headers", "history"
	cache, err := debian.Open()
	if err != nil {
		return edition, others, err
	}
	cache.Offline = os.Getenv("UFFD_VERIFY") == "" // only make verify fetches
	trees, _, err := history.Trees(t.Context(), cache)
	if err != nil {
		return edition, others, err
	}
	c, _ := arch.For(runtime.GOARCH)
	if err := c.Missing(); err != nil {
		return edition, others, err
	}
	said := honest(t)
	var all, its []claim.Truth
	for _, tree := range trees {
		if _, err := tree.Include(c); err != nil {
			continue // it is for other architectures
		}
		truth, err := tree.Truth(c, said.Source.Header)
		if err != nil {
			return edition, others, err
		}
		if truth.Linux == said.Edition {
			its = append(its, truth)
		} else {
			all = append(all, truth)
		}
	}
	if len(its) == 0 {
		return edition, others, fmt.Errorf("no kernel headers of Linux %v", said.Edition)
	}
	return holding("headers", its...), holding("history", all...), nil
}

func kernelTypes(t *testing.T) (oracle, error) {
	kernel, err := btf.Open(btf.Running)
	if err != nil {
		return oracle{name: "BTF"}, fmt.Errorf("%w: it takes a kernel with CONFIG_DEBUG_INFO_BTF", err)
	}
	return oracle{"BTF", func(c *claim.Claim) ([]string, error) {
		truth, err := kernel.Truth(running(t), c)
		return c.Hold(truth).Wrong, err
	}}, nil
}

func liveKernel(t *testing.T) (oracle, error) {
	o := oracle{"live", func(c *claim.Claim) ([]string, error) {
		v, err := live.Check(c)
		return v.Wrong, err
	}}
	_, err := o.contradicts(honest(t))
	return o, err
}

func running(t *testing.T) abi.Release {
	t.Helper()
	r, _, err := linux.Running()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// missing notes that an oracle is not asked. Where make verify runs the tests
// it should be there, unless it is the BTF of a kernel that has none.
func missing(t *testing.T, name string, err error) {
	t.Helper()
	if os.Getenv("UFFD_VERIFY") != "" && !(name == "BTF" && errors.Is(err, fs.ErrNotExist)) {
		t.Errorf("%s is not asked: %v", name, err)
	} else {
		t.Logf("%s is not asked: %v", name, err)
	}
}
