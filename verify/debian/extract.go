package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// record is the file beside an extract's files that holds the Extract.
const record = "record.json"

// extract returns the package's files from the cache, or fetches them.
func (c *Cache) extract(ctx context.Context, p Package, match *regexp.Regexp) (*Extract, error) {
	dir := filepath.Join(c.Dir, "packages", p.Name+"_"+strings.ReplaceAll(p.Version, ":", "%3a")+"_"+p.Arch)
	if match != nil { // different files of one package are different extracts
		sum := sha256.Sum256([]byte(match.String()))
		dir += "_" + hex.EncodeToString(sum[:4])
	}
	unlock, err := c.lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, err := readExtract(dir)
	if err == nil && e.Package.SHA256 != p.SHA256 {
		err = fmt.Errorf("%s: the package was another file of the same name and version", dir)
	}
	switch {
	case err == nil:
		e.Package.Index = p.Index
		return e, nil
	case c.Offline && errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s %s: %w", p.Name, p.Version, ErrOffline)
	case c.Offline:
		return nil, fmt.Errorf("%w %w", err, errLocal)
	case !errors.Is(err, fs.ErrNotExist):
		c.logf("fetching again what is damaged: %v", err)
	}
	// A directory without a good record is of no use to anybody; neither is
	// what a killed process was at.
	part := dir + ".part"
	if err := errors.Join(os.RemoveAll(dir), os.RemoveAll(part)); err != nil {
		return nil, err
	}
	defer os.RemoveAll(part)
	e = &Extract{Package: p, Dir: filepath.Join(part, "files")}
	if err := os.MkdirAll(e.Dir, 0o755); err != nil {
		return nil, err
	}
	c.logf("fetching %s %s (%d MB)", p.Name, p.Version, (p.Size+999_999)/1_000_000)
	// apt checks the package against the index's checksum.
	if _, err := tool(ctx, part, "apt-get", "-c", filepath.Join(c.indexDir(p.Index), "apt.conf"), "download", p.Name+"="+p.Version); err != nil {
		return nil, err
	}
	if err := unpack(ctx, part, e.Dir, match); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", p.Name, p.Version, errLocal, err)
	}
	if e.Files, err = sums(e.Dir); err != nil {
		return nil, err
	}
	content, err := json.MarshalIndent(e, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(part, record), content, 0o644); err != nil {
		return nil, err
	}
	e.Dir = filepath.Join(dir, "files")
	return e, os.Rename(part, dir)
}

// readExtract reads a cached extract and checks every file of it.
func readExtract(dir string) (*Extract, error) {
	content, err := os.ReadFile(filepath.Join(dir, record))
	if err != nil {
		return nil, err
	}
	e := &Extract{Dir: filepath.Join(dir, "files")}
	if err := json.Unmarshal(content, e); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, record), err)
	}
	are, err := sums(e.Dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", e.Dir, err)
	}
	if !maps.Equal(are, e.Files) {
		return nil, fmt.Errorf("%s: the files are not those that were extracted; remove the directory if Debian has them no more", e.Dir)
	}
	return e, nil
}

// unpack writes the files of the one .deb in a directory that match below
// another, and removes the .deb.
func unpack(ctx context.Context, from, to string, match *regexp.Regexp) error {
	debs, err := filepath.Glob(filepath.Join(from, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get left %d files (%v)", len(debs), err)
	}
	if _, err := tool(ctx, from, "dpkg-deb", "--extract", debs[0], to); err != nil {
		return err
	}
	err = filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || match == nil {
			return err
		}
		if name, _ := filepath.Rel(to, path); !match.MatchString(name) {
			return os.Remove(path)
		}
		return nil
	})
	return errors.Join(err, os.Remove(debs[0]))
}

// sums returns the checksums of the regular files below a directory, by their
// paths in it.
func sums(dir string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err == nil {
			all[name], err = Sum(path)
		}
		return err
	})
	return all, err
}

// Sum returns the SHA-256 of a file, in hexadecimal.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}
