package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/zuffd/uffd/verify/cc"
)

// missingCompilers returns the Debian packages of the compilers that are not
// installed.
func missingCompilers() []string {
	var packages []string
	for _, c := range cc.Compilers {
		if !c.Installed() {
			packages = append(packages, c.Package)
		}
	}
	return packages
}

// installLine is what a person would type.
func installLine(packages []string) string {
	return "apt-get update && apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
}

func installPackages(ctx context.Context, packages []string) error {
	cmd := exec.CommandContext(ctx, "sh", "-c", installLine(packages))
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", installLine(packages), err, out)
	}
	return nil
}
