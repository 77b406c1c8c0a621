package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// configure writes apt's configuration for one index, after the machine's own:
// what would touch the machine is redirected or cleared.
func configure(dir, repository string, x Index) error {
	source := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\nTargets: Packages\n", repository, x.Suite, x.Arch)
	if keys, _ := filepath.Glob(keyrings); len(keys) > 0 {
		source += "Signed-By: " + keys[0] + "\n"
	}
	conf := fmt.Sprintf(`// Written by verify/debian: apt for one suite and architecture.
#clear APT::Architectures;
APT::Architecture %[2]q;
APT::Architectures { %[2]q; };
APT::Sandbox::User "root"; // another user could not write here
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Acquire::Languages "none";
Dir::State %[1]q;
Dir::State::Lists "lists";
Dir::State::Status "/dev/null"; // no package is installed
Dir::Cache %[3]q;
Dir::Cache::PkgCache "pkgcache.bin";
Dir::Cache::SrcPkgCache "srcpkgcache.bin";
Dir::Etc::SourceList %[4]q;
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "-";
`, dir, x.Arch, filepath.Join(dir, "cache"), filepath.Join(dir, "debian.sources"))
	return errors.Join(
		os.MkdirAll(filepath.Join(dir, "lists", "partial"), 0o755),
		os.WriteFile(filepath.Join(dir, "debian.sources"), []byte(source), 0o644),
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
