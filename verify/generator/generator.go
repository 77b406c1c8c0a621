// Package generator asks the generator for what it claims, by running it.
// Nothing of it is compiled into the programs that judge it.
package generator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"

	"github.com/zuffd/uffd/internal/abi"
)

// Models returns the generator's model of a header for each GOARCH. root is
// the module's directory, and a relative sysroot is within it.
func Models(ctx context.Context, root, sysroot, header string, arches ...string) (map[string]*abi.Model, error) {
	out, err := run(ctx, root, "-json", "-sysroot", sysroot, "-arch", strings.Join(arches, ","), header)
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
	for _, arch := range arches {
		if models[arch] == nil {
			return nil, fmt.Errorf("the generator says nothing of %s for %s", header, arch)
		}
	}
	return models, nil
}

// Check returns how the files on disk differ from those that a header in a
// sysroot makes: a unified diff, empty where they are the same.
func Check(ctx context.Context, root, sysroot, header string, arches ...string) (diff string, err error) {
	diff, err = run(ctx, root, "-check", "-sysroot", sysroot, "-arch", strings.Join(arches, ","), header)
	if diff != "" {
		return diff, nil
	}
	return "", err
}

// run returns what the generator prints, and what it complains of as an error.
func run(ctx context.Context, root string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"run", "./gen"}, args...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("go run ./gen %s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return string(out), err
}
