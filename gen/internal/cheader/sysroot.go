package cheader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// A Sysroot is a tree of headers: linux/, and asm/ for each architecture in
// one of the places where kernels and distributions put it.
type Sysroot struct {
	name string // for positions in messages
	dir  string // where it is on disk, or ""
	fsys fs.FS
	// uapi is Debian's tree of every architecture's asm headers, beside an
	// include directory; nil where there is none.
	uapi fs.FS

	mu    sync.Mutex
	views map[*arch]*archFS
}

// OpenSysroot opens a directory of headers. Nothing outside it (and Debian's
// ../lib/linux/uapi beside it) is read, whatever the headers include and
// wherever symbolic links lead.
func OpenSysroot(dir string) (*Sysroot, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("sysroot: %w", err)
	}
	s := &Sysroot{name: filepath.ToSlash(filepath.Clean(dir)), dir: dir, fsys: root.FS()}
	if uapi, err := os.OpenRoot(filepath.Join(dir, "..", "lib", "linux", "uapi")); err == nil {
		s.uapi = uapi.FS()
	}
	return s, nil
}

// NewSysroot makes a Sysroot of a file system. name stands before the names of
// its files in messages.
func NewSysroot(name string, fsys fs.FS) *Sysroot { return &Sysroot{name: name, fsys: fsys} }

// Release returns the release of Linux that the headers say they are of
// ("7.3"), or "" where linux/version.h is missing.
func (s *Sysroot) Release() string {
	content, err := fs.ReadFile(s.fsys, "linux/version.h")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(content)) {
		var code int
		if _, err := fmt.Sscanf(line, "#define LINUX_VERSION_CODE %d", &code); err == nil {
			return fmt.Sprintf("%d.%d", code>>16, code>>8&0xff)
		}
	}
	return ""
}

// Has reports whether there is a header of that name in #include <...>.
func (s *Sysroot) Has(header string) bool { return len(s.arches(header)) > 0 }

// arches returns the architectures that have a header.
func (s *Sysroot) arches(header string) []string {
	var have []string
	for _, a := range arches {
		if _, _, err := s.read(a, header); err == nil {
			have = append(have, a.name)
		}
	}
	return have
}

// read returns the content of a header by the name in #include <...>, as arch
// sees it, and the name of the file for messages.
func (s *Sysroot) read(a *arch, header string) (content []byte, name string, err error) {
	err = fs.ErrNotExist
	name = path.Join(s.name, header)
	for _, p := range s.places(a, header) {
		content, readErr := fs.ReadFile(p.fsys, p.path)
		if readErr == nil {
			return content, p.name, nil
		}
		// A link that leads out of the sysroot is followed by no one, but
		// another place may have the file itself: Debian's links into its
		// uapi tree are such.
		if errors.Is(err, fs.ErrNotExist) && !errors.Is(readErr, fs.ErrNotExist) {
			err, name = readErr, p.name
		}
	}
	return nil, "", fmt.Errorf("%s: %w", name, err)
}

type place struct {
	fsys fs.FS
	path string
	name string
}

// places returns where a header may be.
func (s *Sysroot) places(a *arch, header string) []place {
	if !fs.ValidPath(header) {
		return nil
	}
	all := []place{{s.fsys, header, path.Join(s.name, header)}}
	multiarch := path.Join(a.triplet, header)
	all = append(all, place{s.fsys, multiarch, path.Join(s.name, multiarch)})
	if s.uapi != nil && strings.HasPrefix(header, "asm/") {
		inUAPI := path.Join(a.kernel, header)
		all = append(all, place{s.uapi, inUAPI, path.Join(s.name, "../lib/linux/uapi", inUAPI)})
	}
	return all
}
