package debian

import (
	"bytes"
	"cmp"
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

	"pault.ag/go/debian/control"
	"pault.ag/go/debian/version"
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

// configure writes apt's configuration for one index, which is not complete
// then: what an update leaves that fails, or is killed, may list nothing.
func configure(dir, repository string, x Index) error {
	source := fmt.Sprintf("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: %s\nTargets: Packages\n", repository, x.Suite, x.Arch)
	if keys, _ := filepath.Glob(keyrings); len(keys) > 0 {
		source += "Signed-By: " + keys[0] + "\n"
	}
	sources := filepath.Join(dir, "debian.sources")
	values := map[string]string{"ARCH": x.Arch, "INDEX": dir, "SOURCES": sources}
	conf := os.Expand(aptConf, func(name string) string { return strconv.Quote(values[name]) })
	return errors.Join(
		os.RemoveAll(filepath.Join(dir, complete)),
		os.MkdirAll(filepath.Join(dir, "lists", "partial"), 0o755),
		os.WriteFile(sources, []byte(source), 0o644),
		os.WriteFile(filepath.Join(dir, "apt.conf"), []byte(conf), 0o644),
	)
}

func (c *Cache) indexDir(x Index) string {
	return filepath.Join(c.Dir, "index", x.Suite+"_"+x.Arch)
}

// apt runs a program of apt's in a directory, with the configuration of an
// index.
func (c *Cache) apt(ctx context.Context, x Index, dir, name string, args ...string) ([]byte, error) {
	return tool(ctx, dir, name, append([]string{"-c", filepath.Join(c.indexDir(x), "apt.conf")}, args...)...)
}

// complete is the file in an index's directory that says that apt has fetched
// all of it once.
const complete = "complete"

// update fetches the index from the first of the machine's repositories that
// has it, signed with Debian's keys.
func (c *Cache) update(ctx context.Context, x Index) error {
	if c.Offline {
		return fmt.Errorf("the index of %s for %s: %w", x.Suite, x.Arch, ErrOffline)
	}
	dir := c.indexDir(x)
	fmt.Fprintf(c.Log, "fetching the index of %s for %s\n", x.Suite, x.Arch)
	uris, err := repositories(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, uri := range uris {
		if err := configure(dir, uri, x); err != nil {
			return err
		}
		_, err := c.apt(ctx, x, dir, "apt-get", "update")
		if err == nil {
			return os.WriteFile(filepath.Join(dir, complete), nil, 0o644)
		}
		failed = errors.Join(failed, fmt.Errorf("the index of %s for %s: %w", x.Suite, x.Arch, err))
	}
	return failed
}

// list asks an index, which is fetched if it is not in the cache. Packages come
// newest first, as dpkg orders their versions.
func (c *Cache) list(ctx context.Context, q Query) (answers []Package, err error) {
	dir := c.indexDir(q.Index)
	if _, err := os.Stat(filepath.Join(dir, complete)); err != nil {
		if err := c.update(ctx, q.Index); err != nil {
			return nil, err
		}
	}
	prefix, _ := q.Name.LiteralPrefix()
	out, err := c.apt(ctx, q.Index, dir, "apt-cache", "pkgnames", prefix)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(strings.Fields(string(out)), func(name string) bool { return !q.Name.MatchString(name) })
	if len(names) == 0 {
		return nil, nil
	}
	if out, err = c.apt(ctx, q.Index, dir, "apt-cache", append([]string{"show"}, names...)...); err != nil {
		return nil, err
	}
	if err := control.Unmarshal(&answers, bytes.NewReader(out)); err != nil {
		return nil, fmt.Errorf("apt-cache show: %w", err)
	}
	answers = slices.DeleteFunc(answers, func(p Package) bool { return !strings.HasPrefix(p.Version, q.Version) })
	slices.SortStableFunc(answers, func(a, b Package) int {
		older, _ := version.Parse(a.Version)
		newer, _ := version.Parse(b.Version)
		return cmp.Or(version.Compare(newer, older), cmp.Compare(a.Name, b.Name))
	})
	return answers, nil
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
