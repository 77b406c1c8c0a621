// Package debian gets Debian's packages of any suite and architecture, through
// the machine's own apt configuration, into a cache outside the repository.
//
// apt-get and apt-cache do the work, with lists, state and configuration of
// their own in the cache: nothing of the machine's is changed, and nobody need
// be root. Signatures and checksums are checked as apt always does. An index
// in the cache is good until a refresh is asked for or a package that it lists
// is gone; what was extracted is good for ever. A second run therefore asks
// the network nothing.
//
// Several processes can use one cache at a time.
package debian

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

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
	if err := available(); err != nil {
		return nil, err
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
	return &Cache{Dir: dir, Log: os.Stderr}, err
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

func (q Query) String() string {
	s := fmt.Sprintf("%s %s/%s", q.Name, q.Suite, q.Arch)
	if q.Version != "" {
		s += " of version " + q.Version + "*"
	}
	return s
}

// A Package is one version of a package, as an index lists it.
type Package struct {
	Index   Index
	Name    string
	Version string
	Arch    string // "all" where the package is for every architecture
	Size    int64  // of the .deb, in bytes
	SHA256  string // of the .deb
}

// Packages returns the packages that answer the query, newest first. There may
// be none.
func (c *Cache) Packages(ctx context.Context, q Query) ([]Package, error) {
	if err := c.need(ctx, q.Index); err != nil {
		return nil, err
	}
	return c.list(ctx, q)
}

// An Extract is what was taken out of a package.
type Extract struct {
	Package Package
	Dir     string            `json:"-"` // where the files are, with their paths in the package
	Files   map[string]string // the SHA-256 of each regular file, by its path in the package
}

// Extract takes files out of the newest package that answers the query: those
// whose paths ("usr/include/linux/fs.h") match, or all if match is nil.
func (c *Cache) Extract(ctx context.Context, q Query, match *regexp.Regexp) (*Extract, error) {
	for refreshed := false; ; refreshed = true {
		all, err := c.Packages(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			err = fmt.Errorf("no package is %v", q)
		} else {
			var e *Extract
			if e, err = c.extract(ctx, all[0], match); err == nil {
				return e, nil
			}
		}
		// Point releases vanish from the mirror: an index that was cached
		// may list what is gone, and lack what has come.
		if ctx.Err() != nil || errors.Is(err, errLocal) || refreshed {
			return nil, err
		}
		if err2 := c.update(ctx, q.Index); err2 != nil {
			return nil, fmt.Errorf("%w (and the index could not be refreshed: %w)", err, err2)
		}
	}
}

// errLocal is wrapped by errors that a newer index cannot help.
var errLocal = errors.New("on this machine")

// ErrOffline is wrapped by errors of what would have to be fetched.
var ErrOffline = fmt.Errorf("not in the cache, and nothing is to be fetched %w", errLocal)

func (c *Cache) logf(format string, args ...any) { fmt.Fprintf(c.Log, format+"\n", args...) }

// lock keeps other processes, and other goroutines, from what is at path until
// the function that it returns is called. The file path.lock stays.
func (c *Cache) lock(path string) (unlock func(), err error) {
	slow := time.AfterFunc(2*time.Second, func() { c.logf("waiting for another user of %s", path) })
	defer slow.Stop()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return lockedfile.MutexAt(path + ".lock").Lock()
}
