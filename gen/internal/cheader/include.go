package cheader

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Include returns the directories in which a C compiler for a GOARCH finds a
// sysroot's headers, in order, and those of the C library that are looked into
// after its own. release takes away what was made for that.
func Include(s *Sysroot, goarch string) (dirs []string, libcDir string, release func(), err error) {
	a, err := lookup(goarch)
	if err != nil {
		return nil, "", nil, err
	}
	own, err := fs.Sub(libc, "libc")
	if err != nil {
		return nil, "", nil, err
	}
	libcDir, release, err = unpack(own)
	if err != nil {
		return nil, "", nil, err
	}
	if s.dir == "" {
		dir, releaseDir, err := unpack(s.fsys)
		if err != nil {
			release()
			return nil, "", nil, err
		}
		return []string{dir}, libcDir, func() { release(); releaseDir() }, nil
	}
	for _, asm := range []string{
		filepath.Join(s.dir, "..", "lib", "linux", "uapi", a.kernel),
		filepath.Join(s.dir, a.triplet),
	} {
		if _, err := os.Stat(filepath.Join(asm, "asm")); err == nil {
			dirs = append(dirs, asm)
		}
	}
	return append(dirs, s.dir), libcDir, release, nil
}

// unpack writes a file system into a directory.
func unpack(fsys fs.FS) (dir string, release func(), err error) {
	dir, err = os.MkdirTemp("", "gen-headers-")
	if err != nil {
		return "", nil, err
	}
	release = func() { os.RemoveAll(dir) }
	if err := os.CopyFS(dir, fsys); err != nil {
		release()
		return "", nil, err
	}
	return dir, release, nil
}
