package debian

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tool runs a program and returns its standard output.
func tool(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(exit.Stderr))
	}
	return out, err
}

// keyrings are where the package debian-archive-keyring puts Debian's keys,
// those of old suites among them: in a .gpg or a .pgp. Without one, apt's own
// trusted keys decide.
const keyrings = "/usr/share/keyrings/debian-archive-keyring.[gp][gp][gp]"

// repositories returns the repositories that this machine's apt is configured
// with and that can be Debian's main archive. apt need not have been updated.
func repositories(ctx context.Context) (all []string, err error) {
	out, err := tool(ctx, "", "apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
	for line := range strings.Lines(string(out)) {
		suite, uri, ok := strings.Cut(strings.TrimSpace(line), " ")
		if ok && !slices.Contains(all, uri) && !strings.HasSuffix(suite, "-security") {
			all = append(all, uri)
		}
	}
	if err == nil && len(all) == 0 {
		err = errors.New("this machine's apt is configured with no Debian archive: 'apt-get indextargets --no-release-info' lists none")
	}
	return all, err
}

//go:embed apt.conf
var aptConf string

// configure writes apt's configuration for one index.
func configure(dir, repository string, x Index) error {
	source := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\nTargets: Packages\n", repository, x.Suite, x.Arch)
	if keys, _ := filepath.Glob(keyrings); len(keys) > 0 {
		source += "Signed-By: " + keys[0] + "\n"
	}
	sources := filepath.Join(dir, "debian.sources")
	values := map[string]string{"ARCH": x.Arch, "INDEX": dir, "SOURCES": sources}
	conf := os.Expand(aptConf, func(name string) string { return strconv.Quote(values[name]) })
	return errors.Join(
		os.MkdirAll(filepath.Join(dir, "lists", "partial"), 0o755),
		os.WriteFile(sources, []byte(source), 0o644),
		os.WriteFile(filepath.Join(dir, "apt.conf"), []byte(conf), 0o644),
	)
}

// InstallLine is what a person would type, as root, to install packages.
func InstallLine(packages []string) string {
	return "apt-get update && apt-get install -y --no-install-recommends " + strings.Join(packages, " ")
}

// Install installs packages on this machine, which takes root. It waits for
// another apt-get to end.
func Install(ctx context.Context, packages []string) error {
	if _, err := tool(ctx, "", "apt-get", "update", "-q"); err != nil {
		return err
	}
	_, err := tool(ctx, "", "apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300", "install", "-y", "-q", "--no-install-recommends"}, packages...)...)
	return err
}
