package debian

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/zuffd/uffd/verify/scratch"
)

// tools are the programs that are run.
var tools = []string{"apt-get", "apt-cache", "apt-config", "dpkg", "dpkg-deb"}

// available returns an error that says what to do if a tool is missing.
func available() error {
	for _, t := range tools {
		if _, err := exec.LookPath(t); err != nil {
			return fmt.Errorf("%w: Debian's packages can be had on Debian only; elsewhere give kernels of your own with KERNELS=DIR (make vm) or -dir DIR", err)
		}
	}
	return nil
}

// tool runs a program and returns its standard output.
func tool(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// keyrings are where the package debian-archive-keyring puts Debian's keys,
// those of old suites among them. Without one, apt's own trusted keys decide.
var keyrings = []string{
	"/usr/share/keyrings/debian-archive-keyring.pgp",
	"/usr/share/keyrings/debian-archive-keyring.gpg",
}

// repositories returns the repositories that this machine's apt is configured
// with and that can be Debian's main archive. apt need not have been updated.
func repositories(ctx context.Context) ([]string, error) {
	empty, remove, err := scratch.Dir("", "uffd-apt-")
	if err != nil {
		return nil, err
	}
	defer remove()
	out, err := tool(ctx, "", "apt-get", "-o", "Dir::State::Lists="+empty, "update", "--print-uris")
	if err != nil {
		return nil, err
	}
	all := parseRepositories(out)
	if len(all) == 0 {
		return nil, errors.New("this machine's apt is configured with no Debian archive: 'apt-get update --print-uris' lists none")
	}
	return all, nil
}

var inRelease = regexp.MustCompile(`(?m)^'(.+)/dists/([^/']+)/InRelease' `)

// parseRepositories reads the output of apt-get update --print-uris.
func parseRepositories(out []byte) []string {
	var all []string
	seen := make(map[string]bool)
	for _, m := range inRelease.FindAllSubmatch(out, -1) {
		uri, suite := string(m[1]), string(m[2])
		if seen[uri] || strings.HasSuffix(suite, "-security") {
			continue
		}
		seen[uri] = true
		all = append(all, uri)
	}
	return all
}

// configuration is apt's for one index, after the machine's own: what would
// touch the machine is redirected or cleared.
func configuration(dir string, x Index) string {
	return fmt.Sprintf(`// Written by verify/debian: apt for one suite and architecture.
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
Dir::State::Status "status";
Dir::Cache %[3]q;
Dir::Cache::PkgCache "pkgcache.bin";
Dir::Cache::SrcPkgCache "srcpkgcache.bin";
Dir::Etc::SourceList %[4]q;
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "-";
`, dir, x.Arch, filepath.Join(dir, "cache"), filepath.Join(dir, "debian.sources"))
}

// source is the deb822 entry of an index.
func source(repository string, x Index) string {
	s := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\nTargets: Packages\n", repository, x.Suite, x.Arch)
	for _, k := range keyrings {
		if _, err := os.Stat(k); err == nil {
			return s + "Signed-By: " + k + "\n"
		}
	}
	return s
}

// parsePackages reads the records that apt-cache show prints.
func parsePackages(x Index, out []byte) ([]Package, error) {
	var all []Package
	for r := textproto.NewReader(bufio.NewReader(bytes.NewReader(out))); ; {
		h, err := r.ReadMIMEHeader()
		if len(h) > 0 {
			p := Package{
				Index: x, Name: h.Get("Package"), Version: h.Get("Version"),
				Arch: h.Get("Architecture"), SHA256: h.Get("SHA256"),
			}
			size, sizeErr := strconv.ParseInt(h.Get("Size"), 10, 64)
			if p.Name == "" || p.Version == "" || p.Arch == "" || p.SHA256 == "" || sizeErr != nil {
				return nil, fmt.Errorf("apt-cache show: a record of %q without its name, version, architecture, size or SHA-256", p.Name)
			}
			p.Size = size
			all = append(all, p)
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("apt-cache show: %w", err)
		}
	}
}

// isNewer reports whether version a is newer than b.
func isNewer(ctx context.Context, a, b string) (bool, error) {
	err := exec.CommandContext(ctx, "dpkg", "--compare-versions", a, "gt", b).Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("dpkg --compare-versions %s gt %s: %w", a, b, err)
	}
	return true, nil
}
