package debian

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func (c *Cache) indexDir(x Index) string {
	return filepath.Join(c.Dir, "index", x.Suite+"_"+x.Arch)
}

// complete is the file in an index's directory that says that apt has fetched
// all of it once.
const complete = "complete"

// need makes sure that the index is in the cache.
func (c *Cache) need(ctx context.Context, x Index) error {
	if _, err := os.Stat(filepath.Join(c.indexDir(x), complete)); err != nil {
		return c.update(ctx, x)
	}
	return nil
}

// update fetches the index from the first of the machine's repositories that
// has it, signed with Debian's keys.
func (c *Cache) update(ctx context.Context, x Index) error {
	if c.Offline {
		return fmt.Errorf("the index of %s for %s: %w", x.Suite, x.Arch, ErrOffline)
	}
	dir := c.indexDir(x)
	began := time.Now()
	unlock, err := c.lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if done, err := os.Stat(filepath.Join(dir, complete)); err == nil && done.ModTime().After(began) {
		return nil // somebody else has fetched it while we waited
	}
	// What an update leaves that fails, or is killed, may list nothing.
	if err := os.Remove(filepath.Join(dir, complete)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.logf("fetching the index of %s for %s", x.Suite, x.Arch)
	uris, err := repositories(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, uri := range uris {
		if err := configure(dir, uri, x); err != nil {
			return err
		}
		if _, err := tool(ctx, dir, "apt-get", "-c", filepath.Join(dir, "apt.conf"), "update"); err != nil {
			failed = errors.Join(failed, fmt.Errorf("the index of %s for %s: %w", x.Suite, x.Arch, err))
			continue
		}
		return os.WriteFile(filepath.Join(dir, complete), nil, 0o644)
	}
	return failed
}

// list asks a cached index.
func (c *Cache) list(ctx context.Context, q Query) ([]Package, error) {
	dir := c.indexDir(q.Index)
	conf := filepath.Join(dir, "apt.conf")
	// apt-cache writes its binary cache beside the lists.
	unlock, err := c.lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	prefix, _ := q.Name.LiteralPrefix()
	out, err := tool(ctx, dir, "apt-cache", "-c", conf, "pkgnames", prefix)
	if err != nil {
		return nil, err
	}
	var names []string
	for name := range strings.FieldsSeq(string(out)) {
		if q.Name.MatchString(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	out, err = tool(ctx, dir, "apt-cache", append([]string{"-c", conf, "show"}, names...)...)
	if err != nil {
		return nil, err
	}
	all, err := parsePackages(q.Index, out)
	if err != nil {
		return nil, err
	}
	var answers []Package
	for _, p := range all {
		if q.Name.MatchString(p.Name) && strings.HasPrefix(p.Version, q.Version) {
			answers = append(answers, p)
		}
	}
	return answers, newestFirst(answers)
}

// Forget has every index that is used be fetched anew.
func (c *Cache) Forget() {
	all, _ := filepath.Glob(filepath.Join(c.Dir, "index", "*", complete))
	for _, path := range all {
		os.Remove(path)
	}
}
