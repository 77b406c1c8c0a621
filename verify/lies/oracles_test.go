package lies

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zuffd/uffd/headers"
	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/bindings"
	"github.com/zuffd/uffd/verify/btf"
	"github.com/zuffd/uffd/verify/cc"
	"github.com/zuffd/uffd/verify/debian"
	"github.com/zuffd/uffd/verify/facts"
	"github.com/zuffd/uffd/verify/generator"
	"github.com/zuffd/uffd/verify/history"
	"github.com/zuffd/uffd/verify/live"
	"github.com/zuffd/uffd/verify/since"
)

const root = "../.."

var header = bindings.Sources[0].Header

// honest returns the generator's model for this machine, and the releases that
// headers/ says, each time anew.
func honest(t *testing.T) *claims {
	t.Helper()
	text, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	m := new(abi.Model)
	if err := json.Unmarshal(text, m); err != nil {
		t.Fatal(err)
	}
	symbols, err := since.Documented(headers.FS, header)
	if err != nil {
		t.Fatal(err)
	}
	return &claims{m, symbols}
}

// generated is the generator's model as JSON, of which each lie gets a copy.
var generated = sync.OnceValues(func() ([]byte, error) {
	models, err := generator.Models(context.Background(), root, "headers", header, runtime.GOARCH)
	if err != nil {
		return nil, err
	}
	return json.Marshal(models[runtime.GOARCH])
})

// An oracle says what of the claims is wrong.
type oracle struct {
	name        string
	contradicts func(c *claims) (wrong []string, err error)
}

// oracles returns those that can be asked here. Those that cannot are logged,
// with what to do about it; fewer than two are not enough.
func oracles(t *testing.T) []oracle {
	var all []oracle
	for _, make := range []struct {
		name string
		of   func(t *testing.T) (func(*claims) ([]string, error), error)
	}{
		{"compiler", compiler}, {"BTF", kernelTypes}, {"history", kernelHeaders}, {"live", liveKernel},
	} {
		ask, err := make.of(t)
		if err != nil {
			missing(t, make.name, err)
			continue
		}
		all = append(all, oracle{make.name, ask})
	}
	if len(all) < 2 {
		t.Skip("fewer than two oracles can be asked")
	}
	return all
}

func lines(wrong []facts.Disagreement) []string {
	var all []string
	for _, d := range wrong {
		all = append(all, d.String())
	}
	return all
}

// installed returns this machine's compiler.
func installed() (cc.Compiler, error) {
	c, ok := cc.For(runtime.GOARCH)
	if !ok || !c.Installed() {
		return c, fmt.Errorf("no C compiler for %s: apt-get install %s", runtime.GOARCH, c.Package)
	}
	return c, nil
}

func describe() (*abi.Model, cc.Compiler, error) {
	c, err := installed()
	if err != nil {
		return nil, c, err
	}
	dir, err := filepath.Abs(filepath.Join(root, "headers"))
	if err != nil {
		return nil, c, err
	}
	m, err := c.Describe([]string{dir}, header, nil)
	return m, c, err
}

// compiler is the C compiler's understanding of our headers.
func compiler(t *testing.T) (func(*claims) ([]string, error), error) {
	truth, _, err := describe()
	return func(c *claims) ([]string, error) {
		_, wrong := facts.Compare(facts.Of(c.model), facts.Of(truth))
		return lines(wrong), nil
	}, err
}

// kernelTypes is the running kernel's own description of its structs. It knows
// no constants and no alignments.
func kernelTypes(t *testing.T) (func(*claims) ([]string, error), error) {
	kernel, err := btf.Open(btf.Running)
	if err != nil {
		return nil, fmt.Errorf("%w: it takes a kernel with CONFIG_DEBUG_INFO_BTF", err)
	}
	running := running(t)
	return func(c *claims) ([]string, error) {
		var wrong []string
		for _, tag := range tags(c.model) {
			truth, absent, err := kernel.Model(tag)
			if err != nil {
				return nil, err
			}
			came, older := c.symbols[tag], running.Before(c.symbols[tag])
			if there := len(absent) == 0; there == older {
				wrong = append(wrong, fmt.Sprintf("Linux %v and struct %s, said to be since %v: there is %t", running, tag, came, there))
			}
			if len(absent) > 0 {
				continue
			}
			claim := &abi.Model{}
			for _, s := range c.model.Structs {
				if s.Name == tag || strings.HasPrefix(s.Name, tag+".") {
					s.Align = 0
					claim.Structs = append(claim.Structs, s)
				}
			}
			_, differ := facts.Compare(facts.Of(claim), facts.Of(truth))
			wrong = append(wrong, lines(differ)...)
		}
		return wrong, nil
	}, nil
}

func running(t *testing.T) since.Release {
	t.Helper()
	r, _, err := since.Running()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// missing notes that an oracle is not asked. Where make verify runs the tests
// it should be there, unless it is the BTF of a kernel that has none.
func missing(t *testing.T, name string, err error) {
	t.Helper()
	if os.Getenv("UFFD_VERIFY") != "" && (name != "BTF" || hasBTF()) {
		t.Errorf("%s is not asked: %v", name, err)
	} else {
		t.Logf("%s is not asked: %v", name, err)
	}
}

func hasBTF() bool {
	_, err := os.Stat(btf.Running)
	return err == nil
}

func tags(m *abi.Model) []string {
	all := map[string]bool{}
	for _, s := range m.Structs {
		tag, _, _ := strings.Cut(s.Name, ".")
		all[tag] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// kernelReleases returns what the compiler sees in the kernel's own headers of
// every release.
func kernelReleases(t *testing.T) ([]history.Release, error) {
	c, err := installed()
	if err != nil {
		return nil, err
	}
	cache, err := debian.Open()
	if err != nil {
		return nil, err
	}
	cache.Log = os.Stderr
	cache.Offline = os.Getenv("UFFD_VERIFY") == ""
	edition, err := since.Edition(headers.FS)
	if err != nil {
		return nil, err
	}
	trees, err := history.Trees(t.Context(), cache, edition)
	if err != nil {
		return nil, err
	}
	return history.Describe(trees, c, header)
}

// kernelHeaders is the kernel's own headers of every release.
func kernelHeaders(t *testing.T) (func(*claims) ([]string, error), error) {
	releases, err := kernelReleases(t)
	return func(c *claims) ([]string, error) {
		_, wrong := history.Check(c.model, c.symbols, releases)
		_, differ := history.Edition(c.model, releases[len(releases)-1].Truth)
		return append(wrong, lines(differ)...), nil
	}, err
}

// liveKernel is what the running kernel answers.
func liveKernel(t *testing.T) (func(*claims) ([]string, error), error) {
	ask := func(c *claims) ([]string, error) {
		_, wrong, err := live.Check(c.model, c.symbols)
		return wrong, err
	}
	_, err := ask(honest(t))
	return ask, err
}
