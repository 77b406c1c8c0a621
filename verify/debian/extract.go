package debian

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/zuffd/uffd/verify/scratch"
)

// record is the file beside an extract's files that holds the Extract.
const record = "record.json"

func (c *Cache) extractDir(p Package, match *regexp.Regexp) string {
	name := p.Name + "_" + strings.ReplaceAll(p.Version, ":", "%3a") + "_" + p.Arch
	if match != nil {
		name += suffix(match)
	}
	return filepath.Join(c.Dir, "packages", name)
}

// suffix tells directories apart that hold different files of one package.
func suffix(match *regexp.Regexp) string {
	sum := sha256.Sum256([]byte(match.String()))
	return "_" + hex.EncodeToString(sum[:4])
}

// extract returns the package's files from the cache, or fetches them.
func (c *Cache) extract(ctx context.Context, p Package, match *regexp.Regexp) (*Extract, error) {
	dir := c.extractDir(p, match)
	unlock, err := c.lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, err := readExtract(dir)
	if err == nil && e.Package.SHA256 != p.SHA256 {
		err = fmt.Errorf("%s: the package was another file of the same name and version", dir)
	}
	if err == nil {
		e.Package.Index = p.Index
		return e, nil
	}
	if c.Offline {
		return nil, fmt.Errorf("%s %s: %w", p.Name, p.Version, errOffline)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		c.logf("fetching again what is damaged: %v", err)
	}
	// A directory without a good record is of no use to anybody.
	if err := os.RemoveAll(dir); err != nil {
		return nil, err
	}
	tmp, remove, err := scratch.Dir(filepath.Dir(dir), ".part-")
	if err != nil {
		return nil, err
	}
	defer remove()
	c.logf("fetching %s %s (%d MB)", p.Name, p.Version, (p.Size+999_999)/1_000_000)
	deb, err := c.download(ctx, tmp, p)
	if err != nil {
		return nil, err
	}
	e = &Extract{Package: p, Dir: filepath.Join(tmp, "files"), Files: make(map[string]string)}
	if err := unpack(ctx, deb, e, match); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", p.Name, p.Version, errLocal, err)
	}
	if err := os.Remove(deb); err != nil {
		return nil, err
	}
	content, err := json.MarshalIndent(e, "", "\t")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(tmp, record), content, 0o644); err != nil {
		return nil, err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return nil, err
	}
	e.Dir = filepath.Join(dir, "files")
	return e, nil
}

// readExtract reads a cached extract and checks every file of it.
func readExtract(dir string) (*Extract, error) {
	content, err := os.ReadFile(filepath.Join(dir, record))
	if err != nil {
		return nil, err
	}
	e := new(Extract)
	if err := json.Unmarshal(content, e); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, record), err)
	}
	e.Dir = filepath.Join(dir, "files")
	root, err := os.OpenRoot(e.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for name, want := range e.Files {
		f, err := root.Open(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %v", e.Dir, err)
		}
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %v", e.Dir, err)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != want {
			return nil, fmt.Errorf("%s: SHA-256 %s instead of %s", filepath.Join(e.Dir, name), got, want)
		}
	}
	return e, nil
}

// download fetches the package's .deb into a directory. apt checks it against
// the index's checksum.
func (c *Cache) download(ctx context.Context, dir string, p Package) (string, error) {
	conf := filepath.Join(c.indexDir(p.Index), "apt.conf")
	if _, err := tool(ctx, dir, "apt-get", "-c", conf, "download", p.Name+"="+p.Version); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("apt-get download %s=%s left %d files", p.Name, p.Version, len(found))
	}
	return found[0], nil
}

// unpack writes the files of a .deb that match below e.Dir, and fills e.Files.
func unpack(ctx context.Context, deb string, e *Extract, match *regexp.Regexp) (err error) {
	if err := os.Mkdir(e.Dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(e.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = untar(root, out, e.Files, match)
	if err != nil {
		cmd.Process.Kill() // it may be waiting for a reader
	}
	return errors.Join(err, cmd.Wait())
}

func untar(root *os.Root, r io.Reader, sums map[string]string, match *regexp.Regexp) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			// What follows the archive's end is read, so that its writer
			// does not die of a closed pipe.
			_, err := io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path.Clean(h.Name), "./")
		if h.Typeflag == tar.TypeDir || match != nil && !match.MatchString(name) {
			continue
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeReg:
			sum := sha256.New()
			if err := create(root, name, io.TeeReader(t, sum)); err != nil {
				return err
			}
			sums[name] = hex.EncodeToString(sum.Sum(nil))
		case tar.TypeSymlink:
			err = root.Symlink(h.Linkname, name)
		case tar.TypeLink:
			old := strings.TrimPrefix(path.Clean(h.Linkname), "./")
			sums[name] = sums[old]
			err = root.Link(old, name)
		}
		if err != nil {
			return err
		}
	}
}

func create(root *os.Root, name string, r io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
