// Package scratch makes directories that do not outlive their maker for long.
package scratch

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Dir makes a directory in parent (os.TempDir if that is empty) whose name
// begins with prefix, and removes those of the same prefix whose processes
// were killed before they could. A process holds a lock on its own, which the
// kernel takes back, however it ends.
//
// remove removes the directory; it may have been renamed or removed before.
func Dir(parent, prefix string) (dir string, remove func(), err error) {
	if parent == "" {
		parent = os.TempDir()
	}
	left, err := filepath.Glob(filepath.Join(parent, prefix+"*"))
	if err != nil {
		return "", nil, err
	}
	for _, dir := range left {
		if lock, err := tryLock(dir); err == nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
	for {
		if dir, err = os.MkdirTemp(parent, prefix); err != nil {
			return "", nil, err
		}
		lock, err := tryLock(dir)
		if err == nil {
			return dir, func() { os.RemoveAll(dir); lock.Close() }, nil
		}
		// Another process may have taken it for one that was left, before it
		// was locked: then it is being removed.
		if _, statErr := os.Stat(dir); statErr == nil && err != unix.EWOULDBLOCK {
			os.Remove(dir)
			return "", nil, fmt.Errorf("locking %s: %w", dir, err)
		}
	}
}

// tryLock locks a directory that nobody else has locked, and that is there.
func tryLock(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	mine, err := f.Stat()
	if err == nil {
		var there os.FileInfo
		if there, err = os.Lstat(dir); err == nil && !os.SameFile(mine, there) {
			err = os.ErrNotExist
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
