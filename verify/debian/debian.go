// Package debian gets Debian's packages of any suite and architecture, through
// the machine's own apt configuration, into a cache outside the repository.
//
// apt-get and apt-cache do the work, with lists, state and configuration of
// their own in the cache: nothing of the machine's is changed, and nobody need
// be root. Signatures and checksums are checked as apt always does. An index
// in the cache is good until its directory is removed or a package that it
// lists is gone; what was extracted is good for ever. A second run therefore
// asks the network nothing.
//
// Several processes can use one cache, one at a time.
package debian

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// A Cache is a directory of indexes and of extracted packages.
type Cache struct {
	Dir     string    // where the cache is
	Log     io.Writer // is told what is fetched
	Offline bool      // fetch nothing: what is not in the cache is an error
}

// Open returns the cache of $UFFD_CACHE or, if that is not set, of the user's
// cache directory, which tells standard error what it fetches. It is an error
// if this machine has no apt.
func Open() (*Cache, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, fmt.Errorf("%w: Debian's packages can be had on Debian only; elsewhere give kernels of your own with KERNELS=DIR (make vm) or -dir DIR", err)
	}
	dir := os.Getenv("UFFD_CACHE")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("no cache directory: %w; set UFFD_CACHE", err)
		}
		dir = filepath.Join(user, "uffd")
	}
	dir, err := filepath.Abs(filepath.Join(dir, "debian"))
	return &Cache{Dir: dir, Log: os.Stderr}, errors.Join(err, os.MkdirAll(dir, 0o755))
}

// An Index is the list of one suite's packages for one architecture, those for
// every architecture among them.
type Index struct {
	Suite string // "trixie-backports"
	Arch  string // Debian's name of the architecture
}

// A Query says which package is wanted.
type Query struct {
	Index
	Name    *regexp.Regexp // of the package; it should begin with ^ and letters
	Version string         // what the version begins with: "7.2."
}

// A Package is one version of a package, as an index lists it.
type Package struct {
	Name    string `control:"Package"`
	Version string
	Arch    string `control:"Architecture"` // "all" where the package is for every architecture
}

func (p Package) String() string { return p.Name + " " + p.Version }

// Packages returns the packages that answer the query, newest first. There may
// be none.
func (c *Cache) Packages(ctx context.Context, q Query) ([]Package, error) {
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	return c.list(ctx, q)
}

// An Extract is what was taken out of a package.
type Extract struct {
	Package
	Dir string // where the files are, with their paths in the package
}

// Extract takes files out of the newest package that answers the query: those
// whose paths ("usr/include/linux/fs.h") match, or all if match is nil.
func (c *Cache) Extract(ctx context.Context, q Query, match *regexp.Regexp) (*Extract, error) {
	unlock, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, err := c.newest(ctx, q, match)
	if err == nil || errors.Is(err, ErrOffline) || ctx.Err() != nil {
		return e, err
	}
	// Point releases vanish from the mirror: an index that was cached may list
	// what is gone, and lack what has come.
	if err2 := c.update(ctx, q.Index); err2 != nil {
		return nil, fmt.Errorf("%w (and the index could not be refreshed: %w)", err, err2)
	}
	return c.newest(ctx, q, match)
}

// ErrOffline is wrapped by errors of what would have to be fetched.
var ErrOffline = errors.New("not in the cache, and nothing is to be fetched")

// lock keeps other processes, and other goroutines, from the cache until the
// function that it returns is called.
func (c *Cache) lock() (unlock func(), err error) {
	return lockedfile.MutexAt(filepath.Join(c.Dir, "lock")).Lock()
}

// newest returns the files of the newest package that answers the query, as
// the index is.
func (c *Cache) newest(ctx context.Context, q Query, match *regexp.Regexp) (*Extract, error) {
	all, err := c.list(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no package is %s %s/%s of version %s*", q.Name, q.Suite, q.Arch, q.Version)
	}
	p := all[0]
	dir := filepath.Join(c.Dir, "packages", p.Name+"_"+strings.ReplaceAll(p.Version, ":", "%3a")+"_"+p.Arch)
	if match != nil { // different files of one package are different extracts
		dir += fmt.Sprintf("_%.4x", sha256.Sum256([]byte(match.String())))
	}
	e := &Extract{p, filepath.Join(dir, "files")}
	if _, err := os.Stat(e.Dir); err == nil {
		return e, nil
	}
	if c.Offline {
		return nil, fmt.Errorf("%v: %w", p, ErrOffline)
	}
	// What a killed process was at is of no use to anybody.
	part := dir + ".part"
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(part), os.MkdirAll(part, 0o755)); err != nil {
		return nil, err
	}
	defer os.RemoveAll(part)
	fmt.Fprintf(c.Log, "fetching %v\n", p)
	// apt checks the package against the index's checksum.
	if _, err := c.apt(ctx, q.Index, part, "apt-get", "download", p.Name+"="+p.Version); err != nil {
		return nil, err
	}
	if err := unpack(ctx, part, match); err != nil {
		return nil, fmt.Errorf("%v: %w", p, err)
	}
	return e, os.Rename(part, dir)
}

// unpack has the .deb in a directory replaced by those of its files that match,
// below "files".
func unpack(ctx context.Context, dir string, match *regexp.Regexp) error {
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get left %d files (%v)", len(debs), err)
	}
	to := filepath.Join(dir, "files")
	if _, err := tool(ctx, dir, "dpkg-deb", "--extract", debs[0], to); err != nil {
		return err
	}
	err = filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(to, path)
		if err == nil && !d.IsDir() && match != nil && !match.MatchString(name) {
			err = os.Remove(path)
		}
		return err
	})
	return errors.Join(err, os.Remove(debs[0]))
}
