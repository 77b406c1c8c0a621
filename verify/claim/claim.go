// Package claim is what is verified: what the generator says of each header on
// each architecture, and the Go file that it has made of it. An oracle holds
// what it knows, a [Truth], against a [Claim], and gives an [Answer].
package claim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
	"github.com/zuffd/uffd/verify/arch"
	"github.com/zuffd/uffd/verify/bindings"
)

// A Source is a header that files are generated from.
type Source struct {
	Header string // as included
	Stem   string // what the files' names begin with
}

// Sources are all of them.
var Sources = []Source{
	{"linux/userfaultfd.h", "zuffd"},
	{"linux/fs.h", "zpagemap"},
}

// File returns the name of the file for a GOARCH.
func (s Source) File(goarch string) string { return fmt.Sprintf("%s_linux_%s.go", s.Stem, goarch) }

// A Claim is what is said of one header on one architecture.
type Claim struct {
	Source  Source
	Edition abi.Release    // of the headers that it was made from
	Model   *abi.Model     // the generator's
	File    bindings.Facts // of the generated file, or nil
	Err     error          // why the file could not be read
}

// An Answer is what one oracle said of one set of values.
type Answer struct {
	Kind    string   // of oracle
	Oracle  string   // who was asked
	Sources []string // whose word it is; none for the oracle's own
	About   string   // what was held against it
	Verdict
	Note    string
	Unasked error  // why the oracle could not be asked
	Absent  string // why there is no such oracle here, and need not be
}

// Hold holds claims against what an oracle knows of each. What it does not know
// for an error is not asked.
func (a *Answer) Hold(claims []*Claim, know func(c *Claim) (Truth, error)) {
	for _, c := range claims {
		if truth, err := know(c); err != nil {
			a.Unasked = errors.Join(a.Unasked, err)
		} else {
			a.Add(c.Hold(truth), "")
		}
	}
}

// All are the claims by GOARCH, each list in the order of Sources.
type All map[string][]*Claim

// Load has the generator say everything anew, and reads the files. root is the
// directory of the generator's module.
func Load(ctx context.Context, root string) (All, error) {
	all := All{}
	for _, source := range Sources {
		models, err := Models(ctx, root, "headers", source.Header, "all")
		if err != nil {
			return nil, err
		}
		for _, a := range arch.All {
			c := &Claim{Source: source, Model: models[a.Go]}
			if c.Model == nil {
				return nil, fmt.Errorf("the generator says nothing of %s for %s", source.Header, a.Go)
			}
			if c.Edition, err = abi.ParseRelease(c.Model.Release); err != nil {
				return nil, fmt.Errorf("headers/linux/version.h: %w", err)
			}
			c.File, c.Err = bindings.Load(filepath.Join(root, source.File(a.Go)), a.Go)
			all[a.Go] = append(all[a.Go], c)
		}
	}
	return all, nil
}

// Edition returns the release of Linux that the claims are of.
func (all All) Edition() abi.Release { return all["amd64"][0].Edition }

// Models returns the generator's model of a header for each GOARCH of a list,
// or for all. The generator is run: nothing of it is compiled into what judges
// it. A relative sysroot is within root.
func Models(ctx context.Context, root, sysroot, header, arches string) (map[string]*abi.Model, error) {
	out, err := generate(ctx, root, "-json", "-sysroot", sysroot, "-arch", arches, header)
	if err != nil {
		return nil, err
	}
	models := map[string]*abi.Model{}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		m := new(abi.Model)
		if err := d.Decode(m); err != nil {
			return nil, fmt.Errorf("the generator's JSON: %w", err)
		}
		models[m.Arch] = m
	}
	return models, nil
}

// Regenerate returns how the files in dir differ from those that a header of a
// sysroot makes: a unified diff, empty where they are the same.
func Regenerate(ctx context.Context, root, sysroot, dir, header, arches string) (diff string, err error) {
	diff, err = generate(ctx, root, "-check", "-sysroot", sysroot, "-o", dir, "-arch", arches, header)
	if diff != "" {
		return diff, nil
	}
	return "", err
}

// generate returns what the generator prints, and what it complains of as an
// error.
func generate(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"run", "./gen"}, args...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = fmt.Errorf("go run ./gen %s: %w\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	return string(out), err
}
