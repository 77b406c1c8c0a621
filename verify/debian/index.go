package debian

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pault.ag/go/debian/control"
	"pault.ag/go/debian/version"
)

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
	// What an update leaves that fails, or is killed, may list nothing.
	if err := os.Remove(filepath.Join(dir, complete)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
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
